# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

DESCRIPTION="Linux kernel for container hosts, with its modules"
HOMEPAGE="https://www.kernel.org/"
SRC_URI="mirror://debian/pool/main/l/linux/linux_${PV}.orig.tar.xz -> linux-${PV}.tar.xz"
S="${WORKDIR}/linux-${PV}"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
# Modules are stripped by kbuild and then compressed.
RESTRICT="strip"
# Beside these: kmod, zstd, and the headers of libelf and OpenSSL, all of the build machine.
BDEPEND="
	dev-lang/perl
	sys-devel/bc
	sys-devel/bison
	sys-devel/flex
"

kmake() {
	# The flags and programs of the profile are meant for programs, not for a kernel or for the tools that build it.
	local -x KBUILD_BUILD_USER=slipway KBUILD_BUILD_HOST=slipway KBUILD_BUILD_VERSION=1 KBUILD_BUILD_TIMESTAMP
	KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u -d "@${SOURCE_DATE_EPOCH:?}") || die
	(
		unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG
		emake ARCH="${KERNEL_ARCH}" CROSS_COMPILE="${CHOST}-" HOSTCC="${BUILD_CC}" HOSTCXX="${BUILD_CXX}" LOCALVERSION= "$@"
	) || die
}

# Prints each requested option that the configuration does not have as requested.
missing_options() {
	awk '
		match($0, /CONFIG_[A-Za-z0-9_]+/) {
			name = substr($0, RSTART, RLENGTH)
			if ($0 !~ /^(CONFIG_[A-Za-z0-9_]+=|# CONFIG_[A-Za-z0-9_]+ is not set$)/) next
			value = ($0 ~ /^#/) ? "n" : substr($0, RSTART + RLENGTH + 1)
			if (NR == FNR) got[name] = value
			else if ((name in got ? got[name] : "n") != value)
				print name ": requested " value ", got " (name in got ? got[name] : "n") " (" FILENAME ")"
		}
	' .config "$@" || die
}

src_unpack() {
	# Of the documentation only its Kconfig is read.
	tar -xf "${DISTDIR}/linux-${PV}.tar.xz" -C "${WORKDIR}" --exclude='*/Documentation/[a-z]*' || die
}

src_configure() {
	local cpu=${CHOST%%-*} fragments missing
	case ${cpu} in
		x86_64) KERNEL_ARCH=x86 ;;
		aarch64) KERNEL_ARCH=arm64 ;;
		*) die "no kernel architecture for ${CHOST}" ;;
	esac
	fragments=( "${FILESDIR}"/config.d/*.config "${FILESDIR}/config.d/${cpu}"/*.config )
	# What no fragment asks for, and nothing needs, is off.
	cat "${fragments[@]}" > "${T}/requested.config" || die
	kmake KCONFIG_ALLCONFIG="${T}/requested.config" allnoconfig
	missing=$(missing_options "${fragments[@]}")
	[[ -z ${missing} ]] || die "the kernel configuration is not what was requested:"$'\n'"${missing}"
}

src_compile() {
	kmake all
}

src_install() {
	local release image
	release=$(<include/config/kernel.release) || die
	kmake INSTALL_MOD_PATH="${ED}/usr" INSTALL_MOD_STRIP=1 modules_install
	rm -f "${ED}/usr/lib/modules/${release}"/{build,source} || die
	[[ -s ${ED}/usr/lib/modules/${release}/modules.dep ]] || die "depmod did not run"
	image=$(kmake -s image_name) || die
	insinto "/usr/lib/modules/${release}"
	newins "${image}" vmlinuz
	newins .config config
}
