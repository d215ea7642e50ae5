# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tool to boot a kernel from a running one"
HOMEPAGE="https://kernel.org/pub/linux/utils/kernel/kexec/"
SRC_URI="
	https://www.kernel.org/pub/linux/utils/kernel/kexec/${P}.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/k/kexec-tools/kexec-tools_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/zlib"
RDEPEND="${DEPEND}"

src_configure() {
	econf \
		--sbindir=/usr/bin \
		--with-zlib \
		--without-lzma \
		--without-xen
}

src_install() {
	default
	# A test program of the build.
	rm -rf "${ED}"/usr/lib/kexec-tools || die
}
