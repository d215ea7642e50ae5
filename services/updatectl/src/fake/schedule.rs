//! Who comes next: hosts that wait for their time, and workers that wait for hosts.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What waits, the earliest in front; of those with the same time, the one that came first.
///
/// Each is in the schedule or with a worker. A worker that takes one has to [`put`](Self::put) it back or say that it is
/// [`gone`](Self::gone).
pub(super) struct Schedule<T> {
    state: Mutex<State<T>>,
    /// Held by the worker that gets the next one; the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

struct State<T> {
    waiting: BinaryHeap<Entry<T>>,
    /// How many are with workers.
    out: usize,
    /// How many were put so far.
    count: u64,
}

struct Entry<T> {
    due: Instant,
    number: u64,
    what: T,
}

impl<T> Schedule<T> {
    /// Nothing waits.
    pub(super) fn new() -> Self {
        let state = State { waiting: BinaryHeap::new(), out: 0, count: 0 };
        Self {
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that nobody had comes at a time.
    pub(super) fn add(&self, what: T, due: Instant) {
        self.state().push(what, due);
        self.changed.notify_one();
    }

    /// What a worker had comes again at a time.
    pub(super) fn put(&self, what: T, due: Instant) {
        let mut state = self.state();
        state.out -= 1;
        state.push(what, due);
        drop(state);
        self.changed.notify_one();
    }

    /// What a worker had never comes again.
    pub(super) fn gone(&self) {
        self.state().out -= 1;
        self.changed.notify_one();
    }

    /// Waits for the next one; says how late it is. `None` once all are gone.
    pub(super) async fn next(&self) -> Option<(T, Duration)> {
        let _turn = self.turn.lock().await;
        loop {
            let due = {
                let mut state = self.state();
                let now = Instant::now();
                match state.waiting.peek().map(|first| first.due) {
                    Some(due) if due <= now => {
                        state.out += 1;
                        return state.waiting.pop().map(|entry| (entry.what, now - due));
                    }
                    None if state.out == 0 => return None,
                    due => due,
                }
            };
            match due {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }
}

impl<T> State<T> {
    fn push(&mut self, what: T, due: Instant) {
        self.count += 1;
        self.waiting.push(Entry { due, number: self.count, what });
    }
}

impl<T> Ord for Entry<T> {
    /// The greatest of a heap comes first, so the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_comes_first_and_in_turn() {
        let schedule = Schedule::new();
        let now = Instant::now();
        for (name, due) in [("c", 20), ("a", 10), ("b", 10)] {
            schedule.add(name, now + seconds(due));
        }
        for (name, at) in [("a", 10), ("b", 10), ("c", 20)] {
            assert_eq!(schedule.next().await, Some((name, Duration::ZERO)));
            assert_eq!(now.elapsed().as_secs(), at);
            schedule.gone();
        }
        assert_eq!(schedule.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_says_so() {
        let schedule = Schedule::new();
        schedule.add((), Instant::now());
        tokio::time::advance(seconds(3)).await;
        assert_eq!(schedule.next().await, Some(((), seconds(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_waits_sees_what_comes_earlier() {
        let schedule = Schedule::new();
        let now = Instant::now();
        schedule.add("out", now);
        schedule.add("late", now + seconds(100));
        assert!(schedule.next().await.is_some());
        let other = async {
            tokio::time::sleep(seconds(1)).await;
            schedule.put("out", now + seconds(5));
        };
        let (found, ()) = tokio::join!(schedule.next(), other);
        assert_eq!((found.map(|(name, _)| name), now.elapsed()), (Some("out"), seconds(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn all_workers_end_when_the_last_one_is_gone() {
        let schedule = Schedule::new();
        schedule.add((), Instant::now());
        assert!(schedule.next().await.is_some());
        let last = async {
            tokio::time::sleep(seconds(1)).await;
            schedule.gone();
        };
        let (one, other, ()) = tokio::join!(schedule.next(), schedule.next(), last);
        assert_eq!((one, other), (None, None));
    }
}
