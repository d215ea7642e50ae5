# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Minimal library for netlink messages"
HOMEPAGE="https://www.netfilter.org/projects/libmnl/"
SRC_URI="
	https://www.netfilter.org/pub/libmnl/libmnl-${PV}.tar.bz2 -> ${P}.debian.orig.tar.bz2
	mirror://debian/pool/main/libm/libmnl/libmnl_${PV}.orig.tar.bz2 -> ${P}.debian.orig.tar.bz2
"
LICENSE="LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf \
		--disable-static \
		--without-doxygen
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
