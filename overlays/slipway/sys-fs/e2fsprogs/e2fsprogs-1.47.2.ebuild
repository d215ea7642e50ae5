# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="3"
DESCRIPTION="Tools for the file systems ext2, ext3 and ext4"
HOMEPAGE="https://e2fsprogs.sourceforge.net/"
SRC_URI="
	mirror://debian/pool/main/e/e2fsprogs/e2fsprogs_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/e/e2fsprogs/e2fsprogs_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="GPL-2 LGPL-2 BSD MIT"
SLOT="0/2"
KEYWORDS="amd64"
DEPEND="sys-apps/util-linux"
RDEPEND="${DEPEND}"
# Fixes of the maintenance branch for what is built here.
DEBIAN_PATCHES=( '0001-e2fsck-*' '0003-libext2fs-*' '0013-mke2fs-*' '0016-mke2fs-*' '0021-libext2fs-*' '0022-libext2fs-*' )

src_configure() {
	export BUILD_CC
	econf \
		--disable-e2initrd-helper \
		--disable-fsck \
		--disable-fuse2fs \
		--disable-libblkid \
		--disable-libuuid \
		--disable-nls \
		--disable-rpath \
		--disable-uuidd \
		--enable-elf-shlibs \
		--sbindir=/usr/bin \
		--with-crond-dir=no \
		--with-root-prefix=/usr \
		--with-systemd-unit-dir=no \
		--with-udev-rules-dir=no \
		--without-libarchive
}

src_compile() {
	emake root_sbindir=/usr/bin root_libdir=/usr/lib V=1
}

src_install() {
	# Side by side, the two targets write the same files.
	emake -j1 DESTDIR="${D}" root_sbindir=/usr/bin root_libdir=/usr/lib install install-libs
	find "${ED}" -name '*.a' -delete || die
	rm -rf "${ED}"/usr/bin/{compile_et,mk_cmds,e2scrub,e2scrub_all,mklost+found,filefrag.static} "${ED}"/usr/lib/e2fsprogs \
		"${ED}"/usr/share/{et,ss,locale} || die
	# Defaults are compiled in as well; a file in /etc is the administrator's.
	if [[ -d ${ED}/etc ]]; then
		insinto /usr/share/factory
		doins -r "${ED}"/etc
		rm -r "${ED}"/etc || die
		insinto /usr/lib/tmpfiles.d
		newins - e2fsprogs.conf <<-EOF
			C /etc/mke2fs.conf - - - -
		EOF
	fi
	rm -f "${ED}"/usr/share/factory/etc/e2scrub.conf || die
}
