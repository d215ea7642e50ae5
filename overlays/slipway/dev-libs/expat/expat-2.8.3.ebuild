# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Stream-oriented XML parser"
HOMEPAGE="https://libexpat.github.io/"
SRC_URI="mirror://debian/pool/main/e/expat/expat_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
S="${WORKDIR}/libexpat-R_${PV//./_}/expat"
LICENSE="MIT"
SLOT="0/1"
KEYWORDS="amd64"
BDEPEND="
	dev-build/cmake
	dev-build/ninja
"

src_configure() {
	cmake -G Ninja -S "${S}" -B "${WORKDIR}/build" \
		-DCMAKE_TOOLCHAIN_FILE=/opt/toolchain/share/toolchain.cmake \
		-DCMAKE_BUILD_TYPE=None \
		-DCMAKE_INSTALL_PREFIX=/usr \
		-DCMAKE_INSTALL_LIBDIR=lib \
		-DEXPAT_BUILD_DOCS=OFF \
		-DEXPAT_BUILD_EXAMPLES=OFF \
		-DEXPAT_BUILD_TESTS=OFF \
		-DEXPAT_BUILD_TOOLS=OFF \
		-DEXPAT_SHARED_LIBS=ON || die
}

src_compile() {
	ninja -v ${MAKEOPTS} -C "${WORKDIR}/build" || die
}

src_install() {
	DESTDIR=${D} ninja -C "${WORKDIR}/build" install || die
}
