# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Lists open files"
HOMEPAGE="https://github.com/lsof-org/lsof"
SRC_URI="mirror://debian/pool/main/l/lsof/lsof_${PV}+dfsg.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="lsof"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
"

src_prepare() {
	default
	autoreconf -fi || die
}

src_configure() {
	# The manual, which is not installed, is put together with a tool of groff's.
	mkdir "${T}"/bin || die
	ln -s /usr/bin/cat "${T}"/bin/soelim || die
	export PATH="${T}/bin:${PATH}"
	# What the program tells about its build.
	export LSOF_CCDATE=none LSOF_HOST=none LSOF_LOGNAME=none LSOF_SYSINFO=none LSOF_USER=none SOURCE_DATE_EPOCH
	econf --disable-liblsof --without-libtirpc --without-selinux
}

src_install() {
	emake DESTDIR="${D}" install
	find "${ED}" -name '*.la' -delete || die
	rm -rf "${ED}"/usr/share/doc || die
}
