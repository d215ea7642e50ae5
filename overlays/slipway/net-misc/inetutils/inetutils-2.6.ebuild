# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="ping of GNU's network utilities"
HOMEPAGE="https://www.gnu.org/software/inetutils/"
SRC_URI="mirror://debian/pool/main/i/inetutils/inetutils_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	# There need be no /etc/protocols.
	sed -i \
		-e '/proto = getprotobyname/,/^    }/d' \
		-e '/struct protoent \*proto;/d' \
		-e 's/proto->p_proto/IPPROTO_ICMP/' ping/libping.c || die
	! grep -q proto- ping/libping.c || die
}

src_configure() {
	export inetutils_cv_path_procnet_dev=/proc/net/dev
	# No servers and no clients of old protocols: most security problems of this package are theirs.
	econf \
		--disable-clients \
		--disable-ifconfig \
		--disable-servers \
		--enable-ping \
		--enable-ping6 \
		--without-krb5 \
		--without-pam \
		--without-wrap
}

src_compile() {
	emake -C lib
	emake -C libinetutils
	emake -C libicmp
	emake -C ping
}

src_install() {
	# The kernel's ping sockets (net.ipv4.ping_group_range) need no privilege; ping6 is root's.
	dobin ping/ping ping/ping6
}
