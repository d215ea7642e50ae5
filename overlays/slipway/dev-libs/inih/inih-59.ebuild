# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Small library for .ini files"
HOMEPAGE="https://github.com/benhoyt/inih"
SRC_URI="mirror://debian/pool/main/libi/libinih/libinih_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
S="${WORKDIR}/inih-r${PV}"
LICENSE="BSD"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	local EMESONARGS=(
		-Ddefault_library=shared
		-Ddistro_install=true
		-Dwith_INIReader=false
	)
	meson_src_configure
}
