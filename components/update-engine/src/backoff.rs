//! How long to wait before the next try, and how fast to read.

use std::time::Duration;

/// Waits that double, each with some chance in it so that machines which failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After how many failures without progress to give up.
    pub tries: u32,
}

impl Backoff {
    /// The wait after failure number `failures` (from 1), between half of it and all of it as `chance` says; none to give up.
    pub fn wait(&self, failures: u32, chance: u8) -> Option<Duration> {
        if failures >= self.tries {
            return None;
        }
        let doubled = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let full = self.first.saturating_mul(doubled).min(self.longest);
        Some(full / 2 + full / 2 * u32::from(chance) / u32::from(u8::MAX))
    }
}

/// A bound on bytes per second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    bytes_per_second: Option<u64>,
    ahead: Duration,
}

impl Rate {
    /// At most so many bytes per second; none for no bound.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, ahead: Duration::ZERO }
    }

    /// How long to wait after `bytes` came within `took`. Waits below a hundredth of a second are saved up.
    pub fn wait(&mut self, bytes: u64, took: Duration) -> Duration {
        let Some(rate) = self.bytes_per_second.filter(|rate| *rate > 0) else {
            return Duration::ZERO;
        };
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        let should = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.ahead = (self.ahead + should).saturating_sub(took);
        if self.ahead < Duration::from_millis(10) {
            return Duration::ZERO;
        }
        std::mem::take(&mut self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_end() {
        let backoff =
            Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(10), tries: 5 };
        let waits =
            |chance| (1..=5).map(move |n| backoff.wait(n, chance).map(|wait| wait.as_secs()));
        assert!(waits(255).eq([Some(2), Some(4), Some(8), Some(10), None]));
        assert!(waits(0).eq([Some(1), Some(2), Some(4), Some(5), None]));
        let many = Backoff { tries: 100, ..backoff };
        assert_eq!(many.wait(99, 255), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_rate_is_kept_on_average() {
        let mut rate = Rate::new(Some(1000));
        assert_eq!(rate.wait(1000, Duration::from_millis(250)), Duration::from_millis(750));
        assert_eq!(rate.wait(5, Duration::ZERO), Duration::ZERO);
        assert_eq!(rate.wait(5, Duration::ZERO), Duration::from_millis(10));
        assert_eq!(Rate::new(None).wait(u64::MAX, Duration::ZERO), Duration::ZERO);
    }
}
