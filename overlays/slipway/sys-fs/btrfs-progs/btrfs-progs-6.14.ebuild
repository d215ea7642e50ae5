# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools to make and manage btrfs file systems"
HOMEPAGE="https://btrfs.readthedocs.io/"
SRC_URI="mirror://debian/pool/main/b/btrfs-progs/btrfs-progs_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="GPL-2 LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	app-arch/zstd
	sys-apps/util-linux
	sys-libs/zlib
"
RDEPEND="${DEPEND}"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	virtual/pkgconfig
"

src_prepare() {
	default
	sh ./autogen.sh || die
}

src_configure() {
	econf \
		--bindir=/usr/bin \
		--sbindir=/usr/bin \
		--disable-backtrace \
		--disable-convert \
		--disable-documentation \
		--disable-libudev \
		--disable-lzo \
		--disable-python \
		--disable-static \
		--enable-zoned \
		--enable-zstd \
		--with-crypto=builtin
}

src_compile() {
	emake V=1
}

src_install() {
	emake V=1 DESTDIR="${D}" install
	find "${ED}" '(' -name '*.a' -o -name '*.la' ')' -delete || die
}
