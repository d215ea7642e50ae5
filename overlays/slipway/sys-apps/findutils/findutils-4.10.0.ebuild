# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="find and xargs"
HOMEPAGE="https://www.gnu.org/software/findutils/"
SRC_URI="mirror://debian/pool/main/f/findutils/findutils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-nls --libexecdir=/usr/lib/findutils --without-selinux
}

src_install() {
	default
	# No database of file names.
	rm -r "${ED}"/usr/bin/{locate,updatedb} "${ED}"/usr/lib/findutils "${ED}"/var || die
}
