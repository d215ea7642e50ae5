//! Tar archives: the members with all that an archive knows about them.

use std::io;

use slipway_store::archive::{ArchiveError, Member, MemberKind, Reader};

use super::Item;
use crate::{
    Place,
    content::{Content, Cursor, malformed},
};

pub(super) fn list(content: &Content) -> io::Result<Vec<Item>> {
    let cursor = Cursor::new(content);
    let mut reader = Reader::new(&cursor);
    let mut items = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(io_error)? {
        let member = entry.member();
        // The reader has read the header, and no more.
        let content = content.slice(cursor.position(), member.size)?;
        let name = if member.path.is_empty() { b"." } else { member.path.as_slice() };
        items.push(Item {
            place: Place::Member(String::from_utf8_lossy(name).into_owned()),
            fields: fields(member),
            content: Some(content),
        });
    }
    Ok(items)
}

fn io_error(error: ArchiveError) -> io::Error {
    match error {
        ArchiveError::ReadArchive { source } => source,
        _ => malformed(),
    }
}

fn fields(member: &Member) -> Vec<(&'static str, String)> {
    let text = |bytes: &[u8]| format!("`{}`", String::from_utf8_lossy(bytes));
    let (kind, target) = match &member.kind {
        MemberKind::File => ("file".to_owned(), String::new()),
        MemberKind::HardLink(target) => ("hard link".to_owned(), text(target)),
        MemberKind::Symlink(target) => ("symbolic link".to_owned(), text(target)),
        MemberKind::Directory => ("directory".to_owned(), String::new()),
        MemberKind::CharDevice(major, minor) => {
            (format!("character device {major}:{minor}"), String::new())
        }
        MemberKind::BlockDevice(major, minor) => {
            (format!("block device {major}:{minor}"), String::new())
        }
        MemberKind::Fifo => ("named pipe".to_owned(), String::new()),
    };
    let xattrs = member.xattrs.iter();
    let xattrs =
        xattrs.map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()));
    let mut mtime = member.mtime.to_string();
    if member.mtime_nanoseconds > 0 {
        mtime = format!("{mtime} s + {} ns", member.mtime_nanoseconds);
    }
    vec![
        ("type", kind),
        ("link target", target),
        ("mode", format!("{:04o}", member.mode)),
        ("uid", member.uid.to_string()),
        ("gid", member.gid.to_string()),
        ("mtime", mtime),
        ("extended attributes", format!("`{}`", xattrs.collect::<Vec<_>>().join(" "))),
    ]
}
