//! Caches that tests have for themselves: who uses one neither waits for a build in the user's own nor finds what that has built.

use std::io;

use camino::Utf8Path;

/// Lets a cache, which is made if it is not there, have the SDK that `sdk path` says the place of.
///
/// # Errors
/// When that is no place in a cache, or the folder or the link cannot be made.
pub fn share_sdk(place: &str, cache: &Utf8Path) -> io::Result<()> {
    let sdk = Utf8Path::new(place.trim()).ancestors().find(|dir| dir.ends_with("sdk"));
    let sdk = sdk.ok_or_else(|| io::Error::other(format!("`{place}` is in no folder `sdk`")))?;
    let link = cache.join("sdk");
    fs_err::create_dir_all(cache)?;
    if link.is_symlink() {
        fs_err::remove_file(&link)?;
    }
    fs_err::os::unix::fs::symlink(sdk, link)
}
