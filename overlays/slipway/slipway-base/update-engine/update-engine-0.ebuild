# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit slipway-cargo

DESCRIPTION="Update agent of Slipway Linux"
# The project has no page of its own yet.
HOMEPAGE="https://slipway.invalid/"
LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	app-arch/zstd:=
"
RDEPEND="
	app-arch/zstd:=
	app-misc/ca-certificates
	slipway-base/baselayout
	sys-apps/dbus-broker
	sys-libs/gcc-libs
	sys-libs/glibc
"

SLIPWAY_CARGO_FAST=( sha2 slipway-payload )

src_install() {
	local units=/usr/lib/systemd/system
	slipway-cargo_src_install
	# As it is called elsewhere.
	dosym update-engine-client /usr/bin/update_engine_client

	cd "$(slipway-cargo_dir)/dist" || die
	insinto ${units}
	doins -r *.service *.timer *.target.d
	dosym ../update-engine.service ${units}/multi-user.target.wants/update-engine.service
	dosym ../slipway-health.service ${units}/boot-complete.target.requires/slipway-health.service
	dosym ../slipway-trial-deadline.timer ${units}/timers.target.wants/slipway-trial-deadline.timer
	insinto /usr/share/dbus-1/system.d
	doins com.coreos.update1.conf
	insinto /usr/lib/tmpfiles.d
	newins update-engine.tmpfiles.conf update-engine.conf
}
