#!/bin/sh
# Installs Portage from its wheel into the SDK root and gives it the few things that it expects of a Gentoo host.
# Run once, as root, inside the root while it is bootstrapped. $1 = the wheel, $2 = the list of packages that Debian provides.
set -eu
python3 -m venv --without-pip /opt/portage
python3 -m pip --python /opt/portage/bin/python install --quiet --no-index --no-deps --no-compile "$1"
# Compiled once for all that start it. The names of sets are ordered by their hashes, which are random unless told.
PYTHONHASHSEED=0 /opt/portage/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/portage/lib
# The wheel keeps its data below the virtual environment; Portage looks for it below its (empty) prefix.
[ -e /share ] || ln -s /opt/portage/share /share
# Several of its helpers are found next to the venv's own programs only.
getent group portage >/dev/null || groupadd --system --gid 250 portage
getent passwd portage >/dev/null || useradd --system --uid 250 --gid portage --home-dir /var/lib/portage --shell /usr/sbin/nologin portage
# Portage asks for GNU tools by the names they have on other systems.
for tool in tar make sed awk find xargs grep date install cp ln mv; do
    [ -e "/usr/bin/g$tool" ] || ln -s "$tool" "/usr/bin/g$tool"
done
# The wheel's defaults name Gentoo's own repository, which is not here.
: > /share/portage/config/repos.conf
mkdir -p /etc/portage/profile /var/lib/portage /var/db/pkg /var/db/repos /repos /sysroot /distfiles /out /build
ln -sfn /repos/slipway/profiles/slipway/amd64 /etc/portage/make.profile
cat > /etc/portage/repos.conf <<'CONF'
[DEFAULT]
main-repo = slipway
[slipway]
location = /repos/slipway
auto-sync = no
CONF
: > /etc/portage/make.conf
cp "$2" /etc/portage/profile/package.provided
# Ebuilds run in bash; Debian's /bin/sh stays dash, which is what configure scripts like best.
