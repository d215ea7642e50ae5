# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library for the kernel's nf_tables interface"
HOMEPAGE="https://www.netfilter.org/projects/libnftnl/"
SRC_URI="https://www.netfilter.org/pub/libnftnl/${P}.tar.xz"
LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="net-libs/libmnl"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
