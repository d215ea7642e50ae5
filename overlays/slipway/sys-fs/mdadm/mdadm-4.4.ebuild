# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tool for the kernel's software RAID"
HOMEPAGE="https://git.kernel.org/pub/scm/utils/mdadm/mdadm.git"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/raid/mdadm/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/m/mdadm/mdadm_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/libsystemd"
RDEPEND="${DEPEND}"

mdadm_make() {
	emake \
		CC="${CC}" CWFLAGS="-Wall -fPIE -fno-strict-overflow -fno-delete-null-pointer-checks -fwrapv" CXFLAGS="${CFLAGS}" \
		LDFLAGS="${LDFLAGS} -pie" COROSYNC=-DNO_COROSYNC DLM=-DNO_DLM CHECK_RUN_DIR=0 \
		BINDIR=/usr/bin LIB_DIR=/usr/lib/mdadm UDEVDIR=/usr/lib/udev SYSTEMD_DIR=/usr/lib/systemd/system \
		MAILCMD=/usr/bin/sendmail\ -t VERSION="${PV}" \
		"$@"
}

src_compile() {
	mdadm_make
}

src_install() {
	mdadm_make DESTDIR="${D}" install install-systemd
	# The regular check of arrays needs a script that upstream counts among its examples.
	rm "${ED}"/usr/lib/systemd/system/mdcheck_* || die
}
