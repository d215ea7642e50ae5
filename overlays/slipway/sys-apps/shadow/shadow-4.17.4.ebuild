# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Tools for users, groups and passwords"
HOMEPAGE="https://github.com/shadow-maint/shadow"
SRC_URI="mirror://debian/pool/main/s/shadow/shadow_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="BSD GPL-2+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	sys-libs/libxcrypt:=
	sys-libs/pam
"
RDEPEND="${DEPEND}"
BDEPEND="sys-devel/bison"

src_configure() {
	export ac_cv_func_setpgrp_void=yes ac_cv_path_NSCD= ac_cv_path_PASSWD_PROGRAM=/usr/bin/passwd
	econf \
		--bindir=/usr/bin \
		--sbindir=/usr/bin \
		--disable-account-tools-setuid \
		--disable-lastlog \
		--disable-logind \
		--disable-man \
		--disable-nls \
		--disable-shared \
		--enable-subordinate-ids \
		--with-bcrypt \
		--with-group-name-max-length=32 \
		--with-libpam \
		--with-yescrypt \
		--without-acl \
		--without-attr \
		--without-audit \
		--without-btrfs \
		--without-libbsd \
		--without-nscd \
		--without-selinux \
		--without-skey \
		--without-sssd \
		--without-su \
		--without-tcb
}

src_install() {
	emake DESTDIR="${D}" ubindir=/usr/bin usbindir=/usr/bin install
	# login, nologin and su come from util-linux, the files for PAM from pam, groups from coreutils.
	rm -f "${ED}"/usr/bin/{chfn,chsh,expiry,faillog,groupmems,groups,login,logoutd,newusers,nologin,su,vigr,vipw} || die
	# Who may do this is root already.
	fperms u-s /usr/bin/{chage,gpasswd,newgrp}
	rm -rf "${ED}"/etc "${ED}"/usr/include "${ED}"/usr/lib/libsubid* "${ED}"/usr/share/locale || die
	insinto /usr/share/factory/etc
	doins "${FILESDIR}"/login.defs
	insinto /usr/share/factory/etc/default
	newins - useradd <<-EOF
		HOME=/home
		INACTIVE=-1
		EXPIRE=
		SHELL=/bin/bash
		SKEL=/usr/share/skel
		CREATE_MAIL_SPOOL=no
	EOF
	insinto /usr/lib/tmpfiles.d
	newins - shadow.conf <<-EOF
		C /etc/login.defs - - - -
		d /etc/default 0755 - - -
		C /etc/default/useradd - - - -
		f /etc/subuid 0644 - - -
		f /etc/subgid 0644 - - -
	EOF
	insinto /usr/share/skel
	newins - .bash_profile <<-EOF
		[[ ! -f ~/.bashrc ]] || . ~/.bashrc
	EOF
	newins - .bashrc <<-EOF
		# What this user wants in each interactive shell. /etc/bash/bashrc has been read before.
	EOF
}
