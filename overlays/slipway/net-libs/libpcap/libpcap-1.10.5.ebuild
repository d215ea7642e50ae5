# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library to capture network packets"
HOMEPAGE="https://www.tcpdump.org/"
SRC_URI="
	https://www.tcpdump.org/release/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/libp/libpcap/libpcap_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="
	sys-devel/bison
	sys-devel/flex
	virtual/pkgconfig
"

src_configure() {
	econf \
		--disable-bluetooth \
		--disable-dbus \
		--disable-netmap \
		--disable-rdma \
		--disable-remote \
		--disable-usb \
		--enable-shared \
		--without-dag \
		--without-dpdk \
		--without-libnl \
		--without-septel \
		--without-snf \
		--without-turbocap \
		--with-pcap=linux
}

src_install() {
	default
	# Users find the library with pkg-config.
	rm "${ED}"/usr/lib/libpcap.a "${ED}"/usr/bin/pcap-config || die
}
