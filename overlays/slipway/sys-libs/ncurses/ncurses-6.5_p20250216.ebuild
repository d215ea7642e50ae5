# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

MY_PV="${PV/_p/-}"
DESCRIPTION="Terminal library with its tools and a small terminal database"
HOMEPAGE="https://invisible-island.net/ncurses/"
SRC_URI="mirror://debian/pool/main/n/ncurses/ncurses_${PV/_p/+}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
S="${WORKDIR}/${PN}-${MY_PV}"
LICENSE="MIT"
SLOT="0/6"
KEYWORDS="amd64"

# What people have in front of them when they log in to a server.
TERMINALS=(
	alacritty ansi dumb foot linux putty{,-256color} rxvt{,-256color,-unicode,-unicode-256color} screen{,-256color,.xterm-256color}
	tmux{,-256color,-direct} vt100 vt102 vt220 xterm{,-color,-16color,-256color,-direct,-kitty,-ghostty} kitty
)

src_configure() {
	local myconf=(
		--disable-stripping
		--enable-overwrite
		--enable-pc-files
		--enable-widec
		--with-build-cc="${BUILD_CC}"
		--with-build-cflags=-O1
		--with-default-terminfo-dir=/usr/share/terminfo
		--with-infocmp-path=/usr/bin/infocmp
		--with-pkg-config-libdir=/usr/lib/pkgconfig
		--with-shared
		--with-terminfo-dirs=/etc/terminfo:/usr/share/terminfo
		--with-tic-path=/usr/bin/tic
		--without-ada
		--without-cxx
		--without-cxx-binding
		--without-debug
		--without-manpages
		--without-normal
		--without-tests
	)
	econf "${myconf[@]}"
}

src_install() {
	emake DESTDIR="${D}" install
	# Programs ask for the library under several names; all of it is in the one for wide characters.
	local library
	for library in ncurses form menu panel; do
		dosym "lib${library}w.so" "/usr/lib/lib${library}.so"
		dosym "${library}w.pc" "/usr/lib/pkgconfig/${library}.pc"
	done
	for library in curses tinfo termcap; do
		dosym libncursesw.so "/usr/lib/lib${library}.so"
	done
	dosym ncursesw.pc /usr/lib/pkgconfig/tinfo.pc
	dosym ncursesw.pc /usr/lib/pkgconfig/tinfow.pc
	rm -f "${ED}"/usr/lib/terminfo || die

	# The database is kept small.
	local all=${ED}/usr/share/terminfo kept=${T}/terminfo name
	mkdir "${kept}" || die
	for name in "${TERMINALS[@]}"; do
		if [[ -e ${all}/${name::1}/${name} ]]; then
			mkdir -p "${kept}/${name::1}" || die
			cp -L --preserve=timestamps "${all}/${name::1}/${name}" "${kept}/${name::1}/" || die
		else
			ewarn "no entry for the terminal ${name}"
		fi
	done
	rm -r "${all}" "${ED}"/usr/share/tabset || die
	cp -r "${kept}" "${all}" || die
}
