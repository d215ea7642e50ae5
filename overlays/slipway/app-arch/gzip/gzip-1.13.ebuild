# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="1+deb13u1"
DESCRIPTION="Compresses files with the deflate algorithm"
HOMEPAGE="https://www.gnu.org/software/gzip/"
SRC_URI="
	mirror://debian/pool/main/g/gzip/gzip_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/g/gzip/gzip_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
DEBIAN_PATCHES=( 'CVE-*' )

src_configure() {
	# What the scripts will run, on the target.
	export GREP=/usr/bin/grep ac_cv_prog_LESS=/usr/bin/less
	econf --disable-gcc-warnings
}

src_install() {
	default
	rm -f "${ED}"/usr/bin/uncompress || die
}
