# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Shows the system calls of a program"
HOMEPAGE="https://strace.io/"
# The tarball of Debian 12: the one of Debian 13 cannot be had everywhere.
SRC_URI="
	https://github.com/strace/strace/releases/download/v${PV}/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/s/strace/strace_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="LGPL-2.1+"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	# Since 2.41 the C library has a structure of this name.
	sed -i 's/struct sched_attr\b/struct strace_sched_attr/' src/sched.c src/sched_attr.h || die
}

src_configure() {
	export CC_FOR_BUILD="${BUILD_CC}" CPP_FOR_BUILD="${BUILD_CC} -E" CFLAGS_FOR_BUILD=-O1 LDFLAGS_FOR_BUILD=
	econf \
		--disable-gcc-Werror \
		--enable-bundled=yes \
		--enable-mpers=no \
		--without-libdw \
		--without-libiberty \
		--without-libselinux \
		--without-libunwind
}

src_install() {
	default
	rm -f "${ED}"/usr/bin/strace-log-merge || die
}
