# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Pager"
HOMEPAGE="https://www.greenwoodsoftware.com/less/"
SRC_URI="mirror://debian/pool/main/l/less/less_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="|| ( GPL-3 BSD-2 )"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

src_configure() {
	econf --with-editor=vi --with-regex=posix
}
