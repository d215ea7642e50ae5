# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Basic tools for files, texts and shells"
HOMEPAGE="https://www.gnu.org/software/coreutils/"
SRC_URI="
	https://ftp.gnu.org/gnu/coreutils/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/c/coreutils/coreutils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="dev-lang/perl"

src_configure() {
	# configure would not be run by root.
	export FORCE_UNSAFE_CONFIGURE=1
	# kill and uptime come from procps. One program with many names is much smaller than a hundred programs.
	econf \
		--disable-acl \
		--disable-libcap \
		--disable-nls \
		--disable-xattr \
		--enable-install-program=hostname \
		--enable-no-install-program=kill,uptime \
		--enable-single-binary=symlinks \
		--libexecdir=/usr/lib \
		--without-libgmp \
		--without-openssl \
		--without-selinux
}
