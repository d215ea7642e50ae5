# Downloads pkgcheck and what it needs, by the digests of /in/requirements.txt, into one archive.
set -eu
mkdir /build/wheels
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    -r /in/requirements.txt -d /build/wheels
tar --create --file /out/wheels.tar --directory /build/wheels --sort=name --mtime=@0 --owner=0 --group=0 --mode=0644 \
    --numeric-owner $(ls /build/wheels)
