# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

MY_PV="${PV/_/}"
DEBIAN_REVISION="3+deb13u2"
DESCRIPTION="Runs a command as another user"
HOMEPAGE="https://www.sudo.ws/"
SRC_URI="
	mirror://debian/pool/main/s/sudo/sudo_${MY_PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz
	mirror://debian/pool/main/s/sudo/sudo_${MY_PV}-${DEBIAN_REVISION}.debian.tar.xz
"
S="${WORKDIR}/${PN}-${MY_PV}"
LICENSE="ISC BSD"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/pam"
RDEPEND="${DEPEND}"
DEBIAN_PATCHES=( '*CVE-*' '*open_sudoers*' '*exec_mailer*' )

src_configure() {
	# It prefers functions of its own to arc4random and closefrom of the C library, which it would take if it were told of them.
	export CONFIG_SITE=
	# /etc/sudoers, and without it the system's defaults.
	export sudo_cv_func_unsetenv_void=no ac_cv_have_working_snprintf=yes ac_cv_have_working_vsnprintf=yes
	export ac_cv_path_MVPROG=/usr/bin/mv ac_cv_path_SHPROG=/usr/bin/sh ac_cv_path_VIPROG=/usr/bin/vi
	export ac_cv_prog_NROFFPROG= ac_cv_path_NROFFPROG=nroff
	econf \
		--disable-log-client \
		--disable-log-server \
		--disable-nls \
		--disable-openssl \
		--disable-python \
		--disable-shared-libutil \
		--enable-adminconf=/etc \
		--enable-static-sudoers \
		--enable-tmpfiles.d=/usr/lib/tmpfiles.d \
		--enable-zlib=no \
		--libexecdir=/usr/lib \
		--sbindir=/usr/bin \
		--sysconfdir=/usr/share/sudo \
		--with-all-insults=no \
		--with-editor=/usr/bin/vi \
		--with-env-editor \
		--with-logging=syslog \
		--with-pam \
		--with-pam-login=no \
		--with-rundir=/run/sudo \
		--with-secure-path=/usr/bin:/opt/bin \
		--with-vardir=/var/lib/sudo \
		--without-insults \
		--without-lecture \
		--without-sendmail \
		--without-selinux
}

src_install() {
	emake -j1 DESTDIR="${D}" INSTALL_OWNER= install
	rm -rf "${ED}"/{etc,run,var} "${ED}"/usr/include "${ED}"/usr/share/sudo "${ED}"/usr/share/locale \
		"${ED}"/usr/bin/cvtsudoers || die
	find "${ED}" '(' -name '*.la' -o -name '*.a' ')' -delete || die
	insinto /usr/share/sudo
	insopts -m0440
	doins "${FILESDIR}"/sudoers
	insopts -m0644
	insinto /usr/lib/tmpfiles.d
	newins - sudo.conf <<-EOF
		D! /run/sudo 0711 root root -
		D! /run/sudo/ts 0700 root root -
		d /var/lib/sudo 0711 root root -
		d /var/lib/sudo/lectured 0700 root root -
		d /etc/sudoers.d 0750 root root -
	EOF
	insinto /usr/lib/sysusers.d
	newins - sudo.conf <<-EOF
		g sudo - -
	EOF
	fperms 4755 /usr/bin/sudo
}
