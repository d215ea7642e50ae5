# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Low-level library for netfilter's netlink messages"
HOMEPAGE="https://www.netfilter.org/projects/libnfnetlink/"
SRC_URI="
	https://www.netfilter.org/pub/libnfnetlink/libnfnetlink-${PV}.tar.bz2 -> ${P}.debian.orig.tar.bz2
	mirror://debian/pool/main/libn/libnfnetlink/libnfnetlink_${PV}.orig.tar.bz2 -> ${P}.debian.orig.tar.bz2
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
