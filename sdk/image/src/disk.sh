# Assembles the disk. $1 = the UKI's name on the ESP, $2 = the boot loader; /in holds usr.erofs, usr.verity, roothash, slipway.efi,
# repart.d and loader, a folder for the ESP.
set -eu
mkdir -p /tmp/esp/EFI/BOOT /tmp/esp/EFI/systemd /tmp/esp/EFI/Linux
install -m 0644 "$2" /tmp/esp/EFI/BOOT/BOOTX64.EFI
install -m 0644 "$2" /tmp/esp/EFI/systemd/systemd-bootx64.efi
cp /in/slipway.efi "/tmp/esp/EFI/Linux/$1"
cp -R /in/loader /tmp/esp/
# What comes from the store is read-only, which would become an attribute on the ESP.
chmod -R u+w /tmp/esp/loader
find /tmp/esp -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# The first half of the root hash is the UUID of the data partition, the second that of the hash tree.
uuid() { echo "$1" | sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12})/\1-\2-\3-\4-\5/'; }
hash=$(cat /in/roothash)
data=$(uuid "$(echo "$hash" | cut -c1-32)")
tree=$(uuid "$(echo "$hash" | cut -c33-64)")
mkdir /tmp/repart.d
for file in /in/repart.d/*.conf; do
    sed -e "s/@roothash-data@/$data/" -e "s/@roothash-tree@/$tree/" "$file" > "/tmp/repart.d/${file##*/}"
done
# All other identifiers follow from the content as well. mke2fs draws the seed of its directory hashes by chance, unless told.
export SYSTEMD_REPART_MKFS_OPTIONS_EXT4="-E nodiscard,lazy_itable_init=1,hash_seed=$data"
systemd-repart --offline=yes --empty=create --size=auto --seed="$data" --definitions=/tmp/repart.d --dry-run=no --no-pager /out/disk.raw
