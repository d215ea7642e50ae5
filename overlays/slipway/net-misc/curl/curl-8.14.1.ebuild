# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="2+deb13u5"
DESCRIPTION="Transfers data with URLs"
HOMEPAGE="https://curl.se/"
SRC_URI="
	mirror://debian/pool/main/c/curl/curl_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/c/curl/curl_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="curl BSD ISC"
SLOT="0/4"
KEYWORDS="amd64"
DEPEND="
	app-arch/zstd:=
	dev-libs/openssl:=
	sys-libs/zlib:=
"
RDEPEND="
	${DEPEND}
	app-misc/ca-certificates
"
DEBIAN_PATCHES=( '*CVE-*' cookie-don-t-treat-the-leading-slash-as-trailing.patch )

src_configure() {
	econf \
		--disable-ares \
		--disable-dict \
		--disable-docs \
		--disable-gopher \
		--disable-imap \
		--disable-ldap \
		--disable-ldaps \
		--disable-manual \
		--disable-mqtt \
		--disable-ntlm \
		--disable-pop3 \
		--disable-rtsp \
		--disable-smb \
		--disable-smtp \
		--disable-telnet \
		--disable-tftp \
		--enable-threaded-resolver \
		--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt \
		--with-openssl \
		--with-zlib \
		--with-zstd \
		--without-brotli \
		--without-ca-path \
		--without-gssapi \
		--without-libidn2 \
		--without-libpsl \
		--without-librtmp \
		--without-libssh \
		--without-libssh2 \
		--without-nghttp2 \
		--without-ngtcp2
}

src_install() {
	emake DESTDIR="${D}" install
	find "${ED}" -name '*.la' -delete || die
	rm -rf "${ED}"/usr/bin/wcurl "${ED}"/usr/share/aclocal || die
}
