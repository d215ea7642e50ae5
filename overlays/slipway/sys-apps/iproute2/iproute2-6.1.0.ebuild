# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools for network interfaces, routes and sockets: ip, ss, tc, bridge"
HOMEPAGE="https://wiki.linuxfoundation.org/networking/iproute2"
# The tarball of Debian 12: the one of Debian 13 cannot be had everywhere.
SRC_URI="
	https://www.kernel.org/pub/linux/utils/net/iproute2/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/i/iproute2/iproute2_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="
	sys-devel/bison
	sys-devel/flex
"

src_configure() {
	# Not an autoconf script. What the sysroot does not have is left out: libbpf, libcap, libelf, libmnl, SELinux, TIRPC.
	./configure --prefix=/usr --libdir=/usr/lib --libbpf_force=off || die
}

src_compile() {
	# The programs look up in themselves what a kind of link or queue has for options, so their symbols have to be found.
	emake \
		CC="${CC}" AR="${AR}" HOSTCC="${BUILD_CC}" CCOPTS="${CFLAGS} ${CPPFLAGS}" LDFLAGS="${LDFLAGS} -Wl,-export-dynamic" \
		SBINDIR=/usr/bin LIBDIR=/usr/lib NETNS_RUN_DIR=/run/netns SUBDIRS="lib ip tc bridge misc" V=1
}

src_install() {
	emake DESTDIR="${D}" SBINDIR=/usr/bin LIBDIR=/usr/lib SUBDIRS="lib ip tc bridge misc" install
	rm -rf "${ED}"/var "${ED}"/usr/bin/{arpd,ifcfg,ifstat,lnstat,ctstat,rtstat,routef,routel,rtpr,rtacct,rtmon} "${ED}"/usr/include \
		"${ED}"/usr/share/bash-completion || die
	insinto /usr/share/factory
	doins -r "${ED}"/etc
	rm -r "${ED}"/etc || die
	insinto /usr/lib/tmpfiles.d
	newins - iproute2.conf <<-EOF
		C /etc/iproute2 - - - -
	EOF
}
