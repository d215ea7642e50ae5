# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Tools and library for modules of the kernel"
HOMEPAGE="https://github.com/kmod-project/kmod"
SRC_URI="mirror://debian/pool/main/k/kmod/kmod_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="LGPL-2.1+ GPL-2+"
SLOT="0/2"
KEYWORDS="amd64"
DEPEND="
	app-arch/xz-utils:=
	app-arch/zstd:=
"
RDEPEND="${DEPEND}"

src_configure() {
	local EMESONARGS=(
		-Dbashcompletiondir=no
		-Dbuild-tests=false
		-Ddlopen=[]
		-Ddocs=false
		-Dfishcompletiondir=no
		-Dlogging=true
		-Dmanpages=false
		-Dmoduledir=/usr/lib/modules
		-Dopenssl=disabled
		-Dtools=true
		-Dxz=enabled
		-Dzlib=disabled
		-Dzshcompletiondir=no
		-Dzstd=enabled
		--sbindir=bin
	)
	meson_src_configure
}
