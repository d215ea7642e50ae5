# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools to list and set PCI devices"
HOMEPAGE="https://mj.ucw.cz/sw/pciutils/"
SRC_URI="mirror://debian/pool/main/p/pciutils/pciutils_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"

pciutils_make() {
	# The Makefile sets its own compiler: only the command line is stronger.
	emake \
		CC="${CC}" AR="${AR}" RANLIB="${RANLIB}" STRIP= \
		OPT="${CFLAGS}" LDFLAGS="${LDFLAGS}" \
		HOST="${CHOST%%-*}-linux" RELEASE=6.12 \
		PREFIX=/usr SBINDIR=/usr/bin MANDIR=/usr/share/man SHAREDIR=/usr/share IDSDIR=/usr/share/hwdata \
		DNS=no HWDB=no LIBKMOD=no SHARED=no ZLIB=no \
		"$@"
}

src_compile() {
	pciutils_make
}

src_install() {
	pciutils_make DESTDIR="${D}" install
	# The list of devices comes with the image.
	rm "${ED}"/usr/bin/update-pciids "${ED}"/usr/share/man/man8/update-pciids.8 || die
}
