//! The ready queue: which of the actions that could start now may start now. Pure.
//!
//! The longest remaining path goes first, bounded by slots and memory. An action that does not fit lets those behind it
//! pass: the graph is finite, so it gets its turn. An action that is being looked up lets nothing pass that would take its
//! slot: the answer comes within milliseconds, and most often it is that the action has to run.

use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What may run side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Actions that use a core.
    pub(crate) slots: usize,
    /// Actions that wait for the network.
    pub(crate) fetches: usize,
    /// The sum of their expected memory.
    pub(crate) memory_bytes: u64,
}

/// An action that is ready to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    /// Its remaining path in milliseconds. Whole numbers, to have a total order.
    path: Reverse<u64>,
    /// Its place in the plan, which settles ties.
    pub(crate) index: usize,
    is_fetch: bool,
    memory_bytes: u64,
}

impl Job {
    pub(crate) fn new(index: usize, path_seconds: f64, is_fetch: bool, memory_bytes: u64) -> Self {
        // A float cast saturates, and turns what is no number into zero.
        let path = Reverse((path_seconds * 1000.0) as u64);
        Self { path, index, is_fetch, memory_bytes }
    }
}

/// The right of one action to run. It is not `Clone` and is given back through [`Queue::finish`]: one that is dropped
/// leaves its slot taken, so that a mistake never lets more run than may.
#[derive(Debug)]
#[must_use = "a permit that is not given back blocks its slot"]
pub(crate) struct Permit {
    is_fetch: bool,
    memory_bytes: u64,
}

/// The actions that could start now, and what the running ones use.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    ready: BTreeSet<Job>,
    expected: BTreeSet<Job>,
    slots: usize,
    fetches: usize,
    memory_bytes: u64,
}

impl Queue {
    /// An empty queue. A limit of none would never let anything start, so at least one may run.
    pub(crate) fn new(limits: Limits) -> Self {
        let limits =
            Limits { slots: limits.slots.max(1), fetches: limits.fetches.max(1), ..limits };
        Self {
            limits,
            ready: BTreeSet::new(),
            expected: BTreeSet::new(),
            slots: 0,
            fetches: 0,
            memory_bytes: 0,
        }
    }

    /// Announces an action that may be ready soon.
    pub(crate) fn expect(&mut self, job: Job) {
        self.expected.insert(job);
    }

    /// Withdraws an announcement.
    pub(crate) fn withdraw(&mut self, job: Job) {
        self.expected.remove(&job);
    }

    /// Adds an action that could start now.
    pub(crate) fn push(&mut self, job: Job) {
        self.ready.insert(job);
    }

    /// Takes the first action that may start now, with the permit to run it.
    pub(crate) fn start(&mut self) -> Option<(Job, Permit)> {
        let job = *self.ready.iter().find(|job| self.fits(job))?;
        self.ready.remove(&job);
        *self.pool(job.is_fetch) += 1;
        self.memory_bytes = self.memory_bytes.saturating_add(job.memory_bytes);
        Some((job, Permit { is_fetch: job.is_fetch, memory_bytes: job.memory_bytes }))
    }

    /// Gives a permit back.
    pub(crate) fn finish(&mut self, permit: Permit) {
        let Permit { is_fetch, memory_bytes } = permit;
        *self.pool(is_fetch) -= 1;
        self.memory_bytes = self.memory_bytes.saturating_sub(memory_bytes);
    }

    fn pool(&mut self, is_fetch: bool) -> &mut usize {
        if is_fetch { &mut self.fetches } else { &mut self.slots }
    }

    fn fits(&self, job: &Job) -> bool {
        let slot = if job.is_fetch {
            self.fetches < self.limits.fetches
        } else {
            self.slots < self.limits.slots
        };
        // What is larger than all the memory runs alone rather than never.
        let alone = self.slots == 0 && self.fetches == 0;
        let memory = self.memory_bytes.saturating_add(job.memory_bytes) <= self.limits.memory_bytes;
        let is_first =
            !self.expected.iter().any(|other| other.is_fetch == job.is_fetch && other < job);
        slot && is_first && (alone || memory)
    }
}
