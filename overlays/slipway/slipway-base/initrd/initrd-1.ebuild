# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="What only the initial file system has"
HOMEPAGE="https://systemd.io/"
S="${WORKDIR}"
LICENSE="Apache-2.0"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	insinto /usr/lib/systemd/system
	doins -r "${FILESDIR}"/*.{service,target}.d
	insinto /usr/lib/systemd
	doins -r "${FILESDIR}"/journald.conf.d
}
