//! The whole way with the host's own mirror: `SLIPWAY_SLOW_TESTS=1`, as root, on Debian. Prints how long each part took.

use std::{
    sync::Mutex,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};
use slipway_seed::{
    EnsureOptions, Mirror, SeedEvent, SeedLock, SeedSpec, UpdateOptions, ensure,
    mirrors::{self, AptFile},
    update,
};

use crate::support::Chroot;

#[expect(clippy::disallowed_methods, reason = "a slow test opts in by a variable")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn host_mirror() -> Mirror {
    let mut files = Vec::new();
    for dir in ["/etc/apt", "/etc/apt/sources.list.d"] {
        for entry in Utf8Path::new(dir).read_dir_utf8().into_iter().flatten().flatten() {
            if matches!(entry.path().extension(), Some("list" | "sources")) {
                let text = fs_err::read_to_string(entry.path()).unwrap();
                files.push(AptFile { name: entry.file_name().to_owned(), text });
            }
        }
    }
    mirrors::choose(None, &files).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the library takes the time as a parameter, so the test has to ask for it"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Re-locks into `SLIPWAY_SEED_WRITE` if that is set, then makes the root in `SLIPWAY_SEED_CACHE`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_mirror() {
    if variable("SLIPWAY_SLOW_TESTS").is_none() {
        return;
    }
    let spec = SeedSpec::load(Utf8Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (mirror, ca_bundle) = (host_mirror(), variable("SSL_CERT_FILE").map(Utf8PathBuf::from));
    let start = Instant::now();
    let options =
        UpdateOptions { mirror: mirror.clone(), ca_bundle: ca_bundle.clone(), now: now() };
    let report = update(&spec, &options, &|_| ()).await.unwrap();
    println!(
        "locked {} packages of {} in {:?}",
        report.lock.packages().len(),
        report.release,
        start.elapsed()
    );
    if let Some(path) = variable("SLIPWAY_SEED_WRITE") {
        report.lock.save(Utf8Path::new(&path)).unwrap();
        assert_eq!(SeedLock::load(Utf8Path::new(&path)).unwrap(), report.lock);
    }
    let Some(cache_dir) = variable("SLIPWAY_SEED_CACHE").map(Utf8PathBuf::from) else { return };
    let options = EnsureOptions {
        cache_dir,
        mirror,
        ca_bundle,
        setup: Vec::new(),
        allow_newer: false,
        now: now(),
    };
    let (start, last) = (Instant::now(), Mutex::new((0, 0)));
    let show = |event: SeedEvent| {
        let mut counts = last.lock().unwrap();
        match event {
            SeedEvent::Fetched { .. } => counts.0 += 1,
            SeedEvent::Unpacked { .. } => counts.1 += 1,
            other => println!(
                "{:?} fetched {} unpacked {}: {other:?}",
                start.elapsed(),
                counts.0,
                counts.1
            ),
        }
    };
    let root = ensure(&spec, &report.lock, options.clone(), &Chroot, &show).await.unwrap();
    println!("made {} in {:?}", root.dir, start.elapsed());
    let warm = Instant::now();
    assert_eq!(ensure(&spec, &report.lock, options, &Chroot, &show).await.unwrap(), root);
    println!("warm {:?}", warm.elapsed());
}
