# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

# @ECLASS: debian-patches.eclass
# @MAINTAINER:
# Slipway maintainers
# @SUPPORTED_EAPIS: 8
# @BLURB: apply the security patches that Debian carries
# @DESCRIPTION:
# The ebuild lists Debian's packaging tarball in SRC_URI. It is unpacked to ${WORKDIR}/debian, and the patches of
# debian/patches/series that match DEBIAN_PATCHES (an array of glob patterns, '*' for all) are applied in order.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_DEBIAN_PATCHES_ECLASS} ]]; then
_DEBIAN_PATCHES_ECLASS=1

# @FUNCTION: debian-patches_apply
# @DESCRIPTION: apply what DEBIAN_PATCHES selects, in the order of the series; dies when a pattern selects nothing
debian-patches_apply() {
	local series=${WORKDIR}/debian/patches/series pattern name rest
	local -A hit=()
	[[ ${#DEBIAN_PATCHES[@]} -gt 0 ]] || die "DEBIAN_PATCHES selects no patch; quote its patterns, or do not inherit ${ECLASS}"
	[[ -f ${series} ]] || die "no ${series}: is Debian's tarball in SRC_URI?"
	while read -r name rest; do
		[[ -z ${name} || ${name} == '#'* ]] && continue
		for pattern in "${DEBIAN_PATCHES[@]}"; do
			# The right side is a pattern on purpose.
			if [[ ${name} == ${pattern} ]]; then
				hit[${pattern}]=1
				eapply "${WORKDIR}/debian/patches/${name}"
				break
			fi
		done
	done < "${series}"
	for pattern in "${DEBIAN_PATCHES[@]}"; do
		[[ -n ${hit[${pattern}]} ]] || die "the pattern ${pattern} matches no patch of Debian's series"
	done
}

debian-patches_src_prepare() {
	debian-patches_apply
	default
}

EXPORT_FUNCTIONS src_prepare

fi
