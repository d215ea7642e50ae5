# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Basic tools of a Linux system, with libblkid, libfdisk, libmount, libsmartcols and libuuid"
HOMEPAGE="https://github.com/util-linux/util-linux"
SRC_URI="mirror://debian/pool/main/u/util-linux/util-linux_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-2 GPL-2+ GPL-3+ LGPL-2.1+ BSD public-domain"
SLOT="0"
KEYWORDS="amd64"
# Neither libudev nor libsystemd: both are built with libmount.
DEPEND="
	sys-libs/libxcrypt:=
	sys-libs/pam
"
RDEPEND="${DEPEND}"

src_configure() {
	# Passwords and accounts are the shadow package's, kill is procps's.
	econf \
		--bindir=/usr/bin \
		--sbindir=/usr/bin \
		--localstatedir=/var \
		--runstatedir=/run \
		--enable-fs-paths-default=/usr/bin \
		--enable-usrdir-path \
		--disable-asciidoc \
		--disable-bash-completion \
		--disable-bfs \
		--disable-cal \
		--disable-chfn-chsh \
		--disable-cramfs \
		--disable-eject \
		--disable-gtk-doc \
		--disable-hwclock-gplv3 \
		--disable-kill \
		--disable-liblastlog2 \
		--disable-makeinstall-chown \
		--disable-minix \
		--disable-nls \
		--disable-pam-lastlog2 \
		--disable-poman \
		--disable-pylibmount \
		--disable-raw \
		--disable-rpath \
		--disable-static \
		--disable-use-tty-group \
		--disable-uuidd \
		--without-audit \
		--without-btrfs \
		--without-cap-ng \
		--without-cryptsetup \
		--without-econf \
		--without-libmagic \
		--without-libz \
		--without-ncursesw \
		--without-python \
		--without-readline \
		--without-selinux \
		--without-systemd \
		--without-tinfo \
		--without-udev \
		--without-user \
		--without-utempter
}

src_compile() {
	emake usrsbin_execdir=/usr/bin
}

src_install() {
	emake DESTDIR="${D}" usrsbin_execdir=/usr/bin install
	find "${ED}" -name '*.la' -delete || die
	rm -rf "${ED}"/usr/share/doc || die
}
