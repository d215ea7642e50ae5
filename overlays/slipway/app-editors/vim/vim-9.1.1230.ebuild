# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="2"
DESCRIPTION="Editor, also as vi"
HOMEPAGE="https://www.vim.org/"
SRC_URI="
	mirror://debian/pool/main/v/vim/vim_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/v/vim/vim_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="vim"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"
DEBIAN_PATCHES=( 'patch-9.1.*' )

# The part of the runtime files that serves on a server.
RUNTIME_SYNTAX="
	awk conf config css diff dockerfile dosini fstab gitcommit gitconfig gitrebase go hcl html javascript json jsonc lua make
	manual markdown nosyntax passwd perl python resolv rust sed services sh sshconfig sshdconfig sudoers syncolor synload
	syntax systemd tmux toml udevrules vim xml yaml
"

src_configure() {
	export \
		ac_cv_small_wchar_t=no \
		vim_cv_getcwd_broken=no \
		vim_cv_ipv4_networking=yes \
		vim_cv_ipv6_networking=yes \
		vim_cv_memmove_handles_overlap=yes \
		vim_cv_stat_ignores_slash=no \
		vim_cv_terminfo=yes \
		vim_cv_tgetent=zero \
		vim_cv_timer_create=yes \
		vim_cv_timer_create_with_lrt=no \
		vim_cv_timer_create_works=yes \
		vim_cv_toupper_broken=no \
		vim_cv_tty_group=world \
		vim_cv_tty_mode=0620 \
		vim_cv_uname_output=Linux \
		vim_cv_uname_r_output=6 \
		vim_cv_uname_m_output=x86_64
	econf \
		--disable-acl \
		--disable-canberra \
		--disable-gpm \
		--disable-gui \
		--disable-libsodium \
		--disable-luainterp \
		--disable-netbeans \
		--disable-nls \
		--disable-perlinterp \
		--disable-python3interp \
		--disable-pythoninterp \
		--disable-rubyinterp \
		--disable-selinux \
		--disable-smack \
		--disable-tclinterp \
		--disable-xsmp \
		--with-compiledby="Slipway Linux" \
		--with-features=normal \
		--with-tlib=ncursesw \
		--without-local-dir \
		--without-wayland \
		--without-x
}

src_compile() {
	emake -C src STRIP=: vim
}

src_install() {
	emake -C src DESTDIR="${D}" STRIP=: installvimbin installruntime installlinks
	local runtime name syntax=${T}/syntax
	runtime=$(echo "${ED}"/usr/share/vim/vim*)
	[[ -d ${runtime} ]] || die
	mkdir "${syntax}" || die
	for name in ${RUNTIME_SYNTAX}; do
		[[ -f ${runtime}/syntax/${name}.vim ]] || { ewarn "no syntax file for ${name}"; continue; }
		cp "${runtime}/syntax/${name}.vim" "${syntax}/" || die
	done
	rm -rf "${runtime}"/{compiler,doc,ftplugin,indent,keymap,lang,macros,pack,print,spell,syntax,tools,tutor} || die
	rm -rf "${runtime}"/{import,autoload/{rust,zip,tar,vimball,netrw}*} "${runtime}"/plugin/{getscript,gzip,logiPat,netrw,rrhelper,spellfile,tar,tohtml,vimball,zip}*.vim || die
	rm -rf "${runtime}"/colors/{lists,tools} || die
	find "${runtime}"/colors -mindepth 1 ! -name default.vim ! -name desert.vim ! -name README.txt -delete || die
	cp -r "${syntax}" "${runtime}/syntax" || die
	rm -f "${ED}"/usr/bin/{ex,rview,rvim,view,vimdiff,vimtutor,gvim*,gview*,rgvi*,evi*} || die
	dosym vim /usr/bin/vi
	dosym vim /usr/bin/view
	rm -rf "${ED}"/usr/share/{applications,icons} || die
}
