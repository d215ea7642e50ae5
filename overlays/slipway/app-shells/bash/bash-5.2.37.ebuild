# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="The Bourne-again shell, also the image's sh"
HOMEPAGE="https://www.gnu.org/software/bash/"
SRC_URI="mirror://debian/pool/main/b/bash/bash_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz"
LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"
DEPEND="
	sys-libs/ncurses:=
	>=sys-libs/readline-8.2:=
"
RDEPEND="${DEPEND}"
BDEPEND="sys-devel/bison"

src_prepare() {
	default
	sed -i -E \
		-e '/define DEFAULT_PATH_VALUE/,/"/s|"/usr[^"]*"|"/usr/bin:/opt/bin"|' \
		-e '/define STANDARD_UTILS_PATH/,/"/s|"/bin[^"]*"|"/usr/bin"|' \
		-e 's|^/\* *(#define SYS_BASHRC) .*|\1 "/etc/bash/bashrc"|' config-top.h || die
	grep -q '^#define SYS_BASHRC "/etc/bash/bashrc"' config-top.h || die
	grep -q '"/usr/bin:/opt/bin"' config-top.h || die
}

src_configure() {
	# Programs of the target cannot be run here; these are the answers for Linux with glibc.
	export \
		ac_cv_rl_version=8.2 \
		bash_cv_dev_fd=standard \
		bash_cv_dev_stdin=present \
		bash_cv_dup2_broken=no \
		bash_cv_fnmatch_equiv_fallback=yes \
		bash_cv_func_ctype_nonascii=yes \
		bash_cv_func_fnmatch_equiv_fallback=yes \
		bash_cv_func_sigsetjmp=present \
		bash_cv_func_snprintf=yes \
		bash_cv_func_strcoll_broken=no \
		bash_cv_func_vsnprintf=yes \
		bash_cv_getcwd_malloc=yes \
		bash_cv_getenv_redef=yes \
		bash_cv_job_control_missing=present \
		bash_cv_must_reinstall_sighandlers=no \
		bash_cv_opendir_not_robust=no \
		bash_cv_pgrp_pipe=no \
		bash_cv_printf_a_format=yes \
		bash_cv_sys_named_pipes=present \
		bash_cv_sys_siglist=no \
		bash_cv_termcap_lib=libncursesw \
		bash_cv_ulimit_maxfds=yes \
		bash_cv_under_sys_siglist=no \
		bash_cv_unusable_rtsigs=no \
		bash_cv_wcontinued_broken=no \
		bash_cv_wcwidth_broken=no \
		bash_cv_wexitstatus_offset=8 \
		CC_FOR_BUILD="${BUILD_CC}"
	econf \
		--disable-nls \
		--with-curses \
		--with-installed-readline \
		--without-bash-malloc
}

src_install() {
	emake DESTDIR="${D}" install-strip STRIP=:
	rm -r "${ED}"/usr/bin/bashbug "${ED}"/usr/lib/bash "${ED}"/usr/lib/pkgconfig "${ED}"/usr/include || die
	dosym bash /usr/bin/sh
	insinto /usr/share/bash
	doins "${FILESDIR}"/{profile,bashrc}
	insinto /usr/lib/tmpfiles.d
	newins "${FILESDIR}"/tmpfiles.conf bash.conf
}
