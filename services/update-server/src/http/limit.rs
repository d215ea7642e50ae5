//! How many requests an address may send: a budget that refills evenly.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

/// More addresses than this are not remembered: the oldest budgets, which are full again, go first.
const ADDRESSES: usize = 100_000;

/// Knows how much of its budget each address has left.
#[derive(Clone, Debug)]
pub struct Limiter {
    per_minute: u32,
    budgets: Arc<Mutex<HashMap<IpAddr, Budget>>>,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    left: f64,
    at: i64,
}

impl Limiter {
    /// A limiter of so many requests per minute; 0 admits any number.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, budgets: Arc::default() }
    }

    /// Whether an address may send one more.
    pub fn admits(&self, address: IpAddr, now: Timestamp) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        let full = f64::from(self.per_minute);
        let now = now.as_millisecond();
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.len() >= ADDRESSES && !budgets.contains_key(&network(address)) {
            budgets.retain(|_, budget| now - budget.at < 60_000);
            if budgets.len() >= ADDRESSES {
                budgets.clear();
            }
        }
        let budget = budgets.entry(network(address)).or_insert(Budget { left: full, at: now });
        // A clock that went backwards refills nothing.
        let elapsed = (now - budget.at).max(0) as f64;
        budget.left = (budget.left + elapsed * full / 60_000.0).min(full);
        budget.at = budget.at.max(now);
        if budget.left < 1.0 {
            return false;
        }
        budget.left -= 1.0;
        true
    }
}

/// Whoever has one IPv6 address has a whole network of them. All of IPv4 would be one network of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_budget_is_used_up_and_refills() {
        let limiter = Limiter::new(60);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert!((0..60).all(|_| limiter.admits(address, at(0))));
        assert!(!limiter.admits(address, at(0)));
        assert!(limiter.admits("192.0.2.2".parse().unwrap(), at(0)));
        assert!(!limiter.admits(address, at(-5000)));
        assert!(limiter.admits(address, at(1000)));
        assert!(!limiter.admits(address, at(1000)));
    }

    #[test]
    fn addresses_of_one_network_share_a_budget() {
        let limiter = Limiter::new(1);
        assert!(limiter.admits("2001:db8::1".parse().unwrap(), at(0)));
        assert!(!limiter.admits("2001:db8::2".parse().unwrap(), at(0)));
        assert!(limiter.admits("2001:db8:0:1::2".parse().unwrap(), at(0)));
    }

    #[test]
    fn an_address_of_ipv4_is_itself_in_either_form() {
        let limiter = Limiter::new(1);
        assert!(limiter.admits("::ffff:192.0.2.1".parse().unwrap(), at(0)));
        assert!(!limiter.admits("192.0.2.1".parse().unwrap(), at(0)));
        assert!(limiter.admits("::ffff:192.0.2.2".parse().unwrap(), at(0)));
    }

    #[test]
    fn no_limit_admits_all() {
        let limiter = Limiter::new(0);
        assert!((0..1000).all(|_| limiter.admits("192.0.2.1".parse().unwrap(), at(0))));
    }
}
