//! Writers that are killed at any moment leave a store that is intact; two writers do not disturb each other.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use slipway_store::archive::TarOptions;
use slipway_store::{Digest, Ingest, Key, Store};

use crate::{Scratch, debris, record_of};

/// Present in the working directory of a helper process only.
const MARKER: &str = "writer-marker";

fn spawn(test: &str, dir: &Utf8Path) -> Child {
    fs_err::write(dir.join(MARKER), "").unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "runs this very test program, in a directory of the test"
    )]
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--test-threads=1"]).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn content(n: u32) -> Vec<u8> {
    (0..20_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) ^ n).to_le_bytes()).collect()
}

fn key(n: u32) -> Key {
    Key::new(Digest::of_bytes(&n.to_le_bytes()))
}

#[test]
#[ignore = "a helper process of the other tests"]
fn writer() {
    if !Utf8Path::new(MARKER).exists() {
        return;
    }
    let store = Store::open(Utf8Path::new("store")).unwrap();
    for n in 0.. {
        let a = store.put_bytes(&content(n % 50)).unwrap();
        fs_err::write(format!("file-{}", std::process::id()), content(n + 1000)).unwrap();
        let b = store
            .put_file(format!("file-{}", std::process::id()).as_str().into(), Ingest::Move)
            .unwrap();
        let tree = store.put_tree("source".into(), &TarOptions::plain(i64::from(n))).unwrap();
        store.tree(&tree).unwrap();
        store.record(&key(n), &record_of(&[("a", a), ("b", b), ("tree", tree)])).unwrap();
        store.save().unwrap();
    }
}

fn source(scratch: &Scratch) {
    for n in 0..20 {
        scratch.file(&format!("source/dir-{}/file-{n}", n % 3), content(n));
    }
}

/// Everything that has a name is what its name says.
fn check_intact(store: &Store) -> usize {
    assert_eq!(store.scrub().unwrap(), []);
    let keys = store.keys().unwrap();
    for key in &keys {
        let record = store.lookup(key).unwrap().expect("a record is written after its outputs");
        let tree = store.tree(&record.outputs["tree"]).unwrap();
        assert_eq!(fs_err::read(tree.join("dir-1/file-7")).unwrap(), content(7));
    }
    keys.len()
}

#[test]
fn killed_writers_leave_the_store_intact() {
    let scratch = Scratch::new();
    source(&scratch);
    let mut records = 0;
    for round in 0..25_u64 {
        let mut child = spawn("crash::writer", &scratch.path(""));
        // Spread over the life of the writer; nothing depends on where exactly it dies.
        std::thread::sleep(Duration::from_millis(5 + round * 37 % 150));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = scratch.store();
        assert_eq!(debris(store.root()), [""; 0], "what the dead left is swept");
        records = check_intact(&store);
    }
    assert!(records > 0, "no writer got anywhere");
}

#[test]
fn sweeping_spares_the_living() {
    let scratch = Scratch::new();
    source(&scratch);
    let mut child = spawn("crash::writer", &scratch.path(""));
    for _ in 0..20 {
        drop(scratch.store());
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none(), "the writer lost a file to the sweep");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn two_processes_write_the_same_blobs() {
    let scratch = Scratch::new();
    source(&scratch);
    let mut children =
        [spawn("crash::writer", &scratch.path("")), spawn("crash::writer", &scratch.path(""))];
    std::thread::sleep(Duration::from_millis(600));
    for child in &mut children {
        assert!(child.try_wait().unwrap().is_none(), "a writer failed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    check_intact(&scratch.store());
}

#[test]
fn threads_write_the_same_blob() {
    let scratch = Scratch::new();
    let store = scratch.store();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..10 {
                    store.put_bytes(&content(n)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.scrub().unwrap(), []);
    assert_eq!(debris(store.root()), [""; 0]);
}

#[test]
#[ignore = "a helper process of the other tests"]
fn locker() {
    if !Utf8Path::new(MARKER).exists() {
        return;
    }
    let store = Store::open(Utf8Path::new("store")).unwrap();
    let _lock = store.lock("build").unwrap();
    fs_err::write("locked", "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_holder_frees_its_lock() {
    use slipway_store::LockAttempt;

    let scratch = Scratch::new();
    let mut child = spawn("crash::locker", &scratch.path(""));
    while !scratch.path("locked").exists() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    let store = scratch.store();
    let LockAttempt::Held(Some(holder)) = store.try_lock("build").unwrap() else {
        panic!("the lock is held")
    };
    assert_eq!(holder.pid, child.id());
    assert!(
        holder.command.ends_with("--exact crash::locker --ignored --test-threads=1"),
        "{}",
        holder.command
    );
    assert!(holder.since > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(store.try_lock("build").unwrap(), LockAttempt::Acquired(_)));
}
