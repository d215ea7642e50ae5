# Makes the UKI. $1 = the command line; /in holds the trees kernel and systemd, and initrd, os-release and roothash.
set -eu
set -- "$1" /in/kernel/usr/lib/modules/*/vmlinuz
[ $# = 2 ] && [ -f "$2" ] || { echo "there is not exactly one kernel in the kernel package" >&2; exit 1; }
release=${2%/vmlinuz}
ukify build --linux="$2" --initrd=/in/initrd --os-release=@/in/os-release --uname="${release##*/}" \
    --stub=/in/systemd/usr/lib/systemd/boot/efi/linuxx64.efi.stub \
    --cmdline="usrhash=$(cat /in/roothash) $1" --output=/out/slipway.efi
