# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tool for the settings of network drivers and cards"
HOMEPAGE="https://www.kernel.org/pub/software/network/ethtool/"
SRC_URI="
	https://www.kernel.org/pub/software/network/ethtool/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/e/ethtool/ethtool_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="virtual/pkgconfig"

src_configure() {
	# Netlink needs libmnl, which is not built here yet; ioctls do the rest.
	econf \
		--sbindir=/usr/bin \
		--disable-netlink \
		--with-bash-completion-dir=no
}
