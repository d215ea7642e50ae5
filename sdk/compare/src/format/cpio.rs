//! Cpio archives in the "newc" variant (Linux: `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::io;

use super::Item;
use crate::{
    Place,
    content::{Content, malformed},
};

const HEADER: u64 = 110;

/// Paths and the targets of links are no longer.
const PATH_MAX: usize = 4096;

pub(super) fn list(content: &Content) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut position = 0;
    loop {
        let header = Header::parse(&content.slice(position, HEADER)?.excerpt(0, HEADER as usize)?)?;
        position += HEADER;
        let name = text(&content.slice(position, header.name_size())?)?;
        position = (position + header.name_size()).next_multiple_of(4);
        if name == "TRAILER!!!" {
            break;
        }
        let file = content.slice(position, header.file_size())?;
        position = (position + header.file_size()).next_multiple_of(4);
        items.push(Item {
            place: Place::Member(name),
            fields: header.fields(&file)?,
            content: Some(file),
        });
    }
    let rest = content.skip_zeros(position)?;
    if rest < content.len() {
        let rest = content.slice(rest, content.len() - rest)?;
        items.push(Item { place: Place::Rest, fields: vec![], content: Some(rest) });
    }
    Ok(items)
}

/// The numbers of a header: inode, mode, uid, gid, links, mtime, file size, major and minor number of the disk and of the
/// device, name size, checksum.
struct Header([u32; 13]);

impl Header {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let mut numbers = [0; 13];
        if !matches!(bytes.get(..6), Some(b"070701" | b"070702")) {
            return Err(malformed());
        }
        for (number, digits) in numbers.iter_mut().zip(bytes[6..].chunks(8)) {
            let digits = std::str::from_utf8(digits).map_err(|_| malformed())?;
            *number = u32::from_str_radix(digits, 16).map_err(|_| malformed())?;
        }
        Ok(Self(numbers))
    }

    fn file_size(&self) -> u64 {
        self.0[6].into()
    }

    fn name_size(&self) -> u64 {
        self.0[11].into()
    }

    fn fields(&self, file: &Content) -> io::Result<Vec<(&'static str, String)>> {
        let [inode, mode, uid, gid, links, mtime, _, disk_major, disk_minor, major, minor, ..] =
            self.0;
        let target = if mode & 0o170_000 == 0o120_000 { text(file)? } else { String::new() };
        Ok(vec![
            ("mode", format!("{mode:06o}")),
            ("link target", format!("`{target}`")),
            ("uid", uid.to_string()),
            ("gid", gid.to_string()),
            ("mtime", mtime.to_string()),
            ("device", format!("{major}:{minor}")),
            ("number of links", links.to_string()),
            ("inode", format!("{inode} on {disk_major}:{disk_minor}")),
        ])
    }
}

/// The text up to the zero that ends it.
fn text(content: &Content) -> io::Result<String> {
    let bytes = content.excerpt(0, PATH_MAX)?;
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}
