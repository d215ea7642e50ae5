//! The packages of a release on other machines: installed by the stock `emerge`, and taken instead of being built.

use camino::Utf8Path;

use crate::{
    support::{root, state},
    update::world::World,
};

/// A package that needs another one.
const PACKAGE: &str = "sys-apps/less";

/// Portage as it comes, against a web server with what was published, on a root that has nothing but the links of folders, which no
/// package has. The C library is a member of the system set, so it is named. The SDK has no wget, which Portage fetches with.
const EMERGE: &str = r#"
set -eu
python3 -m http.server --bind 127.0.0.1 --directory /releases 8000 > /build/server.log 2>&1 &
until (: < /dev/tcp/127.0.0.1/8000) 2> /dev/null; do sleep 0.1; done
export PORTAGE_BINHOST=http://127.0.0.1:8000/binhost/amd64
export FETCHCOMMAND='python3 -c "import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])" "${URI}" "${DISTDIR}/${FILE}"'
mkdir -p $ROOT/usr/lib $ROOT/usr/bin
ln -s usr/lib $ROOT/lib64
emerge --getbinpkgonly --root-deps=rdeps sys-libs/glibc sys-apps/less > /build/emerge.log 2>&1 || { cat /build/emerge.log >&2; exit 1; }
unset LD_PRELOAD
chroot $ROOT /usr/bin/less --version | head -1 | cut -d' ' -f1,3-
cd $ROOT/var/db/pkg && echo */* | tr ' ' '\n' | sed 's/-[0-9].*//'
"#;

#[test]
fn packages_of_a_release_serve_other_machines() {
    let dir = state("binhost");
    let world = World::new(&dir.join("world"));
    world.share("4.0.0");

    let releases = format!("{}=/releases", world.releases);
    let overlay = format!("{}=/repos/slipway", root().join("overlays/slipway"));
    let mounts = ["shell", "--mount", &releases, "--mount", &overlay];
    let command = ["--", "/bin/bash", "-c", EMERGE];
    assert_eq!(
        world.xtask_alone(&[&mounts[..], &command].concat()),
        "less (POSIX regular expressions)\nsys-apps/less\nsys-libs/glibc\nsys-libs/ncurses"
    );

    // A machine that has built nothing: the SDK alone is the same.
    let empty = dir.join("cache");
    slipway_tests::caches::share_sdk(&world.xtask_alone(&["sdk", "path"]), &empty).unwrap();
    let taken = world.build_elsewhere(&empty, PACKAGE);
    let built = world.xtask_alone(&["build-packages", PACKAGE]);
    assert_eq!(digest(&taken), digest(&built));
    for (name, log) in logs(&empty) {
        assert!(log.contains("taken from the host of binary packages"), "{name} was built\n{log}");
    }
}

/// What `build-packages` says last: the name of the package in the store.
fn digest(said: &str) -> &str {
    said.rsplit('/').next().unwrap()
}

/// The logs of all packages that a cache came by.
fn logs(cache: &Utf8Path) -> Vec<(String, String)> {
    let mut logs = Vec::new();
    for entry in cache.join("store/logs").read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().starts_with("package=") {
            let log = fs_err::read_to_string(entry.path()).unwrap();
            logs.push((entry.file_name().to_owned(), log));
        }
    }
    assert!(logs.len() > 2, "{logs:?}");
    logs
}
