//! Extended attributes: which belong to a tree, and how they are read and set.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// Reads those attributes of an open file that are part of a tree's content, not of the host that holds it.
pub(super) fn read(file: impl AsFd) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for name in list(&file)?.split(|byte| *byte == 0).filter(|name| belongs(name)) {
        found.insert(name.to_vec(), get(&file, name)?);
    }
    Ok(found)
}

/// Sets attributes on an open file. Only root may set those outside of `user.`; others leave them out.
pub(super) fn set(file: impl AsFd, xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
    let privileged = rustix::process::geteuid().is_root();
    for (name, value) in xattrs {
        if !belongs(name) || (!privileged && !name.starts_with(b"user.")) {
            continue;
        }
        rustix::fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty())?;
    }
    Ok(())
}

/// Labels of the host's security module and marks of overlay file systems stay behind.
fn belongs(name: &[u8]) -> bool {
    let kept: [&[u8]; 3] =
        [b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default"];
    kept.contains(&name) || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

fn list(file: &impl AsFd) -> io::Result<Vec<u8>> {
    grow(|buffer| rustix::fs::flistxattr(file, buffer)).or_else(|errno| match errno {
        Errno::NOTSUP | Errno::NOSYS => Ok(Vec::new()),
        errno => Err(errno.into()),
    })
}

fn get(file: &impl AsFd, name: &[u8]) -> io::Result<Vec<u8>> {
    let name = [name, b"\0"].concat();
    let name = CStr::from_bytes_with_nul(&name).map_err(|_| io::Error::from(Errno::INVAL))?;
    Ok(grow(|buffer| rustix::fs::fgetxattr(file, name, buffer))?)
}

fn grow(mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            // The kernel's limit for both names and values.
            Err(Errno::RANGE) if buffer.len() < 65536 => buffer.resize(buffer.len() * 4, 0),
            Err(errno) => return Err(errno),
        }
    }
}

/// Gives one open file the attributes of another.
pub(crate) fn copy(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    set(to, &read(from)?)
}
