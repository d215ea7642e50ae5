# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Packet filter and address translation: iptables and ip6tables"
HOMEPAGE="https://www.netfilter.org/projects/iptables/"
SRC_URI="
	https://www.netfilter.org/projects/iptables/files/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/i/iptables/iptables_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2+"
SLOT="0/12"
KEYWORDS="amd64"
BDEPEND="virtual/pkgconfig"

src_configure() {
	# The programs that speak to nf_tables need libmnl and libnftnl, which are not built here yet.
	# These speak to the kernel's own tables, as container software has always done.
	econf \
		--sbindir=/usr/bin \
		--disable-bpf-compiler \
		--disable-connlabel \
		--disable-libipq \
		--disable-libnfnetlink \
		--disable-nfsynproxy \
		--disable-nftables \
		--disable-static \
		--with-xtlibdir=/usr/lib/xtables
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# Scripts around files in /etc/network, which is not here.
	rm "${ED}"/usr/bin/ip{,6}tables-apply || die
}
