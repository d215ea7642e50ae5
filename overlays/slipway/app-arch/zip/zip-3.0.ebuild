# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="15+deb13u1"
DESCRIPTION="Packs ZIP archives"
HOMEPAGE="https://infozip.sourceforge.net/Zip.html"
SRC_URI="
	mirror://debian/pool/main/z/zip/zip_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/z/zip/zip_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/zip30"
LICENSE="Info-ZIP"
SLOT="0"
KEYWORDS="amd64"
# The last release is of 2008; Debian maintains it.
DEBIAN_PATCHES=( '*' )

src_compile() {
	sh unix/configure "${CC}" "${CFLAGS} ${CPPFLAGS} -std=gnu89 -I. -DUNIX" || die
	emake -f unix/Makefile CC="${CC}" AS="${CC} -c" LFLAGS1="${LDFLAGS}" LFLAGS2="${LDFLAGS}" generic
}

src_install() {
	dobin zip
	newman man/zip.1 zip.1
}
