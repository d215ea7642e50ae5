# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="fuser, killall, pstree"
HOMEPAGE="https://gitlab.com/psmisc/psmisc"
SRC_URI="mirror://debian/pool/main/p/psmisc/psmisc_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

src_configure() {
	export ac_cv_func_malloc_0_nonnull=yes ac_cv_func_realloc_0_nonnull=yes
	econf --disable-nls --disable-selinux --disable-apparmor
}

src_install() {
	default
	rm -f "${ED}"/usr/bin/{peekfd,pslog} || die
}
