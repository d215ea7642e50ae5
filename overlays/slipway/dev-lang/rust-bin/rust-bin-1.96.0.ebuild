# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DEBIAN_PV="${PV}+dfsg1-1~deb13u1+b1"
LLVM_PV="22.1.8-1~deb13u5"

DESCRIPTION="Rust compiler and cargo for building components, as Debian builds them for browsers"
HOMEPAGE="https://www.rust-lang.org/"
SRC_URI="
	mirror://debian/pool/main/r/rustc-web/rustc-web_${DEBIAN_PV}_amd64.deb -> rustc-web-${PV}-amd64.deb
	mirror://debian/pool/main/r/rustc-web/cargo-web_${DEBIAN_PV}_amd64.deb -> cargo-web-${PV}-amd64.deb
	mirror://debian/pool/main/r/rustc-web/libstd-rust-web-dev_${DEBIAN_PV}_amd64.deb -> libstd-rust-web-dev-${PV}-amd64.deb
	mirror://debian/pool/main/r/rustc-web/libstd-rust-web-1.96_${DEBIAN_PV}_amd64.deb -> libstd-rust-web-${PV}-amd64.deb
	mirror://debian/pool/main/l/llvm-toolchain-22/libllvm22_${LLVM_PV}_amd64.deb -> libllvm-${LLVM_PV%%-*}-amd64.deb
"
S="${WORKDIR}"
LICENSE="|| ( MIT Apache-2.0 ) Apache-2.0-with-LLVM-exceptions"
SLOT="0"
KEYWORDS="amd64"
# A tool of the build machine: it runs on the SDK's libraries, and is never part of an image. Debian has stripped it.
RESTRICT="strip"
QA_PREBUILT="*"

src_unpack() {
	local archive
	for archive in ${A}; do
		dpkg-deb --fsys-tarfile "${DISTDIR}/${archive}" | tar -x --no-same-owner -f - || die "cannot unpack ${archive}"
	done
}

src_install() {
	local prefix=/usr/lib/rust-bin debian=usr/lib/x86_64-linux-gnu
	# Only the compiler itself needs LLVM and its own libraries, and nothing but it may find them.
	patchelf --force-rpath --set-rpath '$ORIGIN/../lib' usr/bin/rustc || die
	exeinto ${prefix}/bin
	doexe usr/bin/{cargo,rustc}
	exeinto ${prefix}/lib
	doexe ${debian}/librustc_driver-*.so ${debian}/libLLVM.so.*
	insinto ${prefix}/lib/rustlib/x86_64-unknown-linux-gnu/lib
	doins usr/lib/rustlib/x86_64-unknown-linux-gnu/lib/*
}
