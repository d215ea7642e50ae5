# Makes the index of kernel modules, as the archive of a tree. /in has the trees of the packages of the kernel. $1 = seconds since
# 1970 for all times.
set -eu
time=$1 root=/tmp/root
mkdir -p $root/usr/lib
ln -s usr/lib $root/lib
for tree in /in/*/*; do
    [ ! -d "$tree/usr/lib/modules" ] || cp -r "$tree/usr/lib/modules" $root/usr/lib/
done
set -- $root/usr/lib/modules/*
[ $# = 1 ] && [ -d "$1/kernel" ] || { echo "there is not exactly one kernel with modules: ${*##*/}" >&2; exit 1; }
# What depmod makes is newer than all that was there.
touch /tmp/before
depmod --basedir=$root "${1##*/}"
[ -s "$1/modules.dep.bin" ]
cd $root
find "usr/lib/modules/${1##*/}" -maxdepth 1 -type f -newer /tmp/before -print0 | sort -z |
    tar --create --file=/out/modules.tar --null --files-from=- --owner=0 --group=0 --numeric-owner --mode=0644 --mtime="@$time"
