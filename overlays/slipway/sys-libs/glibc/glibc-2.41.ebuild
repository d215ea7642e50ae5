# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit debian-patches

DEBIAN_REVISION="12+deb13u4"
DESCRIPTION="GNU C library"
HOMEPAGE="https://www.gnu.org/software/libc/"
SRC_URI="
	mirror://debian/pool/main/g/glibc/glibc_${PV}.orig.tar.xz -> ${P}.debian.orig.tar.xz
	mirror://debian/pool/main/g/glibc/glibc_${PV}-${DEBIAN_REVISION}.debian.tar.xz
"
LICENSE="LGPL-2.1+ BSD HPND ISC inner-net rc PCRE"
SLOT="0"
KEYWORDS="amd64"
DEPEND="sys-kernel/linux-headers"
BDEPEND="
	dev-lang/python
	sys-apps/texinfo
	sys-devel/bison
"
# Fixes of the release branch, security fixes among them.
DEBIAN_PATCHES=( git-updates.diff )

src_prepare() {
	debian-patches_src_prepare
	# Debian's tarball leaves out the manual for its licence; the build enters the folder all the same.
	mkdir -p manual || die
	printf 'subdir := manual\ninclude ../Makeconfig\ninclude ../Rules\n' > manual/Makefile || die
	# Only tests need these, and nobody runs them here.
	sed -i -E '/^all-subdirs =/,/elf$/s/ (conform|support)\>//g' Makeconfig || die
	# Of the conversions between encodings, only those that upstream calls its base. There are 250 more.
	local modules
	modules=$(awk '$1 == "module" { print $4 }' iconvdata/gconv-modules | sort -u | xargs) || die
	sed -i \
		-e "/^modules\.so :=/i modules := ${modules}" \
		-e "/^generated-modules :=/i gen-8bit-modules := \$(filter ${modules,,}, \$(gen-8bit-modules))" \
		-e "/^generated-modules :=/i gen-8bit-gap-modules := \$(filter ${modules,,}, \$(gen-8bit-gap-modules))" \
		-e '/^gen-special-modules :=/s/=.*/=/' \
		-e '/^gconv-modules =/s/=.*/= gconv-modules/' \
		iconvdata/Makefile || die
}

src_configure() {
	mkdir "${WORKDIR}/build" || die
	cd "${WORKDIR}/build" || die
	cat > configparms <<-EOF || die
		slibdir=/usr/lib
		rtlddir=/usr/lib
		sbindir=/usr/bin
		rootsbindir=/usr/bin
	EOF
	# glibc sets its own hardening and cannot be built with ours.
	export CFLAGS="-O2 -pipe -march=x86-64-v2" LDFLAGS=
	unset CPP
	ECONF_SOURCE="${S}" econf \
		--disable-profile \
		--disable-werror \
		--disable-nscd \
		--disable-timezone-tools \
		--enable-bind-now \
		--enable-cet \
		--enable-fortify-source \
		--enable-kernel=5.10 \
		--enable-stack-protector=strong \
		--with-headers=/sysroot/usr/include \
		libc_cv_slibdir=/usr/lib \
		libc_cv_rtlddir=/usr/lib \
		libc_cv_complocaledir=/usr/lib/locale
}

src_compile() {
	emake -C "${WORKDIR}/build"
}

# Prints what configure scripts ask, and what they would answer with a compiler: the functions and headers that there are.
config_site() {
	local include=${ED}/usr/include header
	"${NM}" --dynamic --defined-only "${ED}/usr/lib/libc.so.6" |
		sed -nE 's/^[0-9a-f]+ [TWi] ([a-z][a-z0-9_]*)@@.*/\1/p' | sort -u |
		grep -vxFf <(sed -n 's/^#define __stub_//p' "${include}"/gnu/stubs*.h) |
		sed 's/.*/: "${ac_cv_func_&=yes}"/' || die
	while read -r header; do
		"${CC}" -fsyntax-only -isystem "${include}" -x c - <<< "#include <${header}>" &> /dev/null || continue
		echo ": \"\${ac_cv_header_${header//[^a-z0-9]/_}=yes}\""
	done < <(cd "${include}" && printf '%s\n' *.h {arpa,net,netinet,sys}/*.h)
}

src_install() {
	emake -C "${WORKDIR}/build" install_root="${D}" install
	# One UTF-8 locale is built in; nothing else is needed on a host for containers.
	rm -rf "${ED}"/var "${ED}"/etc || die
	dosym lib /usr/lib64
	insinto /usr/share/factory/etc
	doins "${FILESDIR}"/nsswitch.conf

	config_site > "${T}/config.site"
	[[ $(wc -l < "${T}/config.site") -gt 1500 ]] || die "the functions and headers of the library were not found"
	insinto /usr/share
	doins "${T}/config.site"
}
