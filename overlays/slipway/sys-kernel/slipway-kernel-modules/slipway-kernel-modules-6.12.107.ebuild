# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit slipway-kernel

DESCRIPTION="Modules of the kernel for real hardware and for hosts of containers and virtual machines"
SLOT="0"
KEYWORDS="amd64"
DEPEND="~sys-kernel/slipway-kernel-${PV}"
RDEPEND="${DEPEND}"

src_configure() {
	local kernel=( /sysroot/usr/lib/modules/* )
	[[ ${#kernel[@]} -eq 1 && -s ${kernel}/build/Module.symvers ]] || die "there is not exactly one kernel in ${kernel[*]}"
	KERNEL=${kernel}
	cp "${KERNEL}/config" .config || die
	slipway-kernel_make olddefconfig
	cmp .config "${KERNEL}/config" || die "the kernel was configured by other tools"
}

src_compile() {
	local others
	# As if the kernel's own modules were built in: then they are not built here, but what depends on one has its part for it.
	others=$(slipway-kernel_modules .config | grep -vxFf "${KERNEL}/build/extra-modules" | sed 's/.*/CONFIG_&=y/') || die
	# kbuild wants the object of the whole kernel to know its symbols. Their list is enough.
	cat > "${T}/modpost" <<-EOF || die
		#!/bin/sh
		exec scripts/mod/modpost -i ${KERNEL}/build/Module.symvers "\$@"
	EOF
	chmod +x "${T}/modpost" || die
	slipway-kernel_make ${others} MODPOST="${T}/modpost" modules
}

src_install() {
	cp "${KERNEL}"/modules.builtin{,.modinfo} . || die
	slipway-kernel_install_modules
	# The kernel's
	rm "${ED}"/usr/lib/modules/*/modules.* || die
}
