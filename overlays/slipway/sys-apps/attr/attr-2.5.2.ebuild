# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools and library for extended attributes of files"
HOMEPAGE="https://savannah.nongnu.org/projects/attr"
SRC_URI="mirror://debian/pool/main/a/attr/attr_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	# The table of attributes that copies leave out (xattr.conf) is read from sysconfdir.
	econf --sysconfdir=/usr/lib --disable-nls --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
