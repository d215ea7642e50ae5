//! The memory of file digests: what a file's content was when it was last hashed, as long as the file is the same.
//!
//! A file is the same when path, size, modification time, change time and inode are. As in git, a file that changed in
//! the last two seconds before it was hashed is not remembered: a later write could leave all of these as they are.
//! "Now" is the time stamp of a file made for that purpose, so that no clock is read and both times come from the kernel.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use crate::digest::Digest;
use crate::error::StoreError;

const HEADER: &str = "slipway-file-digests 1 ";
const RACY_NS: i64 = 2_000_000_000;

/// Digests of files that need not be read again while they are unchanged. Kept in one file; give absolute paths.
pub struct FileDigests {
    file: Utf8PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Entry>,
    dirty: bool,
    now_ns: i64,
    probes: u64,
}

struct Entry {
    identity: Identity,
    digest: Digest,
    used: bool,
}

/// What must be equal for a file to count as unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    size: u64,
    mtime_ns: i64,
    /// Zero for blobs: hard links to them move it.
    ctime_ns: i64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of_blob(metadata: &Metadata) -> Self {
        Self { ctime_ns: 0, ..Self::of_file(metadata) }
    }

    fn of_file(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    fn changed_ns(&self) -> i64 {
        self.mtime_ns.max(self.ctime_ns)
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

impl FileDigests {
    /// Loads the memory from a file. An absent, damaged or foreign file is an empty memory.
    pub fn open(file: &Utf8Path) -> Self {
        let entries =
            fs_err::read_to_string(file).ok().and_then(|text| parse(&text)).unwrap_or_default();
        Self { file: file.to_owned(), state: Mutex::new(State { entries, ..State::default() }) }
    }

    /// The digest of a file's content, read only when the file is not known or has changed.
    pub fn digest_of(&self, path: &Utf8Path) -> Result<Digest, StoreError> {
        let failed = |source| StoreError::Hash { path: path.to_owned(), source };
        let metadata = fs_err::metadata(path).map_err(failed)?;
        if let Some(digest) = self.remembered(path, &Identity::of_file(&metadata)) {
            return Ok(digest);
        }
        let file = fs_err::File::open(path).map_err(failed)?;
        let before = Identity::of_file(&file.metadata().map_err(failed)?);
        let settled = self.is_settled(&before);
        let digest = Digest::of_reader(&file).map_err(failed)?;
        let after = Identity::of_file(&file.metadata().map_err(failed)?);
        if settled && before == after {
            self.remember(path, before, digest);
        }
        Ok(digest)
    }

    /// Writes the memory to its file, atomically, if there is anything new. Forgets files that are gone.
    pub fn save(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.dirty {
            return Ok(());
        }
        state.entries.retain(|path, entry| entry.used || fs_err::symlink_metadata(path).is_ok());
        let text = print(&state.entries);
        let temp = self.sibling("save", 0);
        let parent = self.file.parent().unwrap_or(Utf8Path::new("."));
        let saved = fs_err::create_dir_all(parent)
            .and_then(|()| fs_err::write(&temp, text))
            .and_then(|()| fs_err::rename(&temp, &self.file));
        if let Err(source) = saved {
            drop(fs_err::remove_file(&temp));
            return Err(StoreError::write(&self.file, source));
        }
        state.dirty = false;
        Ok(())
    }

    pub(crate) fn remembered(&self, path: &Utf8Path, identity: &Identity) -> Option<Digest> {
        let mut state = self.state();
        let entry =
            state.entries.get_mut(path.as_str()).filter(|entry| entry.identity == *identity)?;
        entry.used = true;
        Some(entry.digest)
    }

    pub(crate) fn remember(&self, path: &Utf8Path, identity: Identity, digest: Digest) {
        if path.as_str().contains('\n') {
            return;
        }
        let mut state = self.state();
        state.entries.insert(path.to_string(), Entry { identity, digest, used: true });
        state.dirty = true;
    }

    /// Whether the file's last change is long enough ago. An old "now" errs on the safe side.
    fn is_settled(&self, identity: &Identity) -> bool {
        let mut state = self.state();
        let latest = identity.changed_ns().saturating_add(RACY_NS);
        if latest >= state.now_ns {
            state.probes += 1;
            let probe = self.sibling("now", state.probes);
            state.now_ns = file_system_now(&probe).unwrap_or(state.now_ns);
        }
        latest < state.now_ns
    }

    fn sibling(&self, purpose: &str, count: u64) -> Utf8PathBuf {
        let pid = rustix::process::getpid().as_raw_nonzero();
        let thread = rustix::thread::gettid().as_raw_nonzero();
        Utf8PathBuf::from(format!("{}.{purpose}-{pid}-{thread}-{count}", self.file))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_system_now(probe: &Utf8Path) -> io::Result<i64> {
    if let Some(parent) = probe.parent() {
        fs_err::create_dir_all(parent)?;
    }
    let metadata = fs_err::File::create(probe).and_then(|file| file.metadata());
    fs_err::remove_file(probe)?;
    metadata.map(|metadata| nanoseconds(metadata.mtime(), metadata.mtime_nsec()))
}

fn print(entries: &HashMap<String, Entry>) -> String {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_unstable_by_key(|(path, _)| *path);
    let mut body = String::with_capacity(sorted.len() * 200);
    for (path, Entry { identity, digest, .. }) in sorted {
        let Identity { size, mtime_ns, ctime_ns, inode } = identity;
        writeln!(body, "{digest} {size} {mtime_ns} {ctime_ns} {inode} {path}")
            .expect("a string takes any text");
    }
    format!("{HEADER}{}\n{body}", Digest::of_bytes(body.as_bytes()))
}

fn parse(text: &str) -> Option<HashMap<String, Entry>> {
    let (head, body) = text.split_once('\n')?;
    let checksum: Digest = head.strip_prefix(HEADER)?.parse().ok()?;
    if Digest::of_bytes(body.as_bytes()) != checksum {
        return None;
    }
    body.lines().map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(String, Entry)> {
    let mut fields = line.splitn(6, ' ');
    let digest = fields.next()?.parse().ok()?;
    let identity = Identity {
        size: fields.next()?.parse().ok()?,
        mtime_ns: fields.next()?.parse().ok()?,
        ctime_ns: fields.next()?.parse().ok()?,
        inode: fields.next()?.parse().ok()?,
    };
    Some((fields.next()?.to_owned(), Entry { identity, digest, used: false }))
}
