//! Damaging a disk: its partition table is read as the UEFI specification 2.10, section 5.3, says.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    process::Command,
};

use camino::Utf8Path;

const SECTOR: u64 = 512;

/// Copies a disk image. Holes stay holes.
pub(crate) fn copy(from: &Utf8Path, to: &Utf8Path) {
    #[expect(clippy::disallowed_methods, reason = "nothing in the standard library keeps holes")]
    let mut command = Command::new("cp");
    assert!(
        command.args(["--sparse=always", from.as_str(), to.as_str()]).status().unwrap().success()
    );
}

/// The first byte of the partition called `label`.
pub(crate) fn partition(disk: &Utf8Path, label: &str) -> u64 {
    let mut file = fs_err::File::open(disk).unwrap();
    let header: [u8; SECTOR as usize] = read(&mut file, SECTOR);
    assert_eq!(&header[..8], b"EFI PART", "{disk}");
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
    let short = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    let (table, count, size) = (number(72) * SECTOR, short(80), short(84));
    for index in 0..count {
        let entry: [u8; 128] = read(&mut file, table + u64::from(index) * u64::from(size));
        let name = entry[56..].chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
        let name: Vec<u16> = name.take_while(|&c| c != 0).collect();
        if String::from_utf16(&name).unwrap() == label {
            return u64::from_le_bytes(entry[32..40].try_into().unwrap()) * SECTOR;
        }
    }
    panic!("{disk} has no partition {label}");
}

fn read<const N: usize>(file: &mut fs_err::File, at: u64) -> [u8; N] {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    bytes
}

/// Turns one bit over.
pub(crate) fn flip_bit(disk: &Utf8Path, at: u64) {
    let mut file = fs_err::OpenOptions::new().read(true).write(true).open(disk).unwrap();
    let [byte] = read(&mut file, at);
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte ^ 1]).unwrap();
}
