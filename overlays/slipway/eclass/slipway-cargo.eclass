# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

# @ECLASS: slipway-cargo.eclass
# @MAINTAINER:
# Slipway maintainers
# @SUPPORTED_EAPIS: 8
# @BLURB: build a Rust program of this repository
# @DESCRIPTION:
# The package NAME is built from the crate slipway-NAME of the work tree. /source/workspace is the part of the cargo workspace
# that the crate uses, /source/crates what it takes from the registry. Nothing is in SRC_URI, and there is no Manifest.
#
# Host programs (build scripts, procedural macros) are linked by the build machine's own compiler, the result by the cross
# compiler against /sysroot. S is the workspace; the crate's folder in it is printed by slipway-cargo_dir.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI} is not supported" ;;
esac

if [[ -z ${_SLIPWAY_CARGO_ECLASS} ]]; then
_SLIPWAY_CARGO_ECLASS=1

BDEPEND="dev-lang/rust-bin"
S="${WORKDIR}/workspace"

# @ECLASS_VARIABLE: SLIPWAY_CARGO_FEATURES
# @DESCRIPTION: array of features to build with; default: the crate's own default features

# @ECLASS_VARIABLE: SLIPWAY_CARGO_FAST
# @DESCRIPTION: array of crates that are optimised as far as possible, because they work on every byte; the rest only as far as costs
# the compiler little

# @ECLASS_VARIABLE: SLIPWAY_CARGO_CRATE
# @DESCRIPTION: the crate that is built
SLIPWAY_CARGO_CRATE="slipway-${PN}"

_SLIPWAY_RUST=/sysroot/usr/lib/rust-bin

# @FUNCTION: slipway-cargo_triple
# @DESCRIPTION: prints what Rust calls the target
slipway-cargo_triple() {
	case ${CHOST} in
		x86_64-*) echo x86_64-unknown-linux-gnu ;;
		*) die "no Rust target is known for ${CHOST}" ;;
	esac
}

# @FUNCTION: _slipway-cargo_cpu
# @INTERNAL
# @DESCRIPTION: prints rustc's flag for the processors that the target's CFLAGS ask for
_slipway-cargo_cpu() {
	[[ " ${CFLAGS} " =~ \ -march=([^ ]+)\  ]] && echo "-Ctarget-cpu=${BASH_REMATCH[1]}"
}

# @FUNCTION: slipway-cargo_dir
# @DESCRIPTION: prints the folder of the crate
slipway-cargo_dir() {
	local manifest
	manifest=$(grep -lxF "name = \"${SLIPWAY_CARGO_CRATE}\"" $(find "${S}" -name Cargo.toml)) || die "no crate ${SLIPWAY_CARGO_CRATE}"
	echo "${manifest%/Cargo.toml}"
}

# @FUNCTION: slipway-cargo_run
# @USAGE: <verb> [arguments]
# @DESCRIPTION: runs cargo without network, in the way that everything of this eclass is built
slipway-cargo_run() {
	local triple flag jobs=1
	triple=$(slipway-cargo_triple) || die
	[[ ${MAKEOPTS} =~ -j([0-9]+) ]] && jobs=${BASH_REMATCH[1]}
	# These reach the target's code alone, because cargo is given a target. A linker in the configuration would also link what
	# runs on the build machine, which has the same triple.
	local rustflags=(
		-Clinker="${CC}"
		$(_slipway-cargo_cpu)
		--remap-path-prefix="${WORKDIR}=/usr/src/${PN}"
	)
	for flag in ${LDFLAGS}; do
		rustflags+=(-Clink-arg="${flag}")
	done
	# A crate that is not built is only warned of, so these stand for whatever has been asked for.
	local fast=()
	for flag in "${SLIPWAY_CARGO_FAST[@]}"; do
		fast+=(--config "profile.release.package.${flag}.opt-level=3")
	done
	env -u RUSTFLAGS \
		PATH="${_SLIPWAY_RUST}/bin:${PATH}" \
		CARGO_HOME="${T}/cargo" \
		CARGO_BUILD_JOBS="${jobs}" \
		CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; echo "${rustflags[*]}")" \
		CARGO_INCREMENTAL=0 \
		CARGO_PROFILE_RELEASE_DEBUG=false \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_STRIP=symbols \
		CARGO_TARGET_DIR="${WORKDIR}/target" \
		CARGO_TERM_COLOR=never \
		CFLAGS="${CFLAGS} -ffile-prefix-map=${WORKDIR}=/usr/src/${PN}" \
		CXXFLAGS="${CXXFLAGS} -ffile-prefix-map=${WORKDIR}=/usr/src/${PN}" \
		ZSTD_SYS_USE_PKG_CONFIG=1 \
		cargo "${fast[@]}" "$@" || die "cargo $1 failed"
}

slipway-cargo_src_unpack() {
	local archive name digest
	cp -r --no-preserve=mode /source/workspace "${S}" || die
	mkdir "${WORKDIR}/vendor" || die
	for archive in /source/crates/*.crate; do
		[[ -f ${archive} ]] || continue
		name=${archive##*/}
		name=${name%.crate}
		tar -xzf "${archive}" --no-same-owner -C "${WORKDIR}/vendor" || die "cannot unpack ${archive}"
		digest=$(sha256sum < "${archive}") || die
		# The archive was checked when it was fetched; cargo compares the digest with the lock file once more.
		printf '{"files":{},"package":"%s"}' "${digest%% *}" > "${WORKDIR}/vendor/${name}/.cargo-checksum.json" || die
	done
	mkdir "${WORKDIR}/.cargo" || die
	cat > "${WORKDIR}/.cargo/config.toml" <<-EOF || die
		[source.crates-io]
		replace-with = "vendor"
		[source.vendor]
		directory = "${WORKDIR}/vendor"
		[net]
		offline = true
	EOF
}

# @FUNCTION: _slipway-cargo_locked
# @USAGE: <lock file>
# @INTERNAL
# @DESCRIPTION: prints what of a lock file says what is built: name, version and digest of each package
_slipway-cargo_locked() {
	awk '/^\[\[package/ { name = version = "" } /^name/ { name = $3 } /^version/ { version = $3 }
		/^checksum/ { print name, version, $3 }' "$1" | sort
}

# @FUNCTION: slipway-cargo_src_configure
# @DESCRIPTION:
# The lock file has what any feature of the workspace's crates could need. Cargo drops what this crate does not use; it may drop
# entries, but not change any.
slipway-cargo_src_configure() {
	local new
	_slipway-cargo_locked Cargo.lock > "${T}/locked" || die
	slipway-cargo_run metadata --offline --format-version 1 > /dev/null
	new=$(_slipway-cargo_locked Cargo.lock | comm -13 "${T}/locked" -) || die
	[[ -z ${new} ]] || die "cargo would build what Cargo.lock does not name: ${new}"
}

slipway-cargo_src_compile() {
	local features=
	[[ ${#SLIPWAY_CARGO_FEATURES[@]} -eq 0 ]] || features="--features=$(IFS=,; echo "${SLIPWAY_CARGO_FEATURES[*]}")"
	slipway-cargo_run build --release --offline --locked --target "$(slipway-cargo_triple)" \
		--package "${SLIPWAY_CARGO_CRATE}" --bins ${features} "$@"
}

# @FUNCTION: slipway-cargo_bins
# @DESCRIPTION: prints the paths of the programs that were built, one per line
slipway-cargo_bins() {
	find "${WORKDIR}/target/$(slipway-cargo_triple)/release" -maxdepth 1 -type f -executable ! -name '*.so' | sort
}

slipway-cargo_src_install() {
	local program
	while read -r program; do
		dobin "${program}"
	done < <(slipway-cargo_bins)
}

EXPORT_FUNCTIONS src_unpack src_configure src_compile src_install

fi
