//! The repository's sources, for tests that change a copy.

use std::io;

use camino::Utf8Path;
use walkdir::{DirEntry, WalkDir};

/// Copies what is built from: all but what was built, and what is hidden.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    let is_source = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() != 1 || !(name == "target" || name.starts_with('.'))
    };
    for entry in WalkDir::new(from).into_iter().filter_entry(is_source) {
        let entry = entry?;
        let place = entry.path().strip_prefix(from).map_err(io::Error::other)?;
        let place = to.as_std_path().join(place);
        match entry.file_type().is_dir() {
            true => fs_err::create_dir_all(place)?,
            false => drop(fs_err::copy(entry.path(), place)?),
        }
    }
    Ok(())
}
