# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Parser of command lines"
HOMEPAGE="https://github.com/rpm-software-management/popt"
SRC_URI="mirror://debian/pool/main/p/popt/popt_${PV}+dfsg.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-nls --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
