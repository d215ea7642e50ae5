//! Reading directories by descriptor, in an order that does not depend on the file system, and removing trees.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use camino::Utf8Path;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};

pub(crate) struct DirEntry {
    pub(crate) name: CString,
    pub(crate) kind: FileType,
}

/// Opens a directory for reading, without following a symlink in the last component.
pub(crate) fn open_dir(parent: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// Lists a directory, sorted by the bytes of the names.
pub(crate) fn list(dir: impl AsFd) -> io::Result<Vec<DirEntry>> {
    let mut buffer = Vec::<u8>::with_capacity(32 * 1024);
    let spare: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
    let mut iter = RawDir::new(dir.as_fd(), spare);
    let mut entries = Vec::new();
    while let Some(entry) = iter.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => FileType::from_raw_mode(
                rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode,
            ),
            kind => kind,
        };
        entries.push(DirEntry { name: name.to_owned(), kind });
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Removes a file or a whole tree, read-only directories included. What is gone already is fine.
pub(crate) fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_dir() => return ignore_absent(fs_err::remove_file(path)),
        Ok(_) => {}
    }
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(rustix::fs::CWD, path.as_str())?;
            ignore_absent(fs_err::remove_dir_all(path))
        }
        result => ignore_absent(result),
    }
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn make_writable(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> io::Result<()> {
    rustix::fs::chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
    let dir = open_dir(parent, name)?;
    for entry in list(&dir)? {
        if entry.kind == FileType::Directory {
            make_writable(&dir, entry.name.as_c_str())?;
        }
    }
    Ok(())
}
