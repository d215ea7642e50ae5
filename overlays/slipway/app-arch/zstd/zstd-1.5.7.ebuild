# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Fast lossless compression"
HOMEPAGE="https://facebook.github.io/zstd/"
SRC_URI="mirror://debian/pool/main/libz/libzstd/libzstd_${PV}+dfsg.orig.tar.xz -> ${P}.debian.orig.tar.xz"
S="${WORKDIR}/${P}/build/meson"
LICENSE="|| ( BSD GPL-2 )"
SLOT="0/1"
KEYWORDS="amd64"

src_configure() {
	local EMESONARGS=(
		-Dbacktrace=disabled
		-Dbin_contrib=false
		-Dbin_programs=true
		-Dbin_tests=false
		-Ddefault_library=shared
		-Dlegacy_level=0
		-Dlz4=disabled
		-Dlzma=disabled
		-Dzlib=disabled
	)
	meson_src_configure
}
