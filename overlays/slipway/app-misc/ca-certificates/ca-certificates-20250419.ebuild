# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="The certificates of Mozilla's authorities in one file"
HOMEPAGE="https://tracker.debian.org/pkg/ca-certificates"
SRC_URI="mirror://debian/pool/main/c/ca-certificates/ca-certificates_${PV}.tar.xz"
S="${WORKDIR}/${PN}/mozilla"
LICENSE="MPL-2.0 GPL-2+"
SLOT="0"
KEYWORDS="amd64"
BDEPEND="
	dev-lang/python
	dev-python/cryptography
"

src_compile() {
	python3 -W ignore certdata2pem.py || die
	local LC_ALL=C
	cat ./*.crt > "${T}/ca-certificates.crt" || die
	local count=$(grep -c 'BEGIN CERTIFICATE' "${T}/ca-certificates.crt")
	einfo "${count} certificates"
	[[ ${count} -ge 100 ]] || die "too few certificates"
}

src_install() {
	insinto /usr/share/ca-certificates
	doins "${T}/ca-certificates.crt"
	insinto /usr/lib/tmpfiles.d
	newins - ca-certificates.conf <<-EOF
		d /etc/ssl 0755 - - -
		d /etc/ssl/certs 0755 - - -
		L /etc/ssl/certs/ca-certificates.crt - - - - ../../../usr/share/ca-certificates/ca-certificates.crt
		L /etc/ssl/cert.pem - - - - certs/ca-certificates.crt
	EOF
}
