# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Compresses files with the Burrows-Wheeler transform"
HOMEPAGE="https://sourceware.org/bzip2/"
SRC_URI="mirror://debian/pool/main/b/bzip2/bzip2_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="BZIP2"
SLOT="0/1"
KEYWORDS="amd64"

src_compile() {
	# Upstream's Makefile for the library forgets the linker's flags and links the program statically.
	local objects=( blocksort huffman crctable randtable compress decompress bzlib ) object
	for object in "${objects[@]}"; do
		${CC} ${CPPFLAGS} -D_FILE_OFFSET_BITS=64 ${CFLAGS} -fPIC -c "${object}.c" || die
	done
	${CC} ${CFLAGS} ${LDFLAGS} -shared -Wl,-soname,libbz2.so.1 -o "libbz2.so.${PV}" "${objects[@]/%/.o}" || die
	ln -s "libbz2.so.${PV}" libbz2.so || die
	ln -s "libbz2.so.${PV}" libbz2.so.1 || die
	${CC} ${CPPFLAGS} -D_FILE_OFFSET_BITS=64 ${CFLAGS} ${LDFLAGS} -o bzip2 bzip2.c -L. -lbz2 || die
}

src_install() {
	dobin bzip2 bzdiff bzgrep bzmore
	dosym bzip2 /usr/bin/bunzip2
	dosym bzip2 /usr/bin/bzcat
	dosym bzdiff /usr/bin/bzcmp
	exeinto /usr/lib
	doexe "libbz2.so.${PV}"
	dosym "libbz2.so.${PV}" /usr/lib/libbz2.so.1
	# The name in Debian's and Fedora's programs.
	dosym "libbz2.so.${PV}" /usr/lib/libbz2.so.1.0
	dosym "libbz2.so.${PV}" /usr/lib/libbz2.so
	doheader bzlib.h
	insinto /usr/lib/pkgconfig
	newins - bzip2.pc <<-EOF
		prefix=/usr
		libdir=\${prefix}/lib
		includedir=\${prefix}/include

		Name: bzip2
		Description: Lossless, block-sorting data compression
		Version: ${PV}
		Libs: -L\${libdir} -lbz2
		Cflags: -I\${includedir}
	EOF
}
