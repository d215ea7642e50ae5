//! Many durations in little space: buckets that are at most a sixty-fourth of their value wide.

/// Buckets for each doubling.
const FINE: u64 = 64;

/// How many bits [`FINE`] takes.
const BITS: u32 = FINE.ilog2();

/// Counts of durations in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, micros: u64) {
        let bucket = bucket(micros);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The duration below which this share of them lies, in microseconds, rounded up by a sixty-fourth at most.
    /// Zero if none was counted.
    pub fn quantile(&self, share: f64) -> u64 {
        // Counts are far below what a double cannot hold.
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(index).min(self.max);
            }
        }
        0
    }
}

/// The bucket of a value: values below [`FINE`] have their own.
fn bucket(value: u64) -> usize {
    let index = match value.checked_ilog2() {
        Some(log) if log >= BITS => {
            let shift = log - BITS;
            u64::from(shift) * FINE + (value >> shift)
        }
        _ => value,
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The highest value of a bucket.
fn highest(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * FINE {
        return index;
    }
    let shift = index / FINE - 1;
    let lowest = (FINE + index % FINE) << shift;
    lowest + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_values_are_exact() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.record(value));
        let quantiles = [0.0, 0.5, 0.99, 1.0].map(|share| histogram.quantile(share));
        assert_eq!(quantiles, [1, 50, 99, 100]);
        assert_eq!((histogram.count(), histogram.max()), (100, 100));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value in 0u64..1 << 40) {
            let index = bucket(value);
            prop_assert!(highest(index) >= value);
            prop_assert!(index == 0 || highest(index - 1) < value);
            prop_assert!(highest(index) - value <= value / FINE);
        }

        #[test]
        fn quantiles_are_close_to_the_exact_ones(
            mut values in prop::collection::vec(0u64..10_000_000, 1..200), share in 0.0f64..=1.0,
        ) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            let rank = ((share * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let found = histogram.quantile(share);
            prop_assert!(found >= exact && found - exact <= exact / FINE, "{found} for {exact}");
        }
    }
}
