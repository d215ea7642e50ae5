# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools to make, grow, check and repair XFS file systems"
HOMEPAGE="https://xfs.wiki.kernel.org/"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/fs/xfs/xfsprogs/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/x/xfsprogs/xfsprogs_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2 LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/inih
	dev-libs/userspace-rcu
	sys-apps/util-linux
"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	export BUILD_CFLAGS="-O1 -std=gnu11"
	export DEBUG=-DNDEBUG OPTIMIZER=
	econf \
		--sbindir=/usr/bin \
		--libexecdir=/usr/lib \
		--disable-lib64 \
		--enable-editline=no \
		--enable-gettext=no \
		--enable-libicu=no \
		--enable-lto=no \
		--enable-scrub=no \
		--with-crond-dir=no \
		--with-systemd-unit-dir=no \
		--with-udev-rule-dir=no
}

src_install() {
	# Without scrub the Makefile finds nothing to do for its units.
	emake DIST_ROOT="${D}" install
	find "${ED}" -name '*.la' -delete || die
	# Scripts in Python.
	rm -f "${ED}"/usr/bin/xfs_{protofile,scrub_all} || die
}
