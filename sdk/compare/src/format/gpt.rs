//! Disks with a GUID partition table (UEFI specification, chapter 5), of sectors of 512 bytes.

use std::io;

use super::Item;
use crate::{
    Place,
    content::{Content, malformed},
};

const SECTOR: u64 = 512;
const HEADER: u64 = 92;
const ENTRIES_MAX: u64 = 1024;
const ENTRY: u64 = 128;

/// First where the partitions are, then what they hold, then their identifiers: these are often made from the content.
pub(super) fn list(content: &Content) -> io::Result<Vec<Item>> {
    let header = content.slice(SECTOR, HEADER)?.excerpt(0, HEADER as usize)?;
    let usable = vec![
        ("first usable sector", number(&header[40..48]).to_string()),
        ("last usable sector", number(&header[48..56]).to_string()),
    ];
    let at_table = |fields| Item { place: Place::PartitionTable, fields, content: None };
    let mut items = vec![at_table(usable)];
    let (mut contents, mut identifiers) = (Vec::new(), Vec::new());
    for (number, entry) in entries(content, &header)? {
        let place = Place::Partition { number, label: entry.label() };
        items.push(Item { place: place.clone(), fields: entry.fields(), content: None });
        let part = Some(entry.content(content)?);
        contents.push(Item { place: place.clone(), fields: vec![], content: part });
        identifiers.push(Item {
            place,
            fields: vec![("UUID", uuid(&entry.0[16..32]))],
            content: None,
        });
    }
    items.append(&mut contents);
    items.append(&mut identifiers);
    items.push(at_table(vec![("disk UUID", uuid(&header[56..72]))]));
    Ok(items)
}

/// The entries of the table that are in use, with their numbers.
fn entries(content: &Content, header: &[u8]) -> io::Result<Vec<(u32, Entry)>> {
    let (first, count, size) =
        (number(&header[72..80]), number(&header[80..84]), number(&header[84..88]));
    if count > ENTRIES_MAX || size < ENTRY {
        return Err(malformed());
    }
    let start = first.checked_mul(SECTOR).ok_or_else(malformed)?;
    let table = content.slice(start, count * size)?;
    let mut entries = Vec::new();
    for (index, number) in (0..count).zip(1..) {
        let entry = Entry(table.excerpt(index * size, ENTRY as usize)?);
        if entry.0[..16] != [0; 16] {
            entries.push((number, entry));
        }
    }
    Ok(entries)
}

/// An entry of the table: type, identifier, first and last sector, attributes, label.
struct Entry(Vec<u8>);

impl Entry {
    fn label(&self) -> String {
        let units = self.0[56..128].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let units: Vec<_> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("type", uuid(&self.0[..16])),
            ("first sector", number(&self.0[32..40]).to_string()),
            ("last sector", number(&self.0[40..48]).to_string()),
            ("attributes", format!("{:#x}", number(&self.0[48..56]))),
        ]
    }

    fn content(&self, disk: &Content) -> io::Result<Content> {
        let (first, last) = (number(&self.0[32..40]), number(&self.0[40..48]));
        let sectors = last.checked_sub(first).and_then(|sectors| sectors.checked_add(1));
        let bytes = |sectors: u64| sectors.checked_mul(SECTOR).ok_or_else(malformed);
        disk.slice(bytes(first)?, bytes(sectors.ok_or_else(malformed)?)?)
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The first three groups are stored as numbers, the others as they are read.
fn uuid(bytes: &[u8]) -> String {
    let (a, b, c) = (number(&bytes[..4]), number(&bytes[4..6]), number(&bytes[6..8]));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{a:08x}-{b:04x}-{c:04x}-{}-{}", hex(&bytes[8..10]), hex(&bytes[10..16]))
}
