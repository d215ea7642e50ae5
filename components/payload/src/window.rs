//! Which parts of the old image a frame of a delta may refer to: those that have the same blocks, and those at the same place.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Read},
};

use sha2::{Digest as _, Sha256};

use crate::head::{CHUNK, Range, WINDOW};

/// The unit of comparison: file systems lay out their content by it.
const BLOCK: usize = 4096;

/// The unit of a window.
const REGION: u64 = 64 << 10;

/// How far around the same place a window reaches in any case: enough for content that moved by less than a block.
const AROUND: u64 = 1 << 20;

/// How often one block counts: blocks that are everywhere say nothing about where content went.
const EVERYWHERE: usize = 8;

/// Where the blocks of an old image are.
pub(crate) struct Index {
    length: u64,
    regions: HashMap<u64, Vec<u32>>,
}

impl Index {
    /// Reads the old image.
    pub(crate) fn read(mut old: impl Read) -> io::Result<Self> {
        let mut index = Self { length: 0, regions: HashMap::new() };
        let mut block = [0; BLOCK];
        loop {
            let read = fill(&mut old, &mut block)?;
            if let Some(name) = name(&block[..read]) {
                let region = (index.length / REGION) as u32;
                let regions = index.regions.entry(name).or_default();
                if regions.len() <= EVERYWHERE && regions.last() != Some(&region) {
                    regions.push(region);
                }
            }
            index.length += read as u64;
            if read < BLOCK {
                return Ok(index);
            }
        }
    }

    /// The window for a chunk of the new image at `offset`.
    pub(crate) fn window(&self, offset: u64, chunk: &[u8]) -> Vec<Range> {
        let mut scores: BTreeMap<u32, usize> = BTreeMap::new();
        for block in chunk.chunks(BLOCK) {
            let regions = name(block).and_then(|name| self.regions.get(&name));
            for region in regions.into_iter().flatten().take(EVERYWHERE) {
                *scores.entry(*region).or_default() += 1;
            }
        }
        let mut best: Vec<(u32, usize)> = scores.into_iter().collect();
        best.sort_by_key(|(region, score)| (std::cmp::Reverse(*score), *region));
        let from = offset.saturating_sub(AROUND) / REGION;
        let to = (offset + CHUNK + AROUND).min(self.length).div_ceil(REGION);
        let chosen: BTreeSet<u64> = (from..to)
            .chain(best.into_iter().map(|(region, _)| u64::from(region)))
            .scan(BTreeSet::new(), |seen, region| Some(seen.insert(region).then_some(region)))
            .flatten()
            .take((WINDOW / REGION) as usize)
            .collect();
        self.ranges(&chosen)
    }

    fn ranges(&self, regions: &BTreeSet<u64>) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for region in regions {
            let offset = region * REGION;
            let length = REGION.min(self.length.saturating_sub(offset));
            match ranges.last_mut() {
                Some(last) if last.offset + last.length == offset => last.length += length,
                _ if length > 0 => ranges.push(Range { offset, length }),
                _ => {}
            }
        }
        ranges
    }
}

/// What identifies a block well enough; none for blocks of zeros and parts of blocks.
fn name(block: &[u8]) -> Option<u64> {
    if block.len() < BLOCK || block.iter().all(|byte| *byte == 0) {
        return None;
    }
    let digest = Sha256::digest(block);
    let (first, _) = digest.split_at(8);
    Some(first.iter().fold(0, |name, byte| name << 8 | u64::from(*byte)))
}

/// Reads until the buffer is full or the reader ends.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks that all differ.
    fn image(blocks: u32) -> Vec<u8> {
        (0..blocks).flat_map(|block| block.to_le_bytes().repeat(BLOCK / 4)).collect()
    }

    #[test]
    fn content_that_moved_far_is_found() {
        let old = image(16 << 10);
        let index = Index::read(&old[..]).unwrap();
        let moved = 40 << 20;
        let window = index.window(0, &old[moved..moved + CHUNK as usize]);
        let covers = |place: u64| {
            window.iter().any(|range| (range.offset..range.offset + range.length).contains(&place))
        };
        assert!(covers(0) && covers(4 << 20) && !covers(6 << 20));
        assert!(covers(moved as u64) && covers(moved as u64 + CHUNK - 1));
        assert!(window.iter().map(|range| range.length).sum::<u64>() <= WINDOW);
    }

    #[test]
    fn a_window_ends_where_the_old_image_does() {
        let old = vec![1; 100_000];
        let index = Index::read(&old[..]).unwrap();
        assert_eq!(index.window(0, &[7; 10]), [Range { offset: 0, length: 100_000 }]);
        assert_eq!(index.window(8 << 20, &[7; 10]), []);
        assert_eq!(Index::read(&b""[..]).unwrap().window(0, &[7; 10]), []);
    }
}
