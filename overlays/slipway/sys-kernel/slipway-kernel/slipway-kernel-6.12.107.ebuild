# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit slipway-kernel

DESCRIPTION="Linux kernel, with the modules that a virtual machine needs"
SLOT="0"
KEYWORDS="amd64"

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

# Prints the options of modules that sys-kernel/slipway-kernel-modules builds.
extra_modules() {
	sed '/^#/d' "${FILESDIR}/extra-modules" | tr -s ' \n' '\n' | sed '/^$/d' || die
}

src_configure() {
	local fragments missing
	fragments=( "${FILESDIR}"/config.d/*.config "${FILESDIR}/config.d/${CHOST%%-*}"/*.config )
	cat "${fragments[@]}" > "${T}/requested.config" || die
	slipway-kernel_make KCONFIG_ALLCONFIG="${T}/requested.config" allnoconfig
	missing=$(missing_options "${fragments[@]}")
	[[ -z ${missing} ]] || die "the kernel configuration is not what was requested:"$'\n'"${missing}"
	missing=$(extra_modules | grep -vxFf <(slipway-kernel_modules .config))
	[[ -z ${missing} ]] || die "files/extra-modules names what is no module: ${missing}"
}

src_compile() {
	# To the compiler the configuration is the same, so that modules that are built apart fit the kernel.
	slipway-kernel_make $(extra_modules | sed 's/.*/CONFIG_&=/') all
}

src_install() {
	local release image
	release=$(<include/config/kernel.release) || die
	slipway-kernel_install_modules
	image=$(slipway-kernel_make -s image_name) || die
	insinto "/usr/lib/modules/${release}"
	newins "${image}" vmlinuz
	newins .config config
	# What building further modules takes.
	extra_modules > "${T}/extra-modules" || die
	insinto "/usr/lib/modules/${release}/build"
	doins Module.symvers "${T}/extra-modules"
}
