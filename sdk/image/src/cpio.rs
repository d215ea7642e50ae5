//! The archive format of the initial RAM disk: cpio in the "newc" variant (Linux: `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::{
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the archive of `{path}`")]
pub struct CpioError {
    /// The tree.
    pub path: Utf8PathBuf,
    /// The cause.
    #[source]
    pub source: io::Error,
}

/// Writes the tree at `dir` as an archive. Owners become root, times `epoch`, inode numbers a count, so that equal trees give
/// equal bytes.
///
/// # Errors
/// When a file cannot be read, is 4 GiB or larger, or the archive cannot be written.
pub fn write_cpio(dir: &Utf8Path, mut out: impl Write, epoch: u64) -> Result<(), CpioError> {
    let failed = |source: io::Error| CpioError { path: dir.to_owned(), source };
    let mut inode = 0;
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| failed(error.into()))?;
        inode += 1;
        write_entry(dir, &entry, &mut out, inode, epoch).map_err(failed)?;
    }
    write_member(&mut out, &Header { name: b"TRAILER!!!", inode: 0, mode: 0, epoch: 0 }, b"")
        .map_err(failed)?;
    out.flush().map_err(failed)
}

fn write_entry(
    dir: &Utf8Path,
    entry: &walkdir::DirEntry,
    out: &mut impl Write,
    inode: u32,
    epoch: u64,
) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let metadata = entry.metadata()?;
    let name = entry.path().strip_prefix(dir).unwrap_or(entry.path()).as_os_str().as_bytes();
    let content = if metadata.is_symlink() {
        fs_err::read_link(entry.path())?.as_os_str().as_bytes().to_vec()
    } else if metadata.is_file() {
        fs_err::read(entry.path())?
    } else {
        Vec::new()
    };
    let mode = metadata.mode() & 0o170_000 | metadata.permissions().mode() & 0o7777;
    write_member(out, &Header { name, inode, mode, epoch }, &content)
}

struct Header<'a> {
    name: &'a [u8],
    inode: u32,
    mode: u32,
    epoch: u64,
}

fn write_member(out: &mut impl Write, header: &Header<'_>, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len())
        .map_err(|_| io::Error::other("a file of 4 GiB or more does not fit the format"))?;
    let mtime = u32::try_from(header.epoch).unwrap_or(u32::MAX);
    let name_size = u32::try_from(header.name.len() + 1).map_err(io::Error::other)?;
    let links = if header.mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    write!(out, "070701")?;
    for field in [header.inode, header.mode, 0, 0, links, mtime, size, 0, 0, 0, 0, name_size, 0] {
        write!(out, "{field:08X}")?;
    }
    out.write_all(header.name)?;
    // Header and name together, and the content, are padded to four bytes.
    out.write_all(&[0; 4][..1 + pad(110 + header.name.len() + 1)])?;
    out.write_all(content)?;
    out.write_all(&[0; 3][..pad(content.len())])
}

fn pad(length: usize) -> usize {
    length.wrapping_neg() % 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_laid_out_as_the_kernel_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        fs_err::create_dir(root.join("d")).unwrap();
        fs_err::write(root.join("d/f"), "hello").unwrap();
        fs_err::os::unix::fs::symlink("d/f", root.join("l")).unwrap();
        for (path, mode) in [("d", 0o755), ("d/f", 0o644)] {
            fs_err::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode))
                .unwrap();
        }
        let mut bytes = Vec::new();
        write_cpio(root, &mut bytes, 7).unwrap();
        let text = String::from_utf8(bytes).unwrap().replace('\0', ".");
        let expected = concat!(
            "07070100000001000041ED00000000000000000000000200000007",
            "00000000000000000000000000000000000000000000000200000000d.",
            "07070100000002000081A400000000000000000000000100000007",
            "00000005000000000000000000000000000000000000000400000000d/f...",
            "hello...",
            "070701000000030000A1FF00000000000000000000000100000007",
            "00000003000000000000000000000000000000000000000200000000l.",
            "d/f.",
        );
        assert!(text.starts_with(expected), "{text}\n{expected}");
        assert_eq!(text.len() % 4, 0);
        assert!(text.contains("TRAILER!!!"));
    }
}
