//! What a guest wrote, in its order, and the disks that a power cut would have left.
//!
//! The log is that of Linux's dm-log-writes (`Documentation/admin-guide/device-mapper/log-writes.rst`, `struct log_write_super` and
//! `struct log_write_entry` in `drivers/md/dm-log-writes.c`) as QEMU's `blklogwrites` writes it: numbers are little-endian, positions
//! are in sectors, and each header has a sector of its own, before the data.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
};

use camino::Utf8Path;
use fs_err::File;

const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// Something that the guest had its disk do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// Writes so many bytes of the log, from there, to the disk, to here.
    Write { from: u64, to: u64, length: u64 },
    /// What was written before is to be safe now.
    Flush,
    /// Something else, which need not change what is read.
    Other,
}

/// The log of a run of a guest.
pub(crate) struct Writes {
    file: File,
    ops: Vec<Op>,
}

impl Writes {
    /// How many operations a log has whose guest may still run.
    pub(crate) fn count(path: &Utf8Path) -> usize {
        let mut file = File::open(path).unwrap();
        count(&mut file)
    }

    /// Reads a log.
    pub(crate) fn read(path: &Utf8Path) -> Self {
        let mut file = File::open(path).unwrap();
        let count = count(&mut file);
        let mut at = SECTOR;
        let mut ops = Vec::new();
        while ops.len() < count {
            file.seek(SeekFrom::Start(at)).unwrap();
            let [sector, sectors, flags] = numbers(&mut file);
            at += SECTOR;
            let length = sectors * SECTOR;
            ops.push(match (flags & DISCARD, sectors) {
                (0, 0) if flags & FLUSH == 0 => Op::Other,
                (0, 0) => Op::Flush,
                (0, _) => Op::Write { from: at, to: sector * SECTOR, length },
                _ => Op::Other,
            });
            if matches!(ops.last(), Some(Op::Write { .. })) {
                at += length;
            }
        }
        Self { file, ops }
    }

    /// The operations between two flushes each, from the one that `begin` is in.
    pub(crate) fn epochs(&self, begin: usize) -> Vec<Range<usize>> {
        let flushes = (0..self.ops.len()).filter(|&at| self.ops[at] == Op::Flush);
        let mut from = 0;
        let mut epochs = Vec::new();
        for to in flushes {
            epochs.push(from..to);
            from = to;
        }
        epochs.retain(|epoch| epoch.end > begin);
        epochs
    }

    /// Writes to a disk what those operations wrote, if `survives` says so.
    pub(crate) fn replay(
        &mut self,
        ops: Range<usize>,
        disk: &Utf8Path,
        mut survives: impl FnMut() -> bool,
    ) {
        let mut disk = fs_err::OpenOptions::new().write(true).open(disk).unwrap();
        for op in &self.ops[ops] {
            if let Op::Write { from, to, length } = *op
                && survives()
            {
                self.file.seek(SeekFrom::Start(from)).unwrap();
                disk.seek(SeekFrom::Start(to)).unwrap();
                let mut data = (&mut self.file).take(length);
                assert_eq!(std::io::copy(&mut data, &mut disk).unwrap(), length, "a torn log");
            }
        }
        disk.flush().unwrap();
    }
}

fn count(file: &mut File) -> usize {
    let [magic, version, entries] = numbers(file);
    assert_eq!((magic, version), (MAGIC, 1), "{}", file.path().display());
    entries.try_into().unwrap()
}

/// The next numbers of a file.
fn numbers<const N: usize>(file: &mut File) -> [u64; N] {
    let mut bytes = [0; 8];
    [0; N].map(|_: u8| {
        file.read_exact(&mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    })
}
