# Builds one package. $1 = the ebuild, $2 = category, $3 = name and version.
set -eu
umask 022
ebuild "$1" package
mv "/out/$2/$3.gpkg.tar" /out/package.gpkg.tar
rm -rf "/out/$2" /out/Packages /out/Packages.gz
