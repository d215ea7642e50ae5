# Boots /in/disk. $1 = its format, $2 = ssh key or nothing, $3 = ssh port, $4 = MiB of memory, $5 = size of the disk, $6 = cores.
# The disk is an overlay: the image itself is never written to.
set -eu
qemu-img create -q -f qcow2 -F "$1" -b /in/disk /out/disk.qcow2 "$5"
cp /usr/share/OVMF/OVMF_VARS_4M.fd /out/vars.fd
set -- "$@" -smbios "type=11,value=io.systemd.credential:ssh.authorized_keys.core=$2"
port=$3 memory=$4 cores=$6
shift 6
[ "$(echo "$2" | sed 's/.*core=//')" ] || shift 2
exec qemu-system-x86_64 -machine q35,smm=on -accel tcg,thread=multi -cpu max -smp "$cores" -m "$memory" -nographic -no-reboot \
    -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
    -drive if=pflash,format=raw,unit=1,file=/out/vars.fd \
    -drive if=virtio,format=qcow2,file=/out/disk.qcow2 \
    -netdev "user,id=net0,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net0 -device virtio-rng-pci "$@"
