# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="libsystemd and libudev, apart from systemd because much of what systemd needs is built with them"
HOMEPAGE="https://systemd.io/"
SRC_URI="mirror://debian/pool/main/s/systemd/systemd_${PV}.orig.tar.gz -> systemd-${PV}.debian.orig.tar.gz"
S="${WORKDIR}/systemd-${PV}"
LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0"
KEYWORDS="amd64"
# libmount and libcap are what the build asks for.
DEPEND="
	app-arch/xz-utils:=
	app-arch/zstd:=
	sys-apps/util-linux
	sys-libs/libcap:=
"
RDEPEND="
	app-arch/xz-utils:=
	app-arch/zstd:=
	sys-libs/libcap:=
"
BDEPEND="
	dev-lang/python
	dev-python/jinja2
	dev-util/gperf
"

# The build runs the first python3 of PATH. That is Portage's own one, which has no further modules.
_with_python() {
	mkdir -p "${T}/python" || die
	ln -snf /usr/bin/python3 "${T}/python/python3" || die
	local -x PATH=${T}/python:${PATH}
	"$@"
}

src_prepare() {
	default
	# Of the library for systemd's own programs, two hundred files, libudev uses two.
	local shared="files('src/shared/device-nodes.c', 'src/shared/udev-util.c')"
	sed -i -e "/^libudev = shared_library(/i libudev_shared = static_library('udev-shared', ${shared}, include_directories : includes, dependencies : userspace, c_args : ['-fvisibility=default'], build_by_default : false)\n" \
		-e '/^libudev = shared_library(/,/install_dir/s/libshared_static/libudev_shared/' meson.build || die
	grep -q 'link_with : \[libsystemd_static, libudev_shared\]' meson.build || die
}

src_configure() {
	local EMESONARGS=(
		--auto-features=disabled
		-Dmode=release
		-Dversion-tag=${PV}
		-Dshared-lib-tag=${PV}
		-Dvcs-tag=false
		-Dtime-epoch=1735689600
		-Dsplit-bin=false
		-Dstatic-libsystemd=false
		-Dstatic-libudev=false
		-Dtests=false
		-Dfuzz-tests=false
		-Dtranslations=false
		-Dsysvinit-path=
		-Dsysvrcnd-path=
		-Drpmmacrosdir=no
		-Dsshconfdir=no
		-Dsshdconfdir=no
		-Dshellprofiledir=no
		-Ddbuspolicydir=/usr/share/dbus-1/system.d
		-Ddefault-compression=zstd
		-Dxz=enabled
		-Dzstd=enabled
	)
	_with_python meson_src_configure
}

src_compile() {
	_with_python meson_src_compile libsystemd libudev devel
}

src_install() {
	_with_python meson_src_install --tags libsystemd,libudev,devel
}
