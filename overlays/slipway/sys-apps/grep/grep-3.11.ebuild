# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Searches texts for patterns"
HOMEPAGE="https://www.gnu.org/software/grep/"
SRC_URI="mirror://debian/pool/main/g/grep/grep_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-nls --disable-perl-regexp
}
