//! Which signed requests were seen already.

use std::collections::{BTreeMap, HashSet};

/// Remembers the requests of a window of time, within a bound.
///
/// Failure bias: when it is full, requests are refused, because one that is not remembered could be played again.
/// Only requests with a good MAC get here, so that nobody without a key can fill it.
#[derive(Debug)]
pub struct ReplayCache {
    /// By time stamp, so that old ones are found without a scan.
    seen: BTreeMap<u64, HashSet<(String, String)>>,
    count: usize,
    capacity: usize,
    /// Time stamps below this were forgotten and are refused, even when the clock goes backwards.
    floor: u64,
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The same identifier, nonce and time were there before.
    Seen,
    /// So old that it may have been seen.
    Forgotten,
    /// More requests in the window than can be remembered.
    Full,
}

impl ReplayCache {
    /// A cache that remembers this many requests.
    pub fn new(capacity: usize) -> Self {
        Self { seen: BTreeMap::new(), count: 0, capacity, floor: 0 }
    }

    /// Takes a request in, or says why not. `oldest` is the oldest time stamp that is still accepted.
    pub fn insert(&mut self, id: &str, nonce: &str, ts: u64, oldest: u64) -> Result<(), Replayed> {
        self.forget(oldest);
        if ts < self.floor {
            return Err(Replayed::Forgotten);
        }
        let entry = (id.to_owned(), nonce.to_owned());
        if self.seen.get(&ts).is_some_and(|second| second.contains(&entry)) {
            return Err(Replayed::Seen);
        }
        if self.count >= self.capacity {
            return Err(Replayed::Full);
        }
        self.seen.entry(ts).or_default().insert(entry);
        self.count += 1;
        Ok(())
    }

    fn forget(&mut self, oldest: u64) {
        if oldest <= self.floor {
            return;
        }
        self.floor = oldest;
        let kept = self.seen.split_off(&oldest);
        let gone = std::mem::replace(&mut self.seen, kept);
        self.count -= gone.values().map(HashSet::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_request_twice_is_a_replay() {
        let mut cache = ReplayCache::new(10);
        assert_eq!(cache.insert("a", "n", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "n", 100, 40), Err(Replayed::Seen));
        assert_eq!(cache.insert("b", "n", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "m", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "n", 101, 40), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_backwards_opens_no_door() {
        let mut cache = ReplayCache::new(10);
        assert_eq!(cache.insert("a", "n", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "m", 200, 140), Ok(()));
        assert_eq!(cache.insert("a", "n", 100, 40), Err(Replayed::Forgotten));
    }

    #[test]
    fn a_full_cache_refuses_until_time_passes() {
        let mut cache = ReplayCache::new(2);
        assert_eq!(cache.insert("a", "1", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "2", 100, 40), Ok(()));
        assert_eq!(cache.insert("a", "3", 100, 40), Err(Replayed::Full));
        assert_eq!(cache.insert("a", "1", 100, 40), Err(Replayed::Seen));
        assert_eq!(cache.insert("a", "3", 161, 101), Ok(()));
    }

    proptest! {
        #[test]
        fn nothing_passes_twice_whatever_the_clock_does(
            requests in prop::collection::vec((0u8..3, 0u8..3, 90u64..130, 50u64..120), 0..60)
        ) {
            let mut cache = ReplayCache::new(20);
            let mut passed = HashSet::new();
            for (id, nonce, ts, oldest) in requests {
                if cache.insert(&id.to_string(), &nonce.to_string(), ts, oldest).is_ok() {
                    prop_assert!(passed.insert((id, nonce, ts)));
                }
                prop_assert!(cache.count <= 20);
                prop_assert_eq!(cache.count, cache.seen.values().map(HashSet::len).sum::<usize>());
            }
        }
    }
}
