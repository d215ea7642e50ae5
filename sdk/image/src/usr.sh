# Makes /usr from /in/usr.tar. $1 = seconds since 1970 for all times.
set -eu
# Identifiers of the formats carry no meaning here: the root hash identifies the content.
uuid=5f1bb1a0-5117-4a4b-9d1e-000000000000
salt=0000000000000000000000000000000000000000000000000000000000000000
mkfs.erofs --quiet -zzstd,level=9 -C131072 -Efragments,dedupe -T"$1" -U$uuid --tar=f /out/usr.erofs /in/usr.tar
veritysetup format --hash=sha256 --data-block-size=4096 --hash-block-size=4096 --salt=$salt --uuid=$uuid \
    /out/usr.erofs /out/usr.verity > /tmp/verity
sed -n 's/^Root hash:[[:space:]]*//p' /tmp/verity | tr -d '\n' > /out/roothash
[ "$(wc -c < /out/roothash)" = 64 ]
