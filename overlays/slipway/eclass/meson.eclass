# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

# @ECLASS: meson.eclass
# @MAINTAINER:
# Slipway maintainers
# @SUPPORTED_EAPIS: 8
# @BLURB: configure, compile and install with meson for the target
# @DESCRIPTION:
# Ebuilds set the array EMESONARGS before they call meson_src_configure.
# Compiler flags come from the profile; the cross file is part of the toolchain.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_MESON_ECLASS} ]]; then
_MESON_ECLASS=1

BDEPEND="
	dev-build/meson
	dev-build/ninja
	virtual/pkgconfig
"

# @FUNCTION: meson_use
# @USAGE: <flag> [option]
# @DESCRIPTION: prints -Doption=true or false after a USE flag
meson_use() {
	usex "$1" "-D${2:-$1}=true" "-D${2:-$1}=false"
}

# @FUNCTION: meson_feature
# @USAGE: <flag> [option]
# @DESCRIPTION: prints -Doption=enabled or disabled after a USE flag
meson_feature() {
	usex "$1" "-D${2:-$1}=enabled" "-D${2:-$1}=disabled"
}

meson_src_configure() {
	local -x CC_FOR_BUILD=${BUILD_CC} CXX_FOR_BUILD=${BUILD_CXX}
	local build_cflags=-O1
	BUILD_DIR=${BUILD_DIR:-${WORKDIR}/${P}-build}
	# The environment's CC and CFLAGS would be taken for the build machine's.
	cat > "${T}/flags.ini" <<-EOF || die
		[built-in options]
		c_args = [$(_meson_list ${CPPFLAGS} ${CFLAGS})]
		cpp_args = [$(_meson_list ${CPPFLAGS} ${CXXFLAGS})]
		c_link_args = [$(_meson_list ${LDFLAGS})]
		cpp_link_args = [$(_meson_list ${LDFLAGS})]
	EOF
	env -u CC -u CXX -u CPP -u AR -u AS -u LD -u NM -u RANLIB -u STRIP -u OBJCOPY -u PKG_CONFIG \
		-u CFLAGS -u CXXFLAGS -u LDFLAGS -u CPPFLAGS \
		meson setup --cross-file /opt/toolchain/share/meson-cross.ini --cross-file "${T}/flags.ini" \
		--prefix /usr --libdir lib --libexecdir lib --sysconfdir /etc --localstatedir /var \
		--buildtype plain --wrap-mode nodownload -Db_pch=false -Db_lto=false \
		"${EMESONARGS[@]}" "$@" "${S}" "${BUILD_DIR}" || die "meson setup failed"
}

_meson_list() {
	local item out=
	for item; do
		out+="'${item}', "
	done
	printf '%s' "${out%, }"
}

meson_src_compile() {
	ninja -v ${MAKEOPTS} -C "${BUILD_DIR}" "$@" || die "ninja failed"
}

meson_src_install() {
	DESTDIR=${D} meson install --no-rebuild -C "${BUILD_DIR}" "$@" || die "meson install failed"
	local DOCS=${DOCS-}
	[[ -z ${DOCS} ]] || einstalldocs
}

EXPORT_FUNCTIONS src_configure src_compile src_install

fi
