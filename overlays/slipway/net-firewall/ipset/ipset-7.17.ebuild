# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tool for sets of addresses, networks and ports in the kernel's packet filter"
HOMEPAGE="https://ipset.netfilter.org/"
SRC_URI="
	https://ipset.netfilter.org/${P}.tar.bz2 -> ${P}.debian.orig.tar.bz2
	mirror://debian/pool/main/i/ipset/ipset_${PV}.orig.tar.bz2 -> ${P}.debian.orig.tar.bz2
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="net-libs/libmnl"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	econf \
		--sbindir=/usr/bin \
		--disable-settype-modules \
		--disable-static \
		--with-kmod=no
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
