# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="Pluggable authentication modules"
HOMEPAGE="https://github.com/linux-pam/linux-pam"
SRC_URI="mirror://debian/pool/main/p/pam/pam_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
S="${WORKDIR}/Linux-PAM-${PV}"
LICENSE="|| ( BSD GPL-2+ )"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/libxcrypt:="
RDEPEND="${DEPEND}"

# Modules that a host for containers has use for. systemd and others bring their own.
PAM_MODULES="
	access deny echo env exec faildelay faillock keyinit limits listfile localuser loginuid mkhomedir motd nologin
	permit rootok securetty shells succeed_if umask unix usertype warn wheel
"

src_prepare() {
	default
	# Without i18n the build names a variable that nobody has set.
	sed -i '/^null_dep = /a libintl = null_dep' meson.build || die
	# The size of a constant is asked for, which meson cannot tell when it builds for another system.
	sed -i 's/^enable_pam_keyinit = .*/enable_pam_keyinit = true/' meson.build || die
}

src_configure() {
	# Defaults live in /usr/lib/pam; files of the same name in /etc/security take their place.
	local EMESONARGS=(
		--sbindir=bin
		-Daudit=disabled
		-Ddocs=disabled
		-Deconf=disabled
		-Dexamples=false
		-Di18n=disabled
		-Dlogind=disabled
		-Dmailspool=/var/mail
		-Dnis=disabled
		-Dopenssl=disabled
		-Dpam_lastlog=disabled
		-Dpam_unix=enabled
		-Dpam_userdb=disabled
		-Dsecuredir=/usr/lib/security
		-Dselinux=disabled
		-Dusergroups=true
		-Dvendordir=/usr/lib/pam
	)
	meson_src_configure
}

src_install() {
	meson_src_install
	cd "${ED}"/usr/lib/security || die
	local module name
	for name in ${PAM_MODULES}; do
		[[ -f pam_${name}.so ]] || die "pam_${name} was not built"
	done
	for module in pam_*.so; do
		name=${module#pam_}
		[[ " ${PAM_MODULES//[[:space:]]/ } " == *" ${name%.so} "* ]] || rm "${module}" || die
	done
	rm -rf pam_filter "${ED}"/etc "${ED}"/usr/lib/systemd "${ED}"/usr/bin/pam_{namespace_helper,timestamp_check} \
		"${ED}"/usr/bin/pwhistory_helper "${ED}"/usr/lib/pam/environment \
		"${ED}"/usr/lib/pam/security/{group,namespace,pwhistory,sepermit,time}.* || die
	# Passwords are checked for others than root too.
	fperms u+s /usr/bin/unix_chkpwd
	insinto /usr/lib/pam.d
	doins "${FILESDIR}"/pam.d/*
}
