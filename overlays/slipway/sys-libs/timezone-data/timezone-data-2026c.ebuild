# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Time zones of the world"
HOMEPAGE="https://www.iana.org/time-zones"
SRC_URI="mirror://debian/pool/main/t/tzdata/tzdata_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
S="${WORKDIR}"
LICENSE="public-domain"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	local LC_ALL=C
	zic -b slim -d zoneinfo africa antarctica asia australasia europe northamerica southamerica etcetera factory backward || die
}

src_install() {
	insinto /usr/share
	doins -r zoneinfo
	insinto /usr/share/zoneinfo
	doins iso3166.tab zone.tab zone1970.tab
	doins leap-seconds.list
}
