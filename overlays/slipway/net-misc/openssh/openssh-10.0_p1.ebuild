# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

MY_PV="${PV/_/}"
DEBIAN_REVISION="7+deb13u4"
DESCRIPTION="The secure shell's server and clients"
HOMEPAGE="https://www.openssh.com/"
SRC_URI="
	mirror://debian/pool/main/o/openssh/openssh_${MY_PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/o/openssh/openssh_${MY_PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/${PN}-${MY_PV}"
LICENSE="BSD GPL-2"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	dev-libs/openssl:=
	sys-libs/libxcrypt:=
	sys-libs/pam
	sys-libs/zlib:=
"
RDEPEND="${DEPEND}"
# The last part of CVE-2026-35386 is for the test suite alone.
DEBIAN_PATCHES=( CVE-2025-6198{4,5}.patch fix-max-startups-tracking.patch CVE-2026-3538{5,7,8}.patch CVE-2026-35386-{1,2}.patch CVE-2026-35414.patch )

src_configure() {
	export ac_cv_path_PATH_PASSWD_PROG=/usr/bin/passwd ac_cv_func_setresuid=yes ac_cv_func_setresgid=yes
	export LD="${CC}"
	econf \
		--disable-etc-default-login \
		--disable-lastlog \
		--disable-strip \
		--disable-utmp \
		--disable-utmpx \
		--disable-wtmp \
		--disable-wtmpx \
		--libexecdir=/usr/lib/ssh \
		--sbindir=/usr/bin \
		--sysconfdir=/etc/ssh \
		--with-default-path=/usr/bin:/opt/bin \
		--with-openssl \
		--with-pam \
		--with-pid-dir=/run \
		--with-privsep-path=/run/sshd \
		--with-privsep-user=sshd \
		--with-sandbox=seccomp_filter \
		--with-superuser-path=/usr/bin:/opt/bin \
		--with-xauth=/usr/bin/xauth \
		--with-zlib \
		--without-audit \
		--without-kerberos5 \
		--without-ldns \
		--without-libedit \
		--without-openssl-header-check \
		--without-security-key-builtin \
		--without-selinux \
		--without-zlib-version-check
}

src_install() {
	# Neither the host's keys nor configuration: both are the running system's.
	emake DESTDIR="${D}" STRIP_OPT= install-nokeys
	rm -r "${ED}"/etc "${ED}"/run || die
	insinto /usr/share/ssh
	doins "${FILESDIR}"/{sshd,ssh}_config
	insinto /usr/lib/tmpfiles.d
	newins "${FILESDIR}"/tmpfiles.conf openssh.conf
	insinto /usr/lib/sysusers.d
	newins "${FILESDIR}"/sysusers.conf openssh.conf
	insinto /usr/lib/systemd/system
	doins "${FILESDIR}"/{sshd.service,sshd@.service,sshd.socket,sshd-keygen.service}
	dosym ../sshd.socket /usr/lib/systemd/system/sockets.target.wants/sshd.socket
}
