# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library and tool for the kernel's device mapper, without the volume manager"
HOMEPAGE="https://sourceware.org/lvm2/"
SRC_URI="mirror://debian/pool/main/l/lvm2/lvm2_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
S="${WORKDIR}/LVM2.${PV}"
LICENSE="GPL-2 LGPL-2.1"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/libsystemd"
RDEPEND="${DEPEND}"
BDEPEND="virtual/pkgconfig"

src_configure() {
	# libaio is asked for by the volume manager only.
	local -x ac_cv_func_malloc_0_nonnull=yes ac_cv_func_realloc_0_nonnull=yes ac_cv_lib_aio_io_setup=yes
	# There is no configuration of the volume manager.
	econf \
		--sbindir=/usr/bin \
		--localstatedir=/var \
		--with-confdir=/usr/share/lvm \
		--with-staticdir=/usr/bin \
		--with-systemdsystemunitdir=/usr/lib/systemd/system \
		--with-tmpfilesdir=/usr/lib/tmpfiles.d \
		--with-udevdir=/usr/lib/udev/rules.d \
		--with-usrlibdir=/usr/lib \
		--with-usrsbindir=/usr/bin \
		--with-default-dm-run-dir=/run \
		--with-default-run-dir=/run/lvm \
		--with-default-locking-dir=/run/lock/lvm \
		--with-default-pid-dir=/run \
		--with-cache=none \
		--with-integrity=none \
		--with-mirrors=none \
		--with-snapshots=none \
		--with-thin=none \
		--with-udev \
		--with-vdo=none \
		--with-writecache=none \
		--without-blkid \
		--without-libnvme \
		--without-systemd \
		--enable-pkgconfig \
		--enable-udev_rules \
		--enable-udev_sync \
		--disable-readline \
		--disable-selinux
}

src_compile() {
	emake device-mapper
}

src_install() {
	# The library is linked anew while it is installed, and dmsetup links against it.
	emake -j1 DESTDIR="${D}" install_device-mapper
}
