#!/bin/sh
# Lays Debian's compiler and binutils a second time under /opt/toolchain, without any C library, and wraps them so that
# headers, start files and libraries come from /sysroot alone. Run once, as root, while the root is bootstrapped.
# $1 = clock.c
set -eu
triplet=x86_64-slipway-linux-gnu
debian=x86_64-linux-gnu
prefix=/opt/toolchain
version=14
mkdir -p $prefix/bin

# The files of these packages make up the compiler. No -dev package of a library is among them.
for package in binutils-x86-64-linux-gnu cpp-$version-x86-64-linux-gnu gcc-$version-x86-64-linux-gnu \
    g++-$version-x86-64-linux-gnu libgcc-$version-dev libstdc++-$version-dev; do
    dpkg -L "$package"
done | grep -E '^/usr/(bin|lib|libexec|include)/' | grep -v "^/usr/lib/$debian/" | sort -u | while read -r path; do
    [ -d "$path" ] && [ ! -L "$path" ] && continue
    mkdir -p "$prefix$(dirname "$path")"
    cp -a "$path" "$prefix$path"
done
# Run-time libraries are a package of the target (sys-libs/gcc-libs) and may only come from the sysroot. Its sources are kept here.
mkdir -p $prefix/runtime
for library in libgcc_s.so.1 libstdc++.so.6 libatomic.so.1 libgomp.so.1; do
    cp -aL "/usr/lib/$debian/$library" "$prefix/runtime/$library"
done
gccdir=$prefix/usr/lib/gcc/$debian/$version
for library in stdc++ stdc++fs stdc++exp supc++ atomic gomp itm asan lsan tsan ubsan hwasan quadmath gcov; do
    rm -f $gccdir/lib$library.so
    case $library in supc++ | stdc++ | atomic) mv $gccdir/lib$library.a $prefix/runtime/ ;; gcov) ;; *) rm -f $gccdir/lib$library.a ;; esac
done
# The compiler looks for its assembler and linker beside itself first.
mkdir -p $prefix/usr/$debian/bin
for tool in as ld ld.bfd nm objcopy objdump ranlib strip ar readelf; do
    [ -e $prefix/usr/bin/$debian-$tool ] && ln -sf ../../bin/$debian-$tool $prefix/usr/$debian/bin/$tool
done

wrap() { # name, program, arguments before the user's
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$2" "$3" > "$prefix/bin/$triplet-$1"
    chmod 0755 "$prefix/bin/$triplet-$1"
}
for driver in gcc g++ cpp; do
    wrap $driver $prefix/usr/bin/$debian-$driver-$version "--sysroot=/sysroot"
done
ln -sf $triplet-gcc $prefix/bin/$triplet-cc
ln -sf $triplet-g++ $prefix/bin/$triplet-c++
wrap ld $prefix/usr/bin/$debian-ld "--sysroot=/sysroot"
ln -sf $triplet-ld $prefix/bin/$triplet-ld.bfd
for tool in as ar nm ranlib strip objcopy objdump readelf strings addr2line size elfedit c++filt gprof; do
    [ -e $prefix/usr/bin/$debian-$tool ] && ln -sf ../usr/bin/$debian-$tool $prefix/bin/$triplet-$tool
done
for tool in gcc-ar gcc-nm gcc-ranlib; do
    ln -sf ../usr/bin/$debian-$tool-$version $prefix/bin/$triplet-$tool
done
cat > $prefix/bin/$triplet-pkg-config <<'WRAP'
#!/bin/sh
# Only the sysroot's packages, and their paths inside it.
export PKG_CONFIG_LIBDIR=/sysroot/usr/lib/pkgconfig:/sysroot/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=/sysroot
unset PKG_CONFIG_PATH
exec /usr/bin/pkgconf "$@"
WRAP
chmod 0755 $prefix/bin/$triplet-pkg-config
ln -sf $triplet-pkg-config $prefix/bin/$triplet-pkgconf

mkdir -p $prefix/share
cat > $prefix/share/meson-cross.ini <<CROSS
[binaries]
c = '$triplet-gcc'
cpp = '$triplet-g++'
ar = '$triplet-gcc-ar'
nm = '$triplet-nm'
ranlib = '$triplet-gcc-ranlib'
strip = '$triplet-strip'
objcopy = '$triplet-objcopy'
pkg-config = '$triplet-pkg-config'
[properties]
needs_exe_wrapper = true
sys_root = '/sysroot'
[host_machine]
system = 'linux'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
CROSS
cat > $prefix/share/toolchain.cmake <<CMAKE
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_SYSROOT /sysroot)
set(CMAKE_C_COMPILER $prefix/bin/$triplet-gcc)
set(CMAKE_CXX_COMPILER $prefix/bin/$triplet-g++)
set(CMAKE_AR $prefix/bin/$triplet-gcc-ar)
set(CMAKE_RANLIB $prefix/bin/$triplet-gcc-ranlib)
set(CMAKE_STRIP $prefix/bin/$triplet-strip)
set(PKG_CONFIG_EXECUTABLE $prefix/bin/$triplet-pkg-config)
set(CMAKE_FIND_ROOT_PATH /sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
CMAKE

# A standing clock for everything that runs in a build container (see clock.c).
gcc -O2 -fPIC -shared -o $prefix/clock.so "$1"
