# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tape archives"
HOMEPAGE="https://www.gnu.org/software/tar/"
SRC_URI="mirror://debian/pool/main/t/tar/tar_${PV}+dfsg.orig.tar.xz -> ${P}.debian.orig.tar.xz"
S="${WORKDIR}/${P}+dfsg"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	export FORCE_UNSAFE_CONFIGURE=1
	econf \
		--bindir=/usr/bin \
		--disable-nls \
		--libexecdir=/usr/lib/tar \
		--with-xattrs \
		--without-posix-acls \
		--without-selinux
}

src_install() {
	default
	# No tapes in other machines.
	rm -rf "${ED}"/usr/lib/tar || die
}
