//! Small archives and disks.

use std::io::Write as _;

use slipway_store::archive::{Member, MemberKind, Writer};

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: u32,
    pub(crate) link: Option<&'static str>,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn file(name: &'static str, content: &[u8]) -> File {
    File { name, mode: 0o644, uid: 0, gid: 0, mtime: 0, link: None, content: content.to_vec() }
}

pub(crate) fn tar(files: &[File]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for file in files {
        let member = Member {
            kind: match file.link {
                Some(target) => MemberKind::Symlink(target.as_bytes().to_vec()),
                None => MemberKind::File,
            },
            mode: file.mode,
            uid: file.uid.into(),
            gid: file.gid.into(),
            mtime: file.mtime.into(),
            ..Member::file(file.name, file.content.len() as u64)
        };
        writer.append(&member, file.content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8], level: i32) -> Vec<u8> {
    zstd::encode_all(bytes, level).unwrap()
}

pub(crate) fn cpio(files: &[File]) -> Vec<u8> {
    let mut out = Vec::new();
    let trailer = File { mode: 0, ..file("TRAILER!!!", b"") };
    for file in files.iter().chain([&trailer]) {
        let kind = if file.link.is_some() { 0o120_000 } else { 0o100_000 };
        let content = file.link.map_or(file.content.as_slice(), str::as_bytes);
        let (size, name_size) = (content.len() as u32, file.name.len() as u32 + 1);
        write!(out, "070701").unwrap();
        let [mode, uid, gid, mtime] = [kind | file.mode, file.uid, file.gid, file.mtime];
        for number in [1, mode, uid, gid, 1, mtime, size, 0, 0, 0, 0, name_size, 0] {
            write!(out, "{number:08X}").unwrap();
        }
        for bytes in [[file.name.as_bytes(), b"\0"].concat().as_slice(), content] {
            out.extend(bytes);
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    out
}

#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) label: &'static str,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) uuid: u8,
}

/// A disk of 64 sectors: the header in the second, the table in the third.
pub(crate) fn disk(partitions: &[Partition]) -> Vec<u8> {
    let mut disk = vec![0; 64 * 512];
    let mut put = |at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
    put(512, b"EFI PART");
    put(512 + 40, &34_u64.to_le_bytes());
    put(512 + 48, &63_u64.to_le_bytes());
    put(512 + 72, &2_u64.to_le_bytes());
    put(512 + 80, &4_u32.to_le_bytes());
    put(512 + 84, &128_u32.to_le_bytes());
    for (index, partition) in partitions.iter().enumerate() {
        let entry = 1024 + index * 128;
        put(entry, &[7; 16]);
        put(entry + 16, &[partition.uuid; 16]);
        put(entry + 32, &partition.first.to_le_bytes());
        put(entry + 40, &partition.last.to_le_bytes());
        let label: Vec<u8> = partition.label.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(entry + 56, &label);
    }
    disk
}

/// An ELF file of one section, and the names of the sections.
pub(crate) fn elf(rodata: &[u8]) -> Vec<u8> {
    let names = b"\0.rodata\0.shstrtab\0";
    let end = (64 + rodata.len() + names.len()) as u64;
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // An executable for x86-64, where its sections are, how large the headers are and how many.
    out.extend([2_u16, 62, 1, 0].map(u16::to_le_bytes).concat());
    out.extend([0, 0, end].map(u64::to_le_bytes).concat());
    out.extend([0_u16, 0, 64, 0, 0, 64, 3, 2].map(u16::to_le_bytes).concat());
    out.extend([rodata, names].concat());
    let (rodata, names) = (rodata.len() as u64, names.len() as u64);
    for [name, kind, start, size] in [[0; 4], [1, 1, 64, rodata], [9, 3, 64 + rodata, names]] {
        let fields = [name | kind << 32, 0, 0, start, size, 0, 1, 0];
        out.extend(fields.map(u64::to_le_bytes).concat());
    }
    out
}
