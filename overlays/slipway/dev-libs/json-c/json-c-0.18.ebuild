# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="JSON implementation in C"
HOMEPAGE="https://github.com/json-c/json-c/wiki"
SRC_URI="mirror://debian/pool/main/j/json-c/json-c_${PV}+ds.orig.tar.xz -> ${P}.debian.orig.tar.xz"
S="${WORKDIR}/json-c-json-c-0.18-20240915"
LICENSE="MIT"
SLOT="0/5"
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
		-DBUILD_APPS=OFF \
		-DBUILD_SHARED_LIBS=ON \
		-DBUILD_STATIC_LIBS=OFF \
		-DBUILD_TESTING=OFF \
		-DDISABLE_EXTRA_LIBS=ON \
		-DDISABLE_WERROR=ON || die
}

src_compile() {
	ninja -v ${MAKEOPTS} -C "${WORKDIR}/build" || die
}

src_install() {
	DESTDIR=${D} ninja -C "${WORKDIR}/build" install || die
}
