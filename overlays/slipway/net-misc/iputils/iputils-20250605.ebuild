# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="arping and tracepath"
HOMEPAGE="https://github.com/iputils/iputils"
# Packed anew by Debian, so there is no other place with the same bytes.
SRC_URI="mirror://debian/pool/main/i/iputils/iputils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/libcap"
RDEPEND="${DEPEND}"

# ping is that of net-misc/inetutils, which does without a capability on the file; clockdiff would need one.
EMESONARGS=(
	-DBUILD_CLOCKDIFF=false
	-DBUILD_HTML_MANS=false
	-DBUILD_MANS=false
	-DBUILD_PING=false
	-DINSTALL_SYSTEMD_UNITS=false
	-DSKIP_TESTS=true
	-DUSE_GETTEXT=false
	-DUSE_IDN=false
)
