# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

NETBASE="netbase-6.5"
DESCRIPTION="Users, directories and defaults that make Slipway Linux out of its packages"
HOMEPAGE="https://tracker.debian.org/pkg/netbase"
SRC_URI="mirror://debian/pool/main/n/netbase/${NETBASE/-/_}.tar.xz"
S="${WORKDIR}"
LICENSE="Apache-2.0 GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	local units=/usr/lib/systemd/system
	insinto /
	doins -r "${FILESDIR}"/usr
	# What the numbers of ports and protocols are called.
	insinto /usr/share/factory/etc
	doins netbase*/etc/{protocols,services}
	exeinto /usr/lib/slipway
	doexe "${FILESDIR}"/boot-check
	exeinto /usr/lib/systemd/system-generators
	newexe "${FILESDIR}"/autologin-generator slipway-autologin-generator

	dosym ../slipway-boot-check.service ${units}/boot-complete.target.requires/slipway-boot-check.service
	dosym ../getty@.service ${units}/getty.target.wants/getty@tty1.service
	dosym ../remote-fs.target ${units}/multi-user.target.wants/remote-fs.target
	dosym ../slipway-boot-seed.service ${units}/multi-user.target.wants/slipway-boot-seed.service
	dosym ../slipway-small-memory.service ${units}/sysinit.target.wants/slipway-small-memory.service
	dosym ../systemd-networkd-wait-online.service ${units}/network-online.target.wants/systemd-networkd-wait-online.service
}
