# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Shows the packets on a network"
HOMEPAGE="https://www.tcpdump.org/"
# Debian 13 has a version before this one; the tarball is upstream's own.
SRC_URI="
	https://www.tcpdump.org/release/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/t/tcpdump/tcpdump_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"
DEPEND="net-libs/libpcap"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	econf \
		--disable-local-libpcap \
		--disable-smb \
		--without-cap-ng \
		--without-crypto \
		--without-smi
}

src_install() {
	dobin tcpdump
}
