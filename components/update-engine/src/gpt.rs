//! The partition table (UEFI 2.10, section 5.3), and how an entry is changed so that no power cut leaves a disk without a valid one.
//!
//! A table is a header with the CRC-32 of an array of entries. To change an entry by the book, array and header are written one after
//! the other; between the two the table is invalid, and Linux does not look at the backup unless told. So an entry gets, behind the
//! end of its name where nobody looks, four bytes that give the whole array its old CRC again. The header then stays, and the change is
//! the write of one sector.

use std::{fmt, io};

use crate::disk::Disk;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const ENTRY: usize = 128;
/// More entries than any table of ours has.
const MAX_ENTRIES: u32 = 1024;
/// The label of a partition without content, as `systemd-sysupdate` and `systemd-repart` know it.
pub const EMPTY: &str = "_empty";
/// The label's last two characters are the place of the four bytes.
const MAX_LABEL: usize = 33;
const READ_ONLY: u64 = 1 << 60;
const NO_AUTO: u64 = 1 << 63;

/// A GUID; its bytes are in the order of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The first three fields are little-endian on disk.
    fn swapped(self) -> [u8; 16] {
        let mut bytes = self.0;
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes
    }

    fn from_disk(bytes: &[u8]) -> Self {
        let mut guid = Self([0; 16]);
        guid.0.copy_from_slice(bytes);
        Self(guid.swapped())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a partition table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    /// The disk.
    #[error("the partition table cannot be read or written")]
    Io(#[source] io::Error),
    /// Another table, or a damaged one.
    #[error("the disk has no valid partition table: {0}")]
    Invalid(&'static str),
    /// Somebody else writes it, too.
    #[error("partition {number} was changed by something else meanwhile; the next try looks again")]
    Changed {
        /// The partition, counted from 1.
        number: usize,
    },
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub kind: Guid,
    /// Which one it is.
    pub uuid: Guid,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Bits 48 to 63 depend on the kind.
    pub attributes: u64,
    /// Its name.
    pub label: String,
}

/// A valid partition table.
#[derive(Clone, Debug)]
pub struct Table {
    sector: u64,
    entries: Vec<u8>,
    places: [u64; 2],
    crc: u32,
}

impl Table {
    /// Reads the primary table.
    ///
    /// # Errors
    /// When the disk has none, or it is damaged.
    pub fn read(disk: &mut dyn Disk) -> Result<Self, GptError> {
        let mut problem = GptError::Invalid("there is no header");
        for sector in [512, 4096] {
            match Self::read_with(disk, sector) {
                Ok(table) => return Ok(table),
                Err(GptError::Invalid("there is no header")) => {}
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn read_with(disk: &mut dyn Disk, sector: u64) -> Result<Self, GptError> {
        let invalid = |what| Err(GptError::Invalid(what));
        let header = read_header(disk, sector)?;
        if number(&header, 24, 8) != 1 {
            return invalid("the header is at the wrong place");
        }
        let (count, size) = (number(&header, 80, 4) as u32, number(&header, 84, 4));
        if size != ENTRY as u64 || count == 0 || count > MAX_ENTRIES {
            return invalid("its entries are of an unknown form");
        }
        let mut entries = vec![0; count as usize * ENTRY];
        let primary = number(&header, 72, 8);
        let place = primary.checked_mul(sector).ok_or(GptError::Invalid("it is too large"))?;
        disk.read_at(place, &mut entries).map_err(GptError::Io)?;
        let crc = number(&header, 88, 4) as u32;
        if crc32(&entries) != crc {
            return invalid("its entries are damaged");
        }
        // The backup has its entries directly before its header, which is at the end.
        let sectors = (entries.len() as u64).div_ceil(sector);
        let Some(backup) = number(&header, 32, 8).checked_sub(sectors) else {
            return invalid("its backup is at the wrong place");
        };
        Ok(Self { sector, entries, places: [backup, primary], crc })
    }

    /// A partition by its number, counted from 0.
    pub fn partition(&self, index: usize) -> Option<Partition> {
        let entry = self.entries.chunks_exact(ENTRY).nth(index)?;
        let (first, last) = (number(entry, 32, 8), number(entry, 40, 8));
        let kind = Guid::from_disk(&entry[..16]);
        if kind.0 == [0; 16] || last < first {
            return None;
        }
        let units = entry[56..].chunks_exact(2).map(|unit| number(unit, 0, 2) as u16);
        let label: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Some(Partition {
            kind,
            uuid: Guid::from_disk(&entry[16..32]),
            offset: first.checked_mul(self.sector)?,
            length: (last - first).checked_add(1)?.checked_mul(self.sector)?,
            attributes: number(entry, 48, 8),
            label: String::from_utf16_lossy(&label),
        })
    }

    /// Marks a partition as one without content: nothing finds it by UUID or label any more.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn invalidate(&mut self, disk: &mut dyn Disk, index: usize) -> Result<(), GptError> {
        let Some(old) = self.partition(index) else {
            return Err(GptError::Invalid("it lacks a partition of the layout"));
        };
        let digest =
            slipway_payload::Digest::of_bytes(&[b"slipway-empty", &old.uuid.0[..]].concat());
        let mut uuid = Guid([0; 16]);
        uuid.0.copy_from_slice(&digest.as_bytes()[..16]);
        self.change(disk, index, uuid, EMPTY, READ_ONLY | NO_AUTO)
    }

    /// Gives a partition the UUID and the label by which a system finds it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn name(
        &mut self,
        disk: &mut dyn Disk,
        index: usize,
        uuid: Guid,
        label: &str,
    ) -> Result<(), GptError> {
        self.change(disk, index, uuid, label, READ_ONLY)
    }

    fn change(
        &mut self,
        disk: &mut dyn Disk,
        index: usize,
        uuid: Guid,
        label: &str,
        attributes: u64,
    ) -> Result<(), GptError> {
        let units: Vec<u16> = label.encode_utf16().collect();
        if units.len() > MAX_LABEL {
            return Err(GptError::Invalid("a label is too long"));
        }
        let fresh = self.again(disk, index)?;
        let mut entries = fresh.entries.clone();
        let Some(entry) = entries.chunks_exact_mut(ENTRY).nth(index) else {
            return Err(GptError::Invalid("it lacks a partition of the layout"));
        };
        entry[16..32].copy_from_slice(&uuid.swapped());
        entry[48..56].copy_from_slice(&attributes.to_le_bytes());
        entry[56..].fill(0);
        for (place, unit) in entry[56..].chunks_exact_mut(2).zip(units) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        forge(&mut entries, (index + 1) * ENTRY - 4, fresh.crc);
        fresh.write_sector(disk, &entries, index)?;
        *self = Self { entries, ..fresh };
        Ok(())
    }

    /// The table as it is now, in which a partition is still what it was: a copy from long ago must not undo what somebody did to
    /// another one.
    fn again(&self, disk: &mut dyn Disk, index: usize) -> Result<Self, GptError> {
        let fresh = Self::read_with(disk, self.sector)?;
        let what = |table: &Self| {
            let there = table.partition(index)?;
            Some((there.kind, there.uuid, there.offset, there.length))
        };
        match what(&fresh) == what(self) {
            true => Ok(fresh),
            false => Err(GptError::Changed { number: index + 1 }),
        }
    }

    /// The backup first; both are valid before and after.
    fn write_sector(
        &self,
        disk: &mut dyn Disk,
        entries: &[u8],
        index: usize,
    ) -> Result<(), GptError> {
        let sector = self.sector as usize;
        let within = index * ENTRY / sector;
        let bytes = &entries[within * sector..((within + 1) * sector).min(entries.len())];
        for place in self.places {
            let offset = (place + within as u64) * self.sector;
            disk.write_at(offset, bytes).map_err(GptError::Io)?;
            disk.flush().map_err(GptError::Io)?;
        }
        Ok(())
    }
}

fn read_header(disk: &mut dyn Disk, sector: u64) -> Result<Vec<u8>, GptError> {
    let mut header = vec![0; 512];
    disk.read_at(sector, &mut header).map_err(GptError::Io)?;
    if &header[..8] != SIGNATURE {
        return Err(GptError::Invalid("there is no header"));
    }
    let length = number(&header, 12, 4) as usize;
    if !(92..=header.len()).contains(&length) {
        return Err(GptError::Invalid("the header has a wrong length"));
    }
    let mut checked = header[..length].to_vec();
    checked[16..20].fill(0);
    match crc32(&checked) == number(&header, 16, 4) as u32 {
        true => Ok(header),
        false => Err(GptError::Invalid("the header is damaged")),
    }
}

/// A little-endian number.
fn number(bytes: &[u8], offset: usize, length: usize) -> u64 {
    bytes[offset..offset + length].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// CRC-32 as UEFI takes it (IEEE 802.3, reflected).
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = value >> 1 ^ if value & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn forward(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |state, byte| state >> 8 ^ TABLE[usize::from((state as u8) ^ byte)])
}

/// The state before `bytes`, from the one after them.
fn backward(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(state, |state, byte| {
        // The highest byte of a table's value says which one it was.
        let index = (0..256).find(|index| TABLE[*index] >> 24 == state >> 24).unwrap_or(0);
        (state ^ TABLE[index]) << 8 | (index as u32 ^ u32::from(*byte))
    })
}

/// The checksum of the headers and entries of a partition table.
pub fn crc32(bytes: &[u8]) -> u32 {
    !forward(!0, bytes)
}

/// Chooses the four bytes at `place` so that the checksum of all is `crc`.
fn forge(bytes: &mut [u8], place: usize, crc: u32) {
    let before = forward(!0, &bytes[..place]);
    let after = backward(!crc, &bytes[place + 4..]);
    let patch = before ^ backward(after, &[0; 4]);
    bytes[place..place + 4].copy_from_slice(&patch.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_guid_as_text() {
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let guid = Guid(bytes);
        assert_eq!(guid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(guid.swapped()[..8], [3, 2, 1, 0, 5, 4, 7, 6]);
        assert_eq!(Guid::from_disk(&guid.swapped()), guid);
    }

    proptest! {
        #[test]
        fn any_checksum_can_be_kept(
            mut bytes in prop::collection::vec(any::<u8>(), 4..600),
            place in any::<prop::sample::Index>(),
            crc in any::<u32>(),
        ) {
            let place = place.index(bytes.len() - 3);
            let before = bytes.clone();
            forge(&mut bytes, place, crc);
            prop_assert_eq!(crc32(&bytes), crc);
            prop_assert_eq!(&bytes[..place], &before[..place]);
            prop_assert_eq!(&bytes[place + 4..], &before[place + 4..]);
        }
    }
}
