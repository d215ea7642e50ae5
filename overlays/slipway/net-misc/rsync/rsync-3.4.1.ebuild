# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="5+deb13u4"
DESCRIPTION="Copies files to and from other machines"
HOMEPAGE="https://rsync.samba.org/"
SRC_URI="
	mirror://debian/pool/main/r/rsync/rsync_${PV}+ds1.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/r/rsync/rsync_${PV}+ds1-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/popt
	sys-libs/zlib:=
"
RDEPEND="${DEPEND}"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-lang/python
"
DEBIAN_PATCHES=( disable_reconfigure_req.diff '2026-05-20/*' 'CVE-*' )

src_configure() {
	# The tarball comes without the bundled libraries, but configure goes through their folders.
	mkdir -p popt zlib || die
	touch popt/dummy.in zlib/dummy.in || die
	# Patches touch configure.ac; what is generated from it is as they want it.
	touch aclocal.m4 config.h.in configure.sh proto.h proto.h-tstamp || die
	export rsync_cv_HAVE_SOCKETPAIR=yes rsync_cv_chown_modifies_symlink=yes rsync_cv_HAVE_SECURE_MKSTEMP=yes
	export rsync_cv_can_hardlink_special=yes rsync_cv_can_hardlink_symlink=yes
	econf \
		--disable-acl-support \
		--disable-debug \
		--disable-locale \
		--disable-lz4 \
		--disable-md2man \
		--disable-openssl \
		--disable-xxhash \
		--disable-zstd \
		--with-nobody-group=nobody \
		--with-rsyncd-conf=/etc/rsyncd.conf \
		--without-included-popt \
		--without-included-zlib
}

src_install() {
	emake DESTDIR="${D}" install
	rm -f "${ED}"/usr/bin/rsync-ssl || die
}
