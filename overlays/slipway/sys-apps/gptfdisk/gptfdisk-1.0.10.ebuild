# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools for GPT partition tables"
HOMEPAGE="https://www.rodsbooks.com/gdisk/"
SRC_URI="mirror://debian/pool/main/g/gdisk/gdisk_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/popt
	sys-apps/util-linux
"
RDEPEND="${DEPEND}"

src_compile() {
	emake TARGET=linux CXX="${CXX}" gdisk sgdisk
}

src_install() {
	dobin gdisk sgdisk
	doman gdisk.8 sgdisk.8
}
