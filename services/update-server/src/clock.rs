//! The clock, as a value: the program hands in the system's, tests one that they turn.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use jiff::Timestamp;

/// Says what time it is.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    System(fn() -> Timestamp),
    Fast { begun: Instant, at: Timestamp, speed: u32 },
    Turned(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that asks a function, such as [`Timestamp::now`].
    pub fn new(now: fn() -> Timestamp) -> Self {
        Self(Inner::System(now))
    }

    /// A clock that shows a time now, and goes so many times as fast as others from then on. For simulations.
    pub fn fast(at: Timestamp, speed: u32) -> Self {
        Self(Inner::Fast { begun: Instant::now(), at, speed })
    }

    /// A clock that stands still until [`Self::turn`] is called.
    pub fn still(at: Timestamp) -> Self {
        Self(Inner::Turned(Arc::new(AtomicI64::new(at.as_millisecond()))))
    }

    /// Moves a clock that stands still, forward or backward, by seconds. Does nothing to the system's.
    pub fn turn(&self, seconds: i64) {
        if let Inner::Turned(at) = &self.0 {
            at.fetch_add(seconds * 1000, Ordering::SeqCst);
        }
    }

    /// The time, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Inner::System(now) => now().as_millisecond(),
            Inner::Fast { begun, at, speed } => {
                let passed = begun.elapsed().as_millis() * u128::from(*speed);
                at.as_millisecond().saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
            }
            Inner::Turned(at) => at.load(Ordering::SeqCst),
        };
        time(millis)
    }
}

/// A time from milliseconds since 1970; what is out of range becomes 1970.
pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fast_clock_begins_where_it_is_set_and_goes_faster() {
        let (at, begun) = (time(1_000_000), Instant::now());
        let clock = Clock::fast(at, 3600);
        std::thread::sleep(Duration::from_millis(2));
        let shown = clock.now().duration_since(at).as_millis();
        assert!(shown >= 2 * 3600, "{shown}");
        let most = i128::try_from(begun.elapsed().as_millis() + 1).unwrap() * 3600;
        assert!(shown <= most, "{shown}");
    }
}
