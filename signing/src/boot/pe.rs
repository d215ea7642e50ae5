//! The parts of a PE file that signatures are about (Microsoft: PE Format; Windows Authenticode Portable Executable Signature Format).

use std::ops::Range;

use rsa::sha2::{Digest as _, Sha256};

use super::BootError;

/// The size of an entry of the table of sections.
const SECTION: usize = 40;
/// The index of the certificate table among the data directories.
const CERTIFICATES: usize = 4;
/// The certificate table begins at a multiple of this, and so does each of its entries.
pub(super) const ALIGN: usize = 8;
/// Length, revision and type in front of a signature (`WIN_CERTIFICATE`).
pub(super) const CERTIFICATE_HEADER: usize = 8;

/// A PE file, and where its parts are.
#[derive(Debug)]
pub(super) struct Pe<'a> {
    bytes: &'a [u8],
    /// Where the checksum is: 4 bytes.
    pub(super) checksum: usize,
    /// Where the place and the size of the certificate table are: 8 bytes.
    pub(super) directory: usize,
    /// How long the headers are.
    headers: usize,
    /// The content of the sections, in the order of the file.
    sections: Vec<Range<usize>>,
    /// Where the certificate table is. It is empty, and the end of the file, when there is none.
    pub(super) table: Range<usize>,
}

fn bad(problem: &'static str) -> BootError {
    BootError::Program { problem }
}

/// A number of the file.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<usize, BootError> {
    let slice = at.checked_add(N).and_then(|end| bytes.get(at..end));
    let slice = slice.ok_or_else(|| bad("it ends within its headers"))?;
    Ok(slice.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
}

impl<'a> Pe<'a> {
    /// Finds the parts.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BootError> {
        if !bytes.starts_with(b"MZ") {
            return Err(bad("it does not begin with `MZ`"));
        }
        let pe = number::<4>(bytes, 0x3c)?;
        if number::<4>(bytes, pe)? != usize::from(b'P') + (usize::from(b'E') << 8) {
            return Err(bad("it has no PE header"));
        }
        let count = number::<2>(bytes, pe + 6)?;
        let optional = pe + 24;
        let optional_size = number::<2>(bytes, pe + 20)?;
        let directories = match number::<2>(bytes, optional)? {
            0x10b => optional + 96,
            0x20b => optional + 112,
            _ => return Err(bad("it is neither PE32 nor PE32+")),
        };
        let directory = directories + CERTIFICATES * 8;
        if number::<4>(bytes, directories - 4)? <= CERTIFICATES
            || directory + 8 > optional + optional_size
        {
            return Err(bad("it has no room for a signature in its headers"));
        }
        let headers = number::<4>(bytes, optional + 60)?;
        let section_table = optional + optional_size;
        if headers > bytes.len() || headers < section_table + count * SECTION {
            return Err(bad("the size of its headers is wrong"));
        }
        let table = table(bytes, directory, headers)?;
        let sections = (0..count)
            .map(|index| section(bytes, section_table + index * SECTION, headers..table.start))
            .filter(|range| !range.as_ref().is_ok_and(Range::is_empty))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sections = sections;
        sections.sort_by_key(|range| range.start);
        // Otherwise a signature would cover some bytes twice, and others not at all.
        if sections.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err(bad("its sections overlap"));
        }
        Ok(Self { bytes, checksum: optional + 64, directory, headers, sections, table })
    }

    /// What a signature is of: all but the checksum, the place of the certificate table, and that table.
    ///
    /// The specification counts the bytes of headers and sections, and goes on behind them where as many bytes of the file are
    /// over; that is the end of the last section only if there are no gaps before it. Firmware does so, and so it is done here.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.bytes[..self.checksum]);
        hash.update(&self.bytes[self.checksum + 4..self.directory]);
        hash.update(&self.bytes[self.directory + 8..self.headers]);
        let mut counted = self.headers;
        for section in &self.sections {
            hash.update(&self.bytes[section.clone()]);
            counted += section.len();
        }
        hash.update(&self.bytes[counted..self.table.start]);
        hash.finalize().into()
    }

    /// The entries of the certificate table that are PKCS #7. What is damaged ends the list.
    pub(super) fn signatures(&self) -> Vec<&'a [u8]> {
        let mut rest = &self.bytes[self.table.clone()];
        let mut found = Vec::new();
        while let Ok(length) = number::<4>(rest, 0) {
            let Some(entry) = rest.get(CERTIFICATE_HEADER..length) else { break };
            if rest[4..CERTIFICATE_HEADER] == [0, 2, 2, 0] {
                found.push(entry);
            }
            rest = rest.get(length.next_multiple_of(ALIGN)..).unwrap_or_default();
        }
        found
    }
}

fn table(bytes: &[u8], directory: usize, headers: usize) -> Result<Range<usize>, BootError> {
    let (start, size) = (number::<4>(bytes, directory)?, number::<4>(bytes, directory + 4)?);
    if (start, size) == (0, 0) {
        return Ok(bytes.len()..bytes.len());
    }
    if start % ALIGN != 0 || start < headers || start + size != bytes.len() {
        return Err(bad("its certificate table is not at its end"));
    }
    Ok(start..bytes.len())
}

fn section(bytes: &[u8], at: usize, within: Range<usize>) -> Result<Range<usize>, BootError> {
    let (size, start) = (number::<4>(bytes, at + 16)?, number::<4>(bytes, at + 20)?);
    if size > 0 && (start < within.start || start + size > within.end) {
        return Err(bad("a section is not within the file"));
    }
    Ok(start..start + size)
}

/// The checksum of a file (PE Format: the sum of all 16-bit words, carried over, and the length), its own field taken as zero.
pub(super) fn checksum(bytes: &[u8], field: usize) -> u32 {
    let mut sum = 0_u64;
    for (index, pair) in bytes.chunks(2).enumerate() {
        if !(field..field + 4).contains(&(index * 2)) {
            sum += u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    // A PE file is shorter than 4 GiB.
    (sum + bytes.len() as u64) as u32
}
