# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="29+deb13u1"
DESCRIPTION="Unpacks ZIP archives"
HOMEPAGE="https://infozip.sourceforge.net/UnZip.html"
SRC_URI="
	mirror://debian/pool/main/u/unzip/unzip_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/u/unzip/unzip_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/unzip60"
LICENSE="Info-ZIP"
SLOT="0"
KEYWORDS="amd64"
# The last release is of 2009; Debian maintains it.
DEBIAN_PATCHES=( '*' )

src_compile() {
	local defines="-DACORN_FTYPE_NFS -DWILD_STOP_AT_DIR -DLARGE_FILE_SUPPORT -DUNICODE_SUPPORT -DUNICODE_WCHAR
		-DUTF8_MAYBE_NATIVE -DNO_LCHMOD -DDATE_FORMAT=DF_YMD -DNOMEMCPY -DNO_WORKING_ISPRINT"
	emake -f unix/Makefile CC="${CC}" LD="${CC}" STRIP=: LF2="${LDFLAGS}" \
		CF="${CFLAGS} ${CPPFLAGS} -std=gnu89 -I. ${defines//$'\n'/ }" unzips
}

src_install() {
	dobin unzip funzip
	dosym unzip /usr/bin/zipinfo
	newman man/unzip.1 unzip.1
}
