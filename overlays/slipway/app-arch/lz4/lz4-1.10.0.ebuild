# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library and tool for the LZ4 compression"
HOMEPAGE="https://lz4.org/"
SRC_URI="mirror://debian/pool/main/l/lz4/lz4_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="BSD-2 GPL-2+"
SLOT="0"
KEYWORDS="amd64"

lz4_make() {
	local directory
	for directory in lib programs; do
		emake -C "${directory}" V=1 PREFIX=/usr LIBDIR=/usr/lib BUILD_SHARED=yes BUILD_STATIC=no "$@"
	done
}

src_compile() {
	emake -C lib V=1 BUILD_STATIC=no lib
	emake -C programs V=1 lz4
}

src_install() {
	lz4_make DESTDIR="${D}" install
}
