# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="User-space headers of the Linux kernel"
HOMEPAGE="https://www.kernel.org/"
SRC_URI="mirror://debian/pool/main/l/linux/linux_${PV}.orig.tar.xz -> linux-${PV}.tar.xz"
S="${WORKDIR}/linux-${PV}"
LICENSE="GPL-2-with-linux-syscall-note"
SLOT="0"
KEYWORDS="amd64"
# Beside make: rsync, of the build machine. It is not named, because a package of the target has that name.

src_unpack() {
	# The headers are a small part of a large tarball.
	tar -xf "${DISTDIR}/linux-${PV}.tar.xz" -C "${WORKDIR}" \
		--exclude="*/Documentation" --exclude="*/drivers" --exclude="*/sound" --exclude="*/fs" --exclude="*/net" \
		--exclude="*/tools/testing" --exclude="*/tools/perf" --exclude="*/arch/[!x]*/*" || die
}

src_compile() {
	:
}

src_install() {
	emake ARCH=x86 HOSTCC="${BUILD_CC}" INSTALL_HDR_PATH="${ED}/usr" headers_install
	find "${ED}" '(' -name .install -o -name '*.cmd' ')' -delete || die
}
