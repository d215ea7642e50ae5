# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

# Debian's tarball is 8.2 without the fixes that followed. Bash, of the same author, carries the corrected source files.
BASH_PV="5.2.37"
DESCRIPTION="Library to edit command lines"
HOMEPAGE="https://tiswww.case.edu/php/chet/readline/rltop.html"
SRC_URI="
	mirror://debian/pool/main/r/readline/readline_8.2.orig.tar.gz -> ${PN}-8.2.debian.orig.tar.gz
	mirror://debian/pool/main/b/bash/bash_${BASH_PV}.orig.tar.xz -> bash-${BASH_PV}.debian.orig.tar.xz
"
S="${WORKDIR}/${PN}-8.2"
LICENSE="GPL-3+"
SLOT="0/8"
KEYWORDS="amd64"
DEPEND="sys-libs/ncurses:="
RDEPEND="${DEPEND}"

src_prepare() {
	default
	local file
	for file in *.[ch]; do
		[[ -f ${WORKDIR}/bash-${BASH_PV}/lib/readline/${file} ]] || continue
		cp "${WORKDIR}/bash-${BASH_PV}/lib/readline/${file}" . || die
	done
}

src_configure() {
	export bash_cv_wcwidth_broken=no bash_cv_termcap_lib=libncursesw
	econf --disable-install-examples --with-curses --with-shared-termcap-library
}

src_compile() {
	emake SHLIB_LIBS=-lncursesw shared
}

src_install() {
	emake DESTDIR="${D}" SHLIB_LIBS=-lncursesw install-shared
	# The target for the shared library leaves out what only the whole installation brings.
	[[ -f ${ED}/usr/include/readline/readline.h ]] || emake DESTDIR="${D}" install-headers
	rm -rf "${ED}"/usr/bin "${ED}"/usr/lib/*.old || die
}
