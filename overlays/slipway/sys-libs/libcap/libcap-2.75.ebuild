# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="10+deb13u1"
DESCRIPTION="Tools and libraries for POSIX capabilities"
HOMEPAGE="https://sites.google.com/site/fullycapable/"
SRC_URI="
	mirror://debian/pool/main/libc/libcap2/libcap2_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/libc/libcap2/libcap2_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="BSD GPL-2"
SLOT="0/2"
KEYWORDS="amd64"
BDEPEND="virtual/pkgconfig"
DEBIAN_PATCHES=( 'Address-a-potential-TOCTOU-race-condition*' )

_libcap_make() {
	emake \
		AR="${AR}" BUILD_CC="${BUILD_CC}" BUILD_CFLAGS="-O1" CC="${CC}" OBJCOPY="${OBJCOPY}" RANLIB="${RANLIB}" \
		COPTS="${CFLAGS}" LDFLAGS="${LDFLAGS}" \
		prefix=/usr lib=lib SBINDIR=/usr/bin \
		DYNAMIC=yes GOLANG=no PAM_CAP=no SHARED=yes USE_GPERF=no "$@"
}

src_compile() {
	_libcap_make -C libcap all
	_libcap_make -C progs
}

src_install() {
	_libcap_make -C libcap DESTDIR="${D}" install
	_libcap_make -C progs DESTDIR="${D}" install
	rm "${ED}"/usr/lib/*.a || die
}
