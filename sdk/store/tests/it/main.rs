//! The store from outside: damage, crashes, full disks, other processes.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod archive;
mod bucket;
mod clean;
mod crash;
mod damage;
mod link;
mod lock;
mod memory;
mod objects;
mod remote;
mod s3;
mod space;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use slipway_store::{ActionRecord, Digest, Key, Store};

struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.path("store")).unwrap()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }
}

fn key(name: &str) -> Key {
    Key::new(Digest::of_bytes(name.as_bytes()))
}

fn record_of(outputs: &[(&str, Digest)]) -> ActionRecord {
    ActionRecord {
        kind: "package".to_owned(),
        name: "sys-apps/sed-4.9".to_owned(),
        outputs: outputs.iter().map(|(name, digest)| ((*name).to_owned(), *digest)).collect(),
        seconds: 1.5,
        unix_time: 1_700_000_000,
        inputs: BTreeMap::from([("ebuild".to_owned(), "abc".to_owned())]),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Every file of the store that is not in its proper place.
fn debris(store: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for session in fs_err::read_dir(store.join("tmp")).unwrap() {
        for file in fs_err::read_dir(session.unwrap().path()).unwrap() {
            found.push(Utf8PathBuf::from_path_buf(file.unwrap().path()).unwrap());
        }
    }
    found
}
