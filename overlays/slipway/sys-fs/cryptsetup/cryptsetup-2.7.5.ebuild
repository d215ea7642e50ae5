# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Encryption, integrity and verity of block devices"
HOMEPAGE="https://gitlab.com/cryptsetup/cryptsetup"
SRC_URI="mirror://debian/pool/main/c/cryptsetup/cryptsetup_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="GPL-2+ LGPL-2.1+"
SLOT="0/12"
KEYWORDS="amd64"
DEPEND="
	dev-libs/json-c:=
	dev-libs/openssl:=
	dev-libs/popt
	sys-apps/util-linux
	sys-fs/lvm2
"
RDEPEND="${DEPEND}"

src_configure() {
	# Argon2 is openssl's.
	local EMESONARGS=(
		--sbindir=bin
		-Dasciidoc=disabled
		-Dblkid=true
		-Dcrypto-backend=openssl
		-Dfips=false
		-Dnls=false
		-Dssh-token=false
		-Dtmpfilesdir=/usr/lib/tmpfiles.d
		-Dudev=true
	)
	meson_src_configure
}

src_install() {
	meson_src_install
	# Its own file has the mode as a decimal number, which systemd-tmpfiles refuses.
	insinto /usr/lib/tmpfiles.d
	newins - cryptsetup.conf <<< "d /run/cryptsetup 0700 root root -"
}
