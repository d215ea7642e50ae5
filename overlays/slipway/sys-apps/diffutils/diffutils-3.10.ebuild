# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools to compare files"
HOMEPAGE="https://www.gnu.org/software/diffutils/"
SRC_URI="mirror://debian/pool/main/d/diffutils/diffutils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	export gl_cv_func_strcasecmp_works=yes
	econf --disable-nls
}
