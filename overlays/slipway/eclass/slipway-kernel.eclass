# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

# @ECLASS: slipway-kernel.eclass
# @MAINTAINER:
# Slipway maintainers
# @SUPPORTED_EAPIS: 8
# @BLURB: what packages that are built from the kernel's sources share
# @DESCRIPTION:
# S is the source tree. What no fragment of sys-kernel/slipway-kernel asks for, and nothing needs, is off.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_SLIPWAY_KERNEL_ECLASS} ]]; then
_SLIPWAY_KERNEL_ECLASS=1

HOMEPAGE="https://www.kernel.org/"
SRC_URI="mirror://debian/pool/main/l/linux/linux_${PV}.orig.tar.xz -> linux-${PV}.tar.xz"
S="${WORKDIR}/linux-${PV}"
LICENSE="GPL-2"
# Modules are stripped by kbuild and then compressed.
RESTRICT="strip"
# Beside these: zstd, and the headers of libelf and OpenSSL, all of the build machine.
BDEPEND="
	dev-lang/perl
	sys-devel/bc
	sys-devel/bison
	sys-devel/flex
"

# @FUNCTION: slipway-kernel_make
# @USAGE: [arguments]
# @DESCRIPTION: runs make for the target, in the same way whatever the machine
slipway-kernel_make() {
	local arch
	case ${CHOST} in
		x86_64-*) arch=x86 ;;
		aarch64-*) arch=arm64 ;;
		*) die "no kernel architecture for ${CHOST}" ;;
	esac
	# The flags and programs of the profile are meant for programs, not for a kernel or for the tools that build it.
	local -x KBUILD_BUILD_USER=slipway KBUILD_BUILD_HOST=slipway KBUILD_BUILD_VERSION=1 KBUILD_BUILD_TIMESTAMP
	KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u -d "@${SOURCE_DATE_EPOCH:?}") || die
	(
		unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS PKG_CONFIG
		emake ARCH="${arch}" CROSS_COMPILE="${CHOST}-" HOSTCC="${BUILD_CC}" HOSTCXX="${BUILD_CXX}" LOCALVERSION= "$@"
	) || die
}

# @FUNCTION: slipway-kernel_modules
# @USAGE: <configuration>
# @DESCRIPTION: prints the options that are modules, without CONFIG_
slipway-kernel_modules() {
	sed -n 's/^CONFIG_\([A-Za-z0-9_]*\)=m$/\1/p' "$1" || die
}

# @FUNCTION: slipway-kernel_install_modules
# @DESCRIPTION: installs the modules that were built. The index (depmod) is made for each image, from all that it has.
slipway-kernel_install_modules() {
	slipway-kernel_make INSTALL_MOD_PATH="${ED}/usr" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
	rm -f "${ED}"/usr/lib/modules/*/{build,source} || die
}

slipway-kernel_src_unpack() {
	# Of the documentation only its Kconfig is read.
	tar -xf "${DISTDIR}/linux-${PV}.tar.xz" -C "${WORKDIR}" --exclude='*/Documentation/[a-z]*' || die
}

EXPORT_FUNCTIONS src_unpack

fi
