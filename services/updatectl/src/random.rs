//! Dice that fall the same way for the same seed, and nonces that nobody can guess.

/// Numbers that look random; made by SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Dice for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and not including, 1.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something of this percentage comes to pass.
    pub fn percent(&mut self, percent: f64) -> Chance {
        if self.unit() * 100.0 < percent { Chance::Comes } else { Chance::Stays }
    }
}

/// Whether something comes to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chance {
    /// It does.
    Comes,
    /// It does not.
    Stays,
}

/// Bytes from the system, in hexadecimal.
pub(crate) fn unguessable(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    getrandom::fill(&mut buffer).expect("the system has randomness");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_seed_falls_the_same_way() {
        let throws = |seed| {
            (0..3)
                .map(|_| 0)
                .scan(Random::new(seed), |dice, _| Some(dice.bits()))
                .collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        // The first output for the seed 0, as published with the reference implementation.
        assert_eq!(Random::new(0).bits(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn none_and_all_are_certain() {
        let mut dice = Random::new(1);
        for _ in 0..1000 {
            assert_eq!(dice.percent(0.0), Chance::Stays);
            assert_eq!(dice.percent(100.0), Chance::Comes);
        }
    }

    #[test]
    fn nonces_differ() {
        assert_eq!(unguessable(8).len(), 16);
        assert_ne!(unguessable(8), unguessable(8));
    }

    proptest! {
        #[test]
        fn a_share_is_about_that_share(seed: u64, percent in 0.0f64..100.0) {
            let mut dice = Random::new(seed);
            let came = (0..10_000).filter(|_| dice.percent(percent) == Chance::Comes).count();
            prop_assert!((came as f64 / 100.0 - percent).abs() < 4.0, "{came} of 10000 at {percent} %");
        }
    }
}
