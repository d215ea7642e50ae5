# Copyright 2026 The Slipway Authors
# Distributed under the terms of the Apache License 2.0

EAPI=8

inherit meson

DESCRIPTION="System and service manager, with networking, disk setup and the boot loader for UEFI"
HOMEPAGE="https://systemd.io/"
SRC_URI="mirror://debian/pool/main/s/systemd/systemd_${PV}.orig.tar.gz -> ${P}.debian.orig.tar.gz"
LICENSE="LGPL-2.1+ GPL-2+ MIT CC0-1.0"
SLOT="0"
KEYWORDS="amd64"
# sys-libs/libsystemd is built from the same sources and installs libsystemd and libudev with their headers.
DEPEND="
	app-arch/xz-utils:=
	app-arch/zstd:=
	dev-libs/openssl:=
	sys-apps/acl
	sys-apps/kmod:=
	sys-apps/util-linux
	sys-fs/cryptsetup:=
	sys-libs/libcap:=
	sys-libs/libseccomp:=
	sys-libs/libxcrypt:=
	sys-libs/pam
"
RDEPEND="${DEPEND}
	sys-apps/dbus-broker
	sys-libs/libsystemd
"
BDEPEND="
	dev-lang/python
	dev-python/jinja2
	dev-python/pyelftools
	dev-util/gperf
"

# The build runs the first python3 of PATH. That is Portage's own one, which has no further modules.
_with_python() {
	mkdir -p "${T}/python" || die
	ln -snf /usr/bin/python3 "${T}/python/python3" || die
	local -x PATH=${T}/python:${PATH}
	"$@"
}

src_prepare() {
	default
	# There is no polyinstantiation here.
	sed -i '/pam_namespace/d' src/login/systemd-user.in src/run/systemd-run0.in || die
	# PAM reads its defaults from /usr/lib/pam.d, there is nothing to copy.
	sed -i -e '/HAVE_PAM/,/endif/d' -e '/locale.conf/d' -e '/vconsole.conf/d' tmpfiles.d/etc.conf.in || die
}

src_configure() {
	local EMESONARGS=(
		--auto-features=disabled
		-Dmode=release
		-Dversion-tag=${PV}
		-Dshared-lib-tag=${PV}
		-Dvcs-tag=false
		-Dtime-epoch=1735689600

		# layout
		-Dsplit-bin=false
		-Dinstall-sysconfdir=false
		-Dcreate-log-dirs=false
		-Dsysvinit-path=
		-Dsysvrcnd-path=
		-Drpmmacrosdir=no
		-Dxinitrcdir=no
		-Dshellprofiledir=no
		-Dsshconfdir=no
		-Dsshdconfdir=no
		-Dsshdprivsepdir=no
		-Dbashcompletiondir=no
		-Dzshcompletiondir=no
		-Ddbuspolicydir=/usr/share/dbus-1/system.d
		-Dpamconfdir=/usr/lib/pam.d
		-Dpamlibdir=/usr/lib/security
		-Dcertificate-root=/etc/ssl
		-Dkexec-path=/usr/bin/kexec
		-Dkmod-path=/usr/bin/kmod
		-Dloadkeys-path=/usr/bin/loadkeys
		-Dmount-path=/usr/bin/mount
		-Dnologin-path=/usr/bin/nologin
		-Dquotacheck-path=/usr/bin/quotacheck
		-Dquotaon-path=/usr/bin/quotaon
		-Dsetfont-path=/usr/bin/setfont
		-Dsulogin-path=/usr/bin/sulogin
		-Dumount-path=/usr/bin/umount

		# libraries
		-Dacl=enabled
		-Dblkid=enabled
		-Dcryptolib=openssl
		-Dfdisk=enabled
		-Dkmod=enabled
		-Dlibcryptsetup=enabled
		-Dlibcryptsetup-plugins=enabled
		-Dopenssl=enabled
		-Dpam=enabled
		-Dseccomp=enabled
		-Dxz=enabled
		-Dzstd=enabled
		-Ddefault-compression=zstd
		-Ddns-over-tls=openssl
		-Didn=false
		-Dima=false
		-Dipe=false
		-Dsmack=false
		-Dstatic-libsystemd=false
		-Dstatic-libudev=false

		# parts
		-Danalyze=true
		-Dbinfmt=true
		-Dcoredump=true
		-Defi=true
		-Denvironment-d=true
		-Dfirstboot=true
		-Dhibernate=false
		-Dhostnamed=true
		-Dinitrd=true
		-Dlogind=true
		-Dmachined=true
		-Dnetworkd=true
		-Dnss-myhostname=true
		-Dnss-mymachines=enabled
		-Dnss-resolve=enabled
		-Dnss-systemd=true
		-Doomd=false
		-Dportabled=false
		-Dpstore=true
		-Drandomseed=true
		-Drepart=enabled
		-Dresolve=true
		-Dsysext=true
		-Dsysupdate=disabled
		-Dsysupdated=disabled
		-Dsysusers=true
		-Dtimedated=true
		-Dtimesyncd=true
		-Dtmpfiles=true
		-Dtpm=true
		-Duserdb=false
		-Dbacklight=false
		-Dgshadow=true
		-Dhwdb=false
		-Dkernel-install=false
		-Dldconfig=false
		-Dlocaled=false
		-Dmountfsd=false
		-Dnscd=false
		-Dnsresourced=false
		-Dquotacheck=false
		-Drfkill=false
		-Dstoragetm=false
		-Dtranslations=false
		-Dvconsole=false
		-Dxdg-autostart=false
		-Dtests=false
		-Dfuzz-tests=false

		# boot loader and stub
		-Dbootloader=enabled
		-Dsbat-distro=slipway
		-Dsbat-distro-generation=1
		"-Dsbat-distro-summary=Slipway Linux"
		-Dsbat-distro-pkgname=systemd
		-Dsbat-distro-version=${PVR}
		-Dsbat-distro-url=https://systemd.io/

		# defaults; time servers and name servers come from the network
		-Dadm-group=true
		-Dwheel-group=true
		-Ddefault-dnssec=no
		-Ddefault-dns-over-tls=no
		-Ddefault-hierarchy=unified
		-Ddefault-llmnr=no
		-Ddefault-locale=C.UTF-8
		-Ddefault-mdns=no
		-Ddns-servers=
		-Dfallback-hostname=localhost
		-Dnobody-group=nobody
		-Dnobody-user=nobody
		-Dntp-servers=
		-Dsupport-url=https://systemd.io/
		-Dtty-mode=0620
	)
	_with_python meson_src_configure
}

src_compile() {
	_with_python meson_src_compile
}

src_install() {
	_with_python meson_src_install
	# sys-libs/libsystemd's
	rm -r "${ED}"/usr/include "${ED}"/usr/lib/lib{systemd,udev}.so* "${ED}"/usr/lib/pkgconfig "${ED}"/usr/share/pkgconfig || die
	# nsswitch.conf is glibc's, and PAM needs no copy.
	rm -rf "${ED}"/usr/share/factory "${ED}"/usr/share/doc "${ED}"/usr/share/polkit-1 "${ED}"/usr/share/mime \
		"${ED}"/etc "${ED}"/var || die

	# The catalogue of messages would be compiled at each machine's first boot, while everything waits for it.
	# `journalctl --update-catalog` does it for whoever reads explanations.
	rm "${ED}"/usr/lib/systemd/system/sysinit.target.wants/systemd-journal-catalog-update.service || die
	# These modules are built into the kernel. Asking for them starts a program each, before anything else can go on.
	local module
	for module in configfs dm_mod drm efi_pstore fuse loop; do
		dosym /dev/null "/usr/lib/systemd/system/modprobe@${module}.service"
	done

	# /etc may be empty at each boot. What has to run is not left to presets.
	local units=/usr/lib/systemd/system unit
	for unit in {machines,remote-cryptsetup,remote-fs}.target systemd-networkd.service; do
		dosym ../${unit} ${units}/multi-user.target.wants/${unit}
	done
	for unit in systemd-{confext,network-generator,pstore,resolved,sysext,timesyncd}.service; do
		dosym ../${unit} ${units}/sysinit.target.wants/${unit}
	done
	dosym ../systemd-networkd.socket ${units}/sockets.target.wants/systemd-networkd.socket
	dosym ../systemd-networkd-wait-online.service ${units}/network-online.target.wants/systemd-networkd-wait-online.service
	dosym ../getty@.service ${units}/getty.target.wants/getty@tty1.service
	for unit in network:network1 resolve:resolve1 timesync:timesync1; do
		dosym systemd-${unit%:*}d.service ${units}/dbus-org.freedesktop.${unit#*:}.service
	done
}
