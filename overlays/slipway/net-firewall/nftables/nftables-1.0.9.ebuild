# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tool for the kernel's nf_tables packet filter"
HOMEPAGE="https://www.netfilter.org/projects/nftables/"
SRC_URI="https://www.netfilter.org/pub/nftables/${P}.tar.xz"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/jansson
	net-libs/libmnl
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
		--disable-debug \
		--disable-man-doc \
		--disable-static \
		--with-json \
		--with-mini-gmp \
		--without-cli \
		--without-xtables
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# What nft looks for in /etc comes from the factory directory.
	dodir /usr/share/factory/etc
	mv "${ED}"/etc/nftables "${ED}"/usr/share/factory/etc/ || die
	rm -r "${ED}"/etc "${ED}"/usr/share/nftables || die
	insinto /usr/lib/tmpfiles.d
	newins - nftables.conf <<-EOF
		L /etc/nftables/osf - - - -
	EOF
	insinto /usr/lib/systemd/system
	doins "${FILESDIR}"/nftables.service
}
