# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools for the kernel's connection tracking table"
HOMEPAGE="https://www.netfilter.org/projects/conntrack-tools/"
SRC_URI="
	https://www.netfilter.org/pub/conntrack-tools/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/c/conntrack-tools/conntrack-tools_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	net-libs/libmnl
	net-libs/libnetfilter_conntrack
	net-libs/libnfnetlink
"
RDEPEND="${DEPEND}"
BDEPEND="
	sys-devel/bison
	sys-devel/flex
	virtual/pkgconfig
"

src_configure() {
	# The configure script wants RPC headers also when the helpers that use them are left out.
	export LIBTIRPC_CFLAGS=" " LIBTIRPC_LIBS=" "
	econf \
		--sbindir=/usr/bin \
		--disable-cthelper \
		--disable-cttimeout \
		--disable-systemd
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# Without helpers and timeouts nfct can do nothing.
	rm -f "${ED}"/usr/bin/nfct || die
}
