# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools for the kernel's packet filter, on top of nf_tables and of the legacy interface"
HOMEPAGE="https://www.netfilter.org/projects/iptables/"
SRC_URI="
	https://www.netfilter.org/pub/iptables/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/i/iptables/iptables_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	net-libs/libmnl
	net-libs/libnetfilter_conntrack
	net-libs/libnfnetlink
	net-libs/libnftnl
"
RDEPEND="${DEPEND}"
BDEPEND="
	sys-devel/bison
	sys-devel/flex
	virtual/pkgconfig
"

src_configure() {
	econf \
		--sbindir=/usr/bin \
		--with-xtlibdir=/usr/lib/xtables \
		--with-xt-lock-name=/run/xtables.lock \
		--enable-connlabel \
		--enable-libnfnetlink \
		--enable-nftables \
		--enable-shared \
		--disable-bpf-compiler \
		--disable-libipq \
		--disable-nfsynproxy \
		--disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# The plain names are the nf_tables ones; the legacy tools keep their own names.
	local tool action
	for tool in iptables ip6tables; do
		for action in "" -save -restore; do
			[[ -e ${ED}/usr/bin/${tool}-legacy${action} && -e ${ED}/usr/bin/${tool}-nft${action} ]] || die "no ${tool}${action}"
			dosym xtables-nft-multi "/usr/bin/${tool}${action}"
		done
	done
	for tool in arptables ebtables; do
		for action in "" -save -restore; do
			[[ -e ${ED}/usr/bin/${tool}-nft${action} ]] || die "no ${tool}-nft${action}"
			dosym xtables-nft-multi "/usr/bin/${tool}${action}"
		done
	done
	# Network protocol names; the path is fixed.
	dodir /usr/share/factory/etc
	mv "${ED}"/etc/ethertypes "${ED}"/usr/share/factory/etc/ || die
	rmdir "${ED}"/etc || die
	insinto /usr/lib/tmpfiles.d
	newins - iptables.conf <<-EOF
		L /etc/ethertypes - - - -
	EOF
}
