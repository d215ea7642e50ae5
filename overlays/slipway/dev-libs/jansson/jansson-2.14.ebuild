# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library for JSON data"
HOMEPAGE="https://github.com/akheron/jansson"
SRC_URI="mirror://debian/pool/main/j/jansson/jansson_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
"

src_prepare() {
	default
	autoreconf -fi || die
}

src_configure() {
	econf --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
