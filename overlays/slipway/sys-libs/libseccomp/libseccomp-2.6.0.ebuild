# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Library for the kernel's filters of system calls"
HOMEPAGE="https://github.com/seccomp/libseccomp"
SRC_URI="mirror://debian/pool/main/libs/libseccomp/libseccomp_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="LGPL-2.1"
SLOT="0/2"
KEYWORDS="amd64"
BDEPEND="dev-util/gperf"

src_configure() {
	econf --disable-python --disable-static
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
