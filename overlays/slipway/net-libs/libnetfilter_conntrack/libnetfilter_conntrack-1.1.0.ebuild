# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library for the kernel's connection tracking table"
HOMEPAGE="https://www.netfilter.org/projects/libnetfilter_conntrack/"
SRC_URI="
	https://www.netfilter.org/pub/libnetfilter_conntrack/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/libn/libnetfilter-conntrack/libnetfilter-conntrack_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	net-libs/libmnl
	net-libs/libnfnetlink
"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
