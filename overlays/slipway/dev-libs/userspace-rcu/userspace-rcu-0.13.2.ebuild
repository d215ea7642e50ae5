# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library for read-copy-update in user space"
HOMEPAGE="https://liburcu.org/"
SRC_URI="
	https://lttng.org/files/urcu/${P}.tar.bz2 -> ${P}.debian.orig.tar.bz2
	mirror://debian/pool/main/libu/liburcu/liburcu_${PV}.orig.tar.bz2 -> ${P}.debian.orig.tar.bz2
"
LICENSE="LGPL-2.1+ MIT"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
