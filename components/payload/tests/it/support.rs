//! Images for tests.

use std::io::Cursor;

use slipway_payload::{Level, Old, System, Written, verity::Verity, write_delta, write_full};

pub(crate) const LEVEL: Level = Level(3);

/// A system of a version.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    pub(crate) version: &'static str,
    pub(crate) usr: Vec<u8>,
    pub(crate) uki: Vec<u8>,
}

impl Images {
    pub(crate) fn system(&self) -> System<Cursor<&[u8]>> {
        System {
            version: self.version.parse().unwrap(),
            usr: Cursor::new(&self.usr),
            uki: Cursor::new(&self.uki),
            verity: Verity::of_slipway(),
        }
    }

    pub(crate) fn base(&self) -> Old<Cursor<&[u8]>, Cursor<&[u8]>> {
        Old { usr: Cursor::new(&self.usr), uki: Cursor::new(&self.uki) }
    }

    pub(crate) fn full(&self) -> (Vec<u8>, Written) {
        let mut payload = Vec::new();
        let written = write_full("amd64", &mut self.system(), LEVEL, &mut payload).unwrap();
        (payload, written)
    }

    pub(crate) fn delta_from(&self, old: &Self) -> (Vec<u8>, Written) {
        let mut payload = Vec::new();
        let (mut old, mut new) = (old.system(), self.system());
        let written = write_delta("amd64", &mut old, &mut new, LEVEL, &mut payload).unwrap();
        (payload, written)
    }
}

/// Bytes that do not compress, the same for the same seed (xorshift).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length.div_ceil(8)).flatten().take(length).collect()
}
