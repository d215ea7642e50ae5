# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="2"
DESCRIPTION="The AWK language"
HOMEPAGE="https://www.gnu.org/software/gawk/"
SRC_URI="
	mirror://debian/pool/main/g/gawk/gawk_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/g/gawk/gawk_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="sys-devel/bison"
DEBIAN_PATCHES=( '0002-*' )

src_configure() {
	econf \
		--disable-extensions \
		--disable-mpfr \
		--disable-nls \
		--disable-pma \
		--without-mpfr \
		--without-readline
}

src_compile() {
	# Debian's tarball leaves out the manual for its licence.
	emake SUBDIRS="support ."
}

src_install() {
	emake DESTDIR="${D}" SUBDIRS="support ." install
	rm -rf "${ED}"/etc "${ED}"/usr/bin/gawkbug "${ED}"/usr/bin/gawk-[0-9]* "${ED}"/usr/include || die
}
