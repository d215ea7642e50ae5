# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="9"
DESCRIPTION="Tools for processes: ps, top, free, kill, sysctl, and others"
HOMEPAGE="https://gitlab.com/procps-ng/procps"
SRC_URI="
	mirror://debian/pool/main/p/procps/procps_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/p/procps/procps_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/${PN}-ng-${PV}"
LICENSE="GPL-2+ LGPL-2.1+"
SLOT="0/0"
KEYWORDS="amd64"
DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"
# Fixes of the development branch.
DEBIAN_PATCHES=( ps_no_path_max pmap_test kill_negative_pids )

src_prepare() {
	debian-patches_src_prepare
	# Our curses is the wide one, and has no folder of its own.
	sed -i 's:<ncursesw/ncurses.h>:<ncurses.h>:' src/watch.c || die
}

src_configure() {
	export ac_cv_func_malloc_0_nonnull=yes ac_cv_func_realloc_0_nonnull=yes
	econf \
		--disable-modern-top \
		--disable-nls \
		--disable-w \
		--enable-watch8bit \
		--sbindir=/usr/bin \
		--with-ncurses \
		--without-systemd
}

src_install() {
	default
	rm -rf "${ED}"/etc "${ED}"/usr/share/locale || die
	find "${ED}" -name '*.la' -delete || die
}
