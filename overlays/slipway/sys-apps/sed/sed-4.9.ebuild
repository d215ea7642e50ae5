# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="2+deb13u1"
DESCRIPTION="Stream editor"
HOMEPAGE="https://www.gnu.org/software/sed/"
SRC_URI="
	mirror://debian/pool/main/s/sed/sed_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/s/sed/sed_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
DEBIAN_PATCHES=( '*CVE-*' )

src_configure() {
	econf --disable-acl --disable-nls --without-selinux
}
