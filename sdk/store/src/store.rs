//! The store's directory: its layout, its format version, and how it is opened.
//!
//! ```text
//! format            the version of this layout
//! blobs/ab/<hex>    content, mode 0444, mtime fixed
//! actions/ab/<hex>  action records
//! latest/ab/<hex>   which action of a kind and name ran last
//! trees/<hex>/      root/ is an unpacked archive, stamp its fingerprint
//! digests           digests of blobs that were verified
//! locks/            lock files, with their holders in them
//! tmp/              one directory for each live process
//! quarantine/       damaged blobs, until the next clean
//! ```

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::Mode;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::memory::FileDigests;
use crate::temp::{TempArea, TempPath};

const FORMAT: &str = "slipway-store 1";
const FORMAT_FILE: &str = "format";
const FORMAT_TEMP: &str = ".format-";
const DIRECTORIES: [&str; 8] =
    ["blobs", "actions", "latest", "trees", "locks", "locks/trees", "tmp", "quarantine"];

/// A content-addressed store in a local directory. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) root: Utf8PathBuf,
    pub(crate) memory: FileDigests,
    pub(crate) temp: TempArea,
    pub(crate) trees_seen: Mutex<BTreeSet<Digest>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What is not remembered is hashed again; a failure here costs time only.
        drop(self.memory.save());
    }
}

impl Store {
    /// Opens the store, or makes one where there is nothing yet. Removes temporary files of dead processes.
    pub fn open(root: &Utf8Path) -> Result<Self, StoreError> {
        check_format(root)?;
        let failed = |source| StoreError::Open { root: root.to_owned(), source };
        for name in DIRECTORIES {
            // Trees hold set-uid programs, and nobody else needs to reach them.
            let mode = if name == "trees" { Mode::RWXU } else { Mode::from_raw_mode(0o755) };
            match rustix::fs::mkdir(root.join(name).as_str(), mode) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        let temp = TempArea::new(root.join("tmp"));
        temp.sweep().map_err(failed)?;
        let memory = FileDigests::open(&root.join("digests"));
        let inner = Inner { root: root.to_owned(), memory, temp, trees_seen: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The directory of the store.
    pub fn root(&self) -> &Utf8Path {
        &self.inner.root
    }

    /// Writes what was learnt about verified blobs to disk. Dropping the last clone does so too.
    pub fn save(&self) -> Result<(), StoreError> {
        self.inner.memory.save()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

/// Renames a finished temporary file to its place, making the parent directory when needed.
pub(crate) fn rename_into_place(temp: &TempPath, to: &Utf8Path) -> Result<(), StoreError> {
    let renamed = match rename(temp.path(), to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match to.parent() {
            Some(parent) => fs_err::create_dir_all(parent).and_then(|()| rename(temp.path(), to)),
            None => Err(error),
        },
        renamed => renamed,
    };
    renamed.map_err(|source| StoreError::write(to, source))
}

fn rename(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    Ok(rustix::fs::rename(from.as_str(), to.as_str())?)
}

fn check_format(root: &Utf8Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Open { root: root.to_owned(), source };
    let path = root.join(FORMAT_FILE);
    match fs_err::read(&path) {
        Ok(bytes) if bytes.trim_ascii_end() == FORMAT.as_bytes() => Ok(()),
        Ok(bytes) => {
            let found: String =
                String::from_utf8_lossy(&bytes).trim_end().chars().take(80).collect();
            Err(StoreError::UnknownFormat { root: root.to_owned(), found })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs_err::create_dir_all(root).map_err(failed)?;
            if !holds_nothing_else(root).map_err(failed)? {
                return Err(StoreError::NotAStore { root: root.to_owned() });
            }
            write_format(root, &path).map_err(|source| StoreError::write(&path, source))
        }
        Err(source) => Err(failed(source)),
    }
}

/// Whether the directory is empty, but for the beginnings of another process that makes the store at the same time.
fn holds_nothing_else(root: &Utf8Path) -> io::Result<bool> {
    for entry in fs_err::read_dir(root)? {
        let name = entry?.file_name();
        let name = name.as_encoded_bytes();
        if !name.starts_with(FORMAT_TEMP.as_bytes()) && name != FORMAT_FILE.as_bytes() {
            return root.join(FORMAT_FILE).try_exists();
        }
    }
    Ok(true)
}

fn write_format(root: &Utf8Path, path: &Utf8Path) -> io::Result<()> {
    let pid = rustix::process::getpid().as_raw_nonzero();
    let thread = rustix::thread::gettid().as_raw_nonzero();
    let temp = root.join(format!("{FORMAT_TEMP}{pid}-{thread}"));
    let written = fs_err::File::create(&temp)
        .and_then(|mut file| {
            file.write_all(format!("{FORMAT}\n").as_bytes()).and_then(|()| file.sync_all())
        })
        .and_then(|()| rename(&temp, path));
    if written.is_err() {
        drop(fs_err::remove_file(&temp));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    struct TempDir(tempfile::TempDir);

    impl TempDir {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn join(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.0.path()).unwrap().join(name)
        }
    }

    #[test]
    fn opens_again_what_it_made() {
        let dir = TempDir::new();
        let root = dir.join("deep/er");
        drop(Store::open(&root).unwrap());
        Store::open(&root).unwrap();
        assert_eq!(fs_err::read_to_string(root.join("format")).unwrap(), "slipway-store 1\n");
    }

    #[test]
    fn refuses_another_format_with_a_hint() {
        let dir = TempDir::new();
        let root = dir.join("store");
        fs_err::create_dir(&root).unwrap();
        fs_err::write(root.join("format"), "slipway-store 99\n").unwrap();
        let error = Store::open(&root).unwrap_err();
        assert!(error.to_string().contains("`slipway-store 99`"), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn refuses_a_directory_of_something_else() {
        let dir = TempDir::new();
        let root = dir.join("home");
        fs_err::create_dir(&root).unwrap();
        fs_err::write(root.join("letter"), "dear").unwrap();
        let error = Store::open(&root).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert!(!root.join("blobs").exists());
    }
}
