# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Hashing of passwords with modern and traditional methods"
HOMEPAGE="https://github.com/besser82/libxcrypt"
SRC_URI="mirror://debian/pool/main/libx/libxcrypt/libxcrypt_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="LGPL-2.1+ public-domain BSD BSD-2"
SLOT="0/2"
KEYWORDS="amd64"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
	dev-lang/perl
	virtual/pkgconfig
"

src_prepare() {
	default
	# A macro of libltdl; no symbol of an ELF system begins with an underscore of its own.
	sed -i 's/^LT_SYS_SYMBOL_USCORE$/AC_SUBST([sys_symbol_underscore], [no])/' configure.ac || die
	autoreconf -fi || die
}

src_configure() {
	# No binary of another system runs here, so glibc's old interfaces (libcrypt.so.1) are not needed.
	econf \
		--disable-failure-tokens \
		--disable-static \
		--disable-werror \
		--disable-xcrypt-compat-files \
		--enable-hashes=strong,glibc \
		--enable-obsolete-api=no
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
