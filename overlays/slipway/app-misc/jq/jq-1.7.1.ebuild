# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="6+deb13u3"
DESCRIPTION="Command-line processor of JSON"
HOMEPAGE="https://jqlang.github.io/jq/"
SRC_URI="
	mirror://debian/pool/main/j/jq/jq_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/j/jq/jq_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/${PN}-${P}"
LICENSE="MIT CC-BY-3.0"
SLOT="0/1"
KEYWORDS="amd64"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
"
DEBIAN_PATCHES=( patch-version-into-build.patch 'CVE-*' 'GHSA-*' fix-abort-on-string-repeat-overflow.patch fix-invalid-jv-propagation.patch )

src_prepare() {
	debian-patches_src_prepare
	# Without the library of regular expressions.
	sed -i '/AC_CONFIG_SUBDIRS/d' configure.ac || die
	autoreconf -fi || die
}

src_configure() {
	econf --disable-docs --disable-maintainer-mode --disable-valgrind --without-oniguruma
}

src_install() {
	emake DESTDIR="${D}" install
	find "${ED}" -name '*.la' -delete || die
}
