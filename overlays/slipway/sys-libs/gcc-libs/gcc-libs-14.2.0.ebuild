# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Run-time libraries of the SDK's compiler"
HOMEPAGE="https://gcc.gnu.org/"
S="${WORKDIR}"
LICENSE="GPL-3-with-gcc-exception"
SLOT="0"
KEYWORDS="amd64"
RDEPEND="sys-libs/glibc"
# Debian has stripped them.
RESTRICT="strip"

src_install() {
	local from=/opt/toolchain/runtime
	exeinto /usr/lib
	doexe "${from}"/lib{gcc_s.so.1,stdc++.so.6,atomic.so.1,gomp.so.1}
	local library
	for library in stdc++.so.6 atomic.so.1 gomp.so.1; do
		dosym "lib${library}" "/usr/lib/lib${library%%.so.*}.so"
	done
	dosym libgcc_s.so.1 /usr/lib/libgcc_s.so
	insinto /usr/lib
	doins "${from}"/lib{stdc++,supc++}.a
}
