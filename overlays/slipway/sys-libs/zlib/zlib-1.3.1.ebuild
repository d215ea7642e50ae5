# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Compression library of the deflate algorithm"
HOMEPAGE="https://zlib.net/"
SRC_URI="mirror://debian/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz -> ${P}.debian.orig.tar.gz"
S="${WORKDIR}/${P}"
LICENSE="ZLIB"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	# Not an autoconf script.
	CHOST="${CHOST}" ./configure --prefix=/usr --libdir=/usr/lib --shared || die
}

src_install() {
	default
	rm "${ED}"/usr/lib/libz.a || die
}
