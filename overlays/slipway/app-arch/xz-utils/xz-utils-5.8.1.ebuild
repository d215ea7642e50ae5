# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="1+deb13u1"
DESCRIPTION="Compression tools and library of the xz format"
HOMEPAGE="https://tukaani.org/xz/"
SRC_URI="
	mirror://debian/pool/main/x/xz-utils/xz-utils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/x/xz-utils/xz-utils_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/xz-${PV}"
LICENSE="0BSD LGPL-2.1+ GPL-2+"
SLOT="0/5"
KEYWORDS="amd64"
DEBIAN_PATCHES=( '0001-liblzma-Fix-a-buffer-overflow*' )

src_configure() {
	econf \
		--disable-doc \
		--disable-lzma-links \
		--disable-lzmadec \
		--disable-lzmainfo \
		--disable-nls \
		--disable-scripts \
		--disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
