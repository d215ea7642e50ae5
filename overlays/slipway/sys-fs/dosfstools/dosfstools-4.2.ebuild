# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools to make and check FAT file systems"
HOMEPAGE="https://github.com/dosfstools/dosfstools"
SRC_URI="
	https://github.com/dosfstools/dosfstools/releases/download/v${PV}/${P}.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/d/dosfstools/dosfstools_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf \
		--sbindir=/usr/bin \
		--disable-rpath \
		--enable-compat-symlinks \
		--without-iconv
}
