//! Making a root: that it is right, and that whatever goes wrong leaves nothing behind that is later used.

use std::{os::unix::fs::PermissionsExt as _, sync::Mutex, time::Duration};

use futures::future::BoxFuture;
use slipway_seed::{
    EnsureOptions, RunError, RunInRoot, SdkRoot, SeedError, SeedEvent, SeedLock, SetupStep,
    StepMount, ensure, update,
};

use crate::support::{Answer, FakeRunner, Kind, Package, World, chain, publish};

fn base_files() -> Package {
    Package {
        name: "base-files",
        version: "13",
        fields: "Essential: yes\n",
        files: vec![
            ("./", Kind::Directory(0o755)),
            ("./tmp/", Kind::Directory(0o1777)),
            ("./bin", Kind::Symlink("usr/bin")),
            ("./etc/", Kind::Directory(0o755)),
            ("./etc/debian_version", Kind::File(0o644, "13.1\n")),
            ("./usr/share/doc/base-files/", Kind::Directory(0o755)),
            ("./usr/share/doc/base-files/README", Kind::File(0o644, "long")),
        ],
        control_files: vec![
            ("preinst", "#!/bin/sh\n"),
            ("conffiles", "/etc/debian_version\n"),
            ("triggers", "interest-noawait /usr/lib/x\n"),
        ],
    }
}

fn tool(version: &'static str) -> Package {
    Package {
        name: "tool",
        version,
        fields: "Depends: base-files\n",
        files: vec![
            ("./tmp/", Kind::Directory(0o700)),
            ("./bin/", Kind::Directory(0o755)),
            ("./bin/tool", Kind::File(0o4755, "#!/bin/sh\n")),
            ("./usr/bin/alias", Kind::Hardlink("./bin/tool")),
        ],
        control_files: vec![],
    }
}

fn packages() -> Vec<Package> {
    vec![base_files(), tool("1.0")]
}

async fn lock(world: &World) -> SeedLock {
    update(&world.spec(&["tool"]), &world.update_options(), &|_| ()).await.unwrap().lock
}

async fn make(
    world: &World,
    lock: &SeedLock,
    options: EnsureOptions,
) -> Result<SdkRoot, SeedError> {
    ensure(&world.spec(&["tool"]), lock, options, &FakeRunner::default(), &|_| ()).await
}

/// Fails with a text that has all of these parts, and leaves no root and no temporary file.
async fn fails_cleanly(world: &World, lock: &SeedLock, parts: &[&str]) {
    let error = chain(&make(world, lock, world.options()).await.unwrap_err());
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    assert_eq!(world.results(), [""; 0]);
    // What was being written beside the file that failed is given up, which may take a moment longer.
    let unfinished = || {
        world.debs().into_iter().find(|name| !name.ends_with(".deb") || name.starts_with("tmp-"))
    };
    for _ in 0..100 {
        if unfinished().is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?} was left", unfinished());
}

#[tokio::test]
async fn a_root_is_made_once() {
    let world = World::new(&packages()).await;
    let (lock, runner) = (lock(&world).await, FakeRunner::default());
    let spec = world.spec(&["tool"]);
    let root = ensure(&spec, &lock, world.options(), &runner, &|_| ()).await.unwrap();
    let mode =
        |path: &str| fs_err::metadata(root.dir.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("usr/bin/tool"), 0o4755);
    assert_eq!(fs_err::read_link(root.dir.join("bin")).unwrap().to_str(), Some("usr/bin"));
    assert_eq!(mode("tmp"), 0o1777, "the directory is as base-files says");
    let [tool, alias] =
        ["bin/tool", "bin/alias"].map(|path| fs_err::metadata(root.dir.join(path)).unwrap());
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&tool),
        std::os::unix::fs::MetadataExt::ino(&alias)
    );
    assert!(root.dir.join("etc/debian_version.dpkg-new").exists());
    assert!(!root.dir.join("usr/share/doc/base-files").exists());
    assert!(!root.dir.join("usr/sbin/policy-rc.d").exists());
    let read =
        |path: &str| fs_err::read_to_string(root.dir.join("var/lib/dpkg").join(path)).unwrap();
    assert_eq!(read("info/tool.list"), "/tmp\n/bin\n/bin/tool\n/usr/bin/alias\n");
    assert_eq!(read("triggers/File"), "/usr/lib/x base-files/noawait\n");
    assert!(
        read("status").contains("\n\nPackage: tool\nStatus: install ok installed\nVersion: 1.0\n")
    );
    let ran: Vec<_> = runner.steps.lock().unwrap().iter().map(|step| step.name.clone()).collect();
    assert_eq!(ran, ["preinst", "configure essential", "configure"]);

    // The second time neither the mirror nor the runner is asked.
    world.files.lock().unwrap().clear();
    assert_eq!(ensure(&spec, &lock, world.options(), &runner, &|_| ()).await.unwrap(), root);
    assert_eq!(runner.steps.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn setup_steps_run_last_and_count_for_the_id() {
    let world = World::new(&packages()).await;
    let (lock, runner) = (lock(&world).await, FakeRunner::default());
    let mount = StepMount { source: "/src".into(), target: "/setup".into(), digest: "d1".into() };
    let step = SetupStep {
        name: "portage".into(),
        argv: vec!["/setup/run".into()],
        env: vec![("A".into(), "b".into())],
        network: true,
        mounts: vec![mount],
    };
    let with = |step: &SetupStep| EnsureOptions { setup: vec![step.clone()], ..world.options() };
    let spec = world.spec(&["tool"]);
    let first = ensure(&spec, &lock, with(&step), &runner, &|_| ()).await.unwrap();
    assert_eq!(runner.steps.lock().unwrap().last().unwrap(), &step);
    let mut moved = step.clone();
    moved.mounts[0].source = "/elsewhere".into();
    assert_eq!(ensure(&spec, &lock, with(&moved), &runner, &|_| ()).await.unwrap(), first);
    let mut changed = step.clone();
    changed.mounts[0].digest = "d2".into();
    assert_ne!(ensure(&spec, &lock, with(&changed), &runner, &|_| ()).await.unwrap().id, first.id);
}

#[tokio::test]
async fn a_tampered_package_is_refused() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    if let Some(Answer::Whole(bytes)) = world.files.lock().unwrap().get_mut(&tool("1.0").path()) {
        *bytes.last_mut().unwrap() ^= 1;
    }
    fails_cleanly(&world, &lock, &["tool_1.0_all.deb` has the digest", "was expected"]).await;
}

#[tokio::test]
async fn a_truncated_download_is_refused() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    let path = tool("1.0").path();
    world.files.lock().unwrap().insert(path.clone(), Answer::Truncated(tool("1.0").deb()));
    let mut retried = 0;
    let counter = Mutex::new(&mut retried);
    let count = |event: SeedEvent| {
        if matches!(event, SeedEvent::Retrying { .. }) {
            **counter.lock().unwrap() += 1;
        }
    };
    let spec = world.spec(&["tool"]);
    let error =
        ensure(&spec, &lock, world.options(), &FakeRunner::default(), &count).await.unwrap_err();
    assert!(
        error.to_string().contains("could not download") && error.to_string().contains(&path),
        "{error}"
    );
    assert_eq!(retried, 3);
    assert!(world.debs().iter().all(|name| !name.starts_with("tmp-")));
    // When the server is well again, so is everything.
    publish(&world.files, &world.key, &packages());
    make(&world, &lock, world.options()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_cache_entry_is_fetched_again() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    let root = make(&world, &lock, world.options()).await.unwrap();
    fs_err::remove_dir_all(root.dir.parent().unwrap()).unwrap();
    for name in world.debs() {
        fs_err::write(world.cache().join("sdk/debs").join(name), "damaged").unwrap();
    }
    assert_eq!(make(&world, &lock, world.options()).await.unwrap(), root);
}

#[tokio::test]
async fn a_version_that_is_gone_is_named() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    world.files.lock().unwrap().clear();
    publish(&world.files, &world.key, &[base_files(), tool("1.1")]);
    let parts = [
        "no longer has the locked version 1.0 of `tool`",
        "has 1.1 now",
        "`cargo xtask sdk update`",
    ];
    fails_cleanly(&world, &lock, &parts).await;

    let newer = EnsureOptions { allow_newer: true, ..world.options() };
    let root = make(&world, &lock, newer.clone()).await.unwrap();
    let status = fs_err::read_to_string(root.dir.join("var/lib/dpkg/status")).unwrap();
    assert!(status.contains("Version: 1.1\n"), "{status}");
    assert_ne!(root.id, slipway_seed::root_id(&lock, &[]));
    assert_eq!(make(&world, &lock, newer).await.unwrap(), root, "found ready");
    // Who does not accept newer versions does not get them from the cache either.
    assert!(matches!(
        make(&world, &lock, world.options()).await,
        Err(SeedError::VersionGone { .. })
    ));
}

#[tokio::test]
async fn a_package_that_is_gone_altogether() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    world.files.lock().unwrap().clear();
    publish(&world.files, &world.key, &[base_files()]);
    fails_cleanly(&world, &lock, &["version 1.0 of `tool` and has no other"]).await;
}

#[tokio::test]
async fn newer_versions_must_not_need_more() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    world.files.lock().unwrap().clear();
    let more = Package { fields: "Depends: base-files, extra\n", ..tool("1.1") };
    let extra = Package { name: "extra", version: "1", ..Package::default() };
    publish(&world.files, &world.key, &[base_files(), more, extra]);
    let options = EnsureOptions { allow_newer: true, ..world.options() };
    let error = make(&world, &lock, options).await.unwrap_err().to_string();
    assert!(error.contains("version 1.1 of `tool` needs `extra`, which is not locked"), "{error}");
}

#[tokio::test]
async fn a_lock_of_another_specification_is_refused() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    let spec = world.spec(&["tool", "base-files"]);
    let error =
        ensure(&spec, &lock, world.options(), &FakeRunner::default(), &|_| ()).await.unwrap_err();
    assert!(
        error.to_string().contains("`seed.lock` was not made from this `seed.toml`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_step_leaves_nothing() {
    let world = World::new(&packages()).await;
    let lock = lock(&world).await;
    let runner = FakeRunner { fail_at: Some("configure"), ..FakeRunner::default() };
    let spec = world.spec(&["tool"]);
    let error = chain(&ensure(&spec, &lock, world.options(), &runner, &|_| ()).await.unwrap_err());
    assert!(
        error.starts_with("the step `configure` failed in `") && error.ends_with(": exit status 1"),
        "{error}"
    );
    assert_eq!(world.results(), [""; 0]);
}

#[tokio::test]
async fn hostile_packages_are_refused() {
    for (path, kind, part) in [
        ("./../outside", Kind::File(0o644, "x"), "leads out of the tree"),
        ("./usr/link", Kind::Hardlink("../../../etc/passwd"), "leads out of the tree"),
        ("./dev/sda", Kind::Device, "is not accepted"),
        ("./bin", Kind::Symlink("usr/elsewhere"), "File exists"),
        ("./etc/debian_version.dpkg-new", Kind::File(0o644, "x"), "File exists"),
    ] {
        let hostile = Package { files: vec![(path, kind)], ..tool("1.0") };
        let world = World::new(&[base_files(), hostile]).await;
        let lock = lock(&world).await;
        fails_cleanly(&world, &lock, &["could not unpack", part]).await;
        assert!(!world.cache().join("outside").exists());
    }
}

#[tokio::test]
async fn a_link_does_not_lead_out() {
    let world = World::new(&[]).await;
    let outside: &'static str =
        Box::leak(world.cache().join("outside").into_string().into_boxed_str());
    let files =
        vec![("./usr/link", Kind::Symlink(outside)), ("./usr/link/file", Kind::File(0o644, "x"))];
    publish(&world.files, &world.key, &[base_files(), Package { files, ..tool("1.0") }]);
    fs_err::create_dir_all(outside).unwrap();
    let lock = lock(&world).await;
    fails_cleanly(&world, &lock, &["could not unpack `./usr/link/file`"]).await;
    assert_eq!(fs_err::read_dir(outside).unwrap().count(), 0);
}

/// Never finishes, as if the machine were slow.
struct Stuck;

impl RunInRoot for Stuck {
    fn run<'a>(
        &'a self,
        _: &'a camino::Utf8Path,
        _: &'a SetupStep,
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_killed_bootstrap_is_swept_and_never_used() {
    let world = World::new(&packages()).await;
    let (lock, spec) = (lock(&world).await, world.spec(&["tool"]));
    let stuck = ensure(&spec, &lock, world.options(), &Stuck, &|_| ());
    assert!(tokio::time::timeout(Duration::from_secs(5), stuck).await.is_err());
    let results = world.results();
    assert!(results.len() == 1 && results[0].starts_with("tmp-"), "{results:?}");
    // A second kind of leftover: a root without its marker.
    let unmarked =
        world.cache().join("sdk").join(slipway_seed::root_id(&lock, &[])).join("root/evil");
    fs_err::create_dir_all(&unmarked).unwrap();
    let root = make(&world, &lock, world.options()).await.unwrap();
    assert!(!unmarked.exists());
    assert_eq!(world.results(), [root.id]);
}

#[tokio::test]
async fn two_at_once_make_one() {
    let world = World::new(&packages()).await;
    let (lock, spec, runner) = (lock(&world).await, world.spec(&["tool"]), FakeRunner::default());
    let (first, second) = tokio::join!(
        ensure(&spec, &lock, world.options(), &runner, &|_| ()),
        ensure(&spec, &lock, world.options(), &runner, &|_| ()),
    );
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(runner.steps.lock().unwrap().len(), 3);
}

/// Needs root, for the mount.
#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    const SIZE: usize = 6 << 20;
    let big: &'static str = Box::leak("0123456789abcdef".repeat(SIZE / 16).into_boxed_str());
    let files = vec![("./usr/big", Kind::File(0o644, big))];
    let world = World::new(&[base_files(), Package { files, ..tool("1.0") }]).await;
    let lock = lock(&world).await;
    fs_err::create_dir_all(world.cache()).unwrap();
    let cache = world.cache();
    let flags = rustix::mount::MountFlags::empty();
    // The package fits, being compressible; the file in it does not.
    rustix::mount::mount("tmpfs", cache.as_std_path(), "tmpfs", flags, Some(c"size=4m")).unwrap();
    let error = make(&world, &lock, world.options()).await.map(drop).map_err(|error| chain(&error));
    let results = world.results();
    rustix::mount::unmount(cache.as_std_path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    let error = error.unwrap_err();
    assert!(error.contains("No space left on device") && error.contains("tool"), "{error}");
    assert_eq!(results, [""; 0]);
}
