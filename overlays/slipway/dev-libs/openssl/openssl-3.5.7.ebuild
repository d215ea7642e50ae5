# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="1~deb13u2"
DESCRIPTION="Libraries and tool for cryptography and TLS"
HOMEPAGE="https://openssl-library.org/"
SRC_URI="
	mirror://debian/pool/main/o/openssl/openssl_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/o/openssl/openssl_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="Apache-2.0"
SLOT="0/3"
KEYWORDS="amd64"
BDEPEND="dev-lang/perl"
# Security fixes that are newer than the release.
DEBIAN_PATCHES=(
	conf-Serialize-allocation-free-of-ssl_names.patch
	Avoid-double-free-of-qrx-in-port_default_packet_handler.patch
	'Add-test-for-CVE-*'
	'Fix-heap-buffer-overflow-*'
	'Fix-Remote-NULL-deref-*'
	'Handle-signature_algorithms_cert-*'
	'Avoid-full-read-buffer-allocation-*'
	'ssl-record-*'
	'CMP-unexpected-sender-DN-*'
	Add-a-test-for-restricting-growth-in-cmp-cert-cache.patch
	Fix-unbounded-cert-cache-growth-in-cmp.patch
	'Don-t-store-ACK-only-frames-*'
	'Check-the-tag-on-EVP_Cipher-*'
	'QUIC-server-limit-number-*'
)

src_configure() {
	# The configuration belongs to /usr, certificates are what /etc/ssl has (links below).
	unset CPPFLAGS
	local target=linux-x86_64
	./Configure "${target}" \
		--prefix=/usr \
		--libdir=lib \
		--openssldir=/usr/lib/ssl \
		enable-ec_nistp_64_gcc_128 \
		shared \
		no-aria \
		no-bf \
		no-cast \
		no-cmp \
		no-comp \
		no-docs \
		no-engine \
		no-idea \
		no-legacy \
		no-md4 \
		no-mdc2 \
		no-quic \
		no-rc2 \
		no-rc4 \
		no-seed \
		no-sm2 \
		no-sm3 \
		no-sm4 \
		no-srp \
		no-ssl3 \
		no-tests \
		no-weak-ssl-ciphers || die
	# Static libraries are compiled for themselves, half as much again, and nobody is to link them.
	sed -i -e '/^LIBS=/s/ libcrypto\.a libssl\.a / /' -e 's/^INSTALL_LIBS=.*/INSTALL_LIBS=/' Makefile || die
}

src_compile() {
	emake build_sw
	[[ ! -e libcrypto.a && ! -e libssl.a ]] || die "the Makefile still makes static libraries"
}

src_install() {
	emake DESTDIR="${D}" install_sw install_ssldirs
	rm -rf "${ED}"/usr/bin/c_rehash "${ED}"/usr/lib/{engines-3,ossl-modules,cmake} || die
	cd "${ED}"/usr/lib/ssl || die
	rm -rf certs misc private *.dist ct_log_list.cnf || die
	dosym ../../../etc/ssl/certs /usr/lib/ssl/certs
	dosym ../../../etc/ssl/private /usr/lib/ssl/private
	dosym ../../../etc/ssl/certs/ca-certificates.crt /usr/lib/ssl/cert.pem
}
