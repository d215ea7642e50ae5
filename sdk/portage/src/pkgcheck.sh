# Installs pkgcheck from /in/wheels.tar and prints what it finds in the ebuild repository, a JSON document per line.
set -eu
mkdir /build/wheels
tar --extract --file /in/wheels.tar --directory /build/wheels
python3 -m venv --without-pip /build/pkgcheck
python3 -m pip --python /build/pkgcheck/bin/python install --quiet --no-index --no-deps --no-compile \
    --find-links /build/wheels --require-hashes -r /in/requirements.txt
/build/pkgcheck/bin/pkgcheck scan --repo /repos/slipway --cache-dir /build/cache --reporter JsonStream
