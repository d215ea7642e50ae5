# Boots the disk image /in/disk. $1 = its format, $2 = ssh port, $3 = MiB of memory, $4 = size of the disk, $5 = cores, $6 = whether
# the firmware can do Secure Boot (with one core), $7 = whether writes are logged; then credentials as NAME=VALUE. The image itself
# is never written to: /out holds an overlay and the variables of the firmware.
# The overlay is not synced (cache=unsafe): what the guest wrote survives its own crash, not one of this machine.
set -eu
[ -e /out/disk.qcow2 ] || qemu-img create -q -f qcow2 -F "$1" -b /in/disk /out/disk.qcow2 "$4"
[ -e /out/vars.fd ] || cp /usr/share/OVMF/OVMF_VARS_4M.fd /out/vars.fd
port=$2 memory=$3 cores=$5 firmware=OVMF_CODE_4M.fd machine=(-machine q35)
if [ "$6" = true ]; then
    # Its variables are safe from the system only in system management mode.
    firmware=OVMF_CODE_4M.secboot.fd machine=(-machine "q35,smm=on" -global "driver=cfi.pflash01,property=secure,value=on")
fi
disk=(-drive "if=virtio,format=qcow2,cache=unsafe,file=/out/disk.qcow2")
if [ "$7" = true ]; then
    : > /out/writes.log
    disk=(
        -blockdev driver=file,filename=/out/disk.qcow2,node-name=file,cache.no-flush=on
        -blockdev driver=qcow2,file=file,node-name=overlay
        -blockdev driver=file,filename=/out/writes.log,node-name=log,cache.no-flush=on
        -blockdev driver=blklogwrites,file=overlay,log=log,node-name=disk
        -device virtio-blk-pci,drive=disk
    )
fi
shift 7
# The emulator makes a step of each byte that a string instruction copies or clears. Without the flags that praise these
# instructions, the kernel and the C library take others.
cpu=max,-erms,-fsrm,-fzrm,-fsrs
credentials=()
for credential; do
    value=$(printf %s "${credential#*=}" | base64 -w0)
    credentials+=(-smbios "type=11,value=io.systemd.credential.binary:${credential%%=*}=$value")
done
exec qemu-system-x86_64 "${machine[@]}" -accel tcg,thread=multi -cpu "$cpu" -smp "$cores" -m "$memory" -no-reboot \
    -nodefaults -display none -serial mon:stdio \
    -drive if=pflash,format=raw,unit=0,readonly=on,file="/usr/share/OVMF/$firmware" \
    -drive if=pflash,format=raw,unit=1,file=/out/vars.fd \
    "${disk[@]}" \
    -netdev "user,id=net0,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net0 -device virtio-rng-pci \
    "${credentials[@]}"
