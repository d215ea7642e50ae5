# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools and library for access control lists of files"
HOMEPAGE="https://savannah.nongnu.org/projects/acl"
SRC_URI="mirror://debian/pool/main/a/acl/acl_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-apps/attr"
RDEPEND="sys-apps/attr"

src_configure() {
	econf --disable-nls --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
