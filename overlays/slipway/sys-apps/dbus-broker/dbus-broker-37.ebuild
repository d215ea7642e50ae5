# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Message bus of the D-Bus protocol, with the configuration and sockets of both standard buses"
HOMEPAGE="https://github.com/bus1/dbus-broker"
SRC_URI="mirror://debian/pool/main/d/dbus-broker/dbus-broker_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/expat
	sys-libs/libsystemd
"
RDEPEND="${DEPEND}"

src_configure() {
	local EMESONARGS=(
		-Dapparmor=false
		-Daudit=false
		-Ddefault_library=static
		-Ddocs=false
		-Dlauncher=true
		-Dlinux-4-17=true
		-Dselinux=false
		-Dtests=false
	)
	meson_src_configure
}

src_install() {
	meson_src_install --skip-subprojects
	# The folders of units, which pkg-config names as they are during the build.
	mkdir -p "${ED}"/usr/lib || die
	mv "${ED}"/sysroot/usr/lib/* "${ED}"/usr/lib/ || die
	rm -r "${ED}"/sysroot || die
	local scope
	for scope in system user; do
		insinto /usr/lib/systemd/${scope}
		newins "${FILESDIR}"/dbus-${scope}.socket dbus.socket
		dosym dbus-broker.service /usr/lib/systemd/${scope}/dbus.service
		dosym ../dbus.socket /usr/lib/systemd/${scope}/sockets.target.wants/dbus.socket
	done
	insinto /usr/share/dbus-1
	doins "${FILESDIR}"/{system,session}.conf
	keepdir /usr/share/dbus-1/{interfaces,services,session.d,system-services,system.d}
	insinto /usr/lib/sysusers.d
	doins "${FILESDIR}"/dbus.conf
}
