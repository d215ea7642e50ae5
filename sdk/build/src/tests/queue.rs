//! The ready queue: its order and its bounds.

use proptest::prelude::*;

use crate::queue::{Job, Limits, Permit, Queue};

const LIMITS: Limits = Limits { slots: 2, fetches: 1, memory_bytes: 100 };

fn start_all(queue: &mut Queue) -> (Vec<usize>, Vec<Permit>) {
    std::iter::from_fn(|| queue.start()).map(|(job, permit)| (job.index, permit)).unzip()
}

#[test]
fn longest_path_first_then_place() {
    let mut queue = Queue::new(Limits { slots: 9, ..LIMITS });
    for (index, path) in [(0, 1.0), (1, 5.0), (2, 5.0), (3, 9.5)] {
        queue.push(Job::new(index, path, false, 0));
    }
    assert_eq!(start_all(&mut queue).0, [3, 1, 2, 0]);
}

#[test]
fn a_permit_that_is_kept_keeps_its_slot() {
    let mut queue = Queue::new(LIMITS);
    for index in 0..4 {
        queue.push(Job::new(index, 1.0, false, 0));
    }
    let (started, mut permits) = start_all(&mut queue);
    assert_eq!(started, [0, 1]);
    queue.finish(permits.pop().unwrap());
    assert_eq!(start_all(&mut queue).0, [2]);
}

#[test]
fn small_ones_pass_a_large_one() {
    let mut queue = Queue::new(LIMITS);
    queue.push(Job::new(0, 9.0, false, 80));
    queue.push(Job::new(1, 8.0, false, 80));
    queue.push(Job::new(2, 7.0, false, 20));
    assert_eq!(start_all(&mut queue).0, [0, 2]);
}

/// What is being looked up keeps its turn, but in its own pool only.
#[test]
fn an_expected_one_is_waited_for() {
    let mut queue = Queue::new(LIMITS);
    let (expected, fetch) = (Job::new(1, 5.0, false, 0), Job::new(3, 1.0, true, 0));
    queue.expect(expected);
    for job in [Job::new(0, 9.0, false, 0), Job::new(2, 1.0, false, 0), fetch] {
        queue.push(job);
    }
    let (started, _permits) = start_all(&mut queue);
    assert_eq!(started, [0, 3]);
    queue.withdraw(expected);
    assert_eq!(start_all(&mut queue).0, [2]);
}

#[test]
fn odd_estimates_do_no_harm() {
    let mut queue = Queue::new(Limits { slots: 9, ..LIMITS });
    for (index, path) in [(0, f64::NAN), (1, f64::INFINITY), (2, -1.0)] {
        queue.push(Job::new(index, path, false, 0));
    }
    assert_eq!(start_all(&mut queue).0, [1, 0, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is pushed and finished in whatever order, the bounds hold and everything starts in the end.
    #[test]
    fn bounds_hold(
        jobs in prop::collection::vec((0_u64..200, any::<bool>(), 0.0_f64..10.0), 1..30),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        let mut queue = Queue::new(LIMITS);
        for (index, (memory, is_fetch, path)) in jobs.iter().enumerate() {
            queue.push(Job::new(index, *path, *is_fetch, *memory));
        }
        let mut running: Vec<(usize, Permit)> = Vec::new();
        let mut started = 0;
        for pick in picks {
            while let Some((job, permit)) = queue.start() {
                running.push((job.index, permit));
                started += 1;
            }
            let fetches = running.iter().filter(|(index, _)| jobs[*index].1).count();
            let memory: u64 = running.iter().map(|(index, _)| jobs[*index].0).sum();
            prop_assert!(fetches <= LIMITS.fetches);
            prop_assert!(running.len() - fetches <= LIMITS.slots);
            prop_assert!(memory <= LIMITS.memory_bytes || running.len() == 1);
            if !running.is_empty() {
                let (_, permit) = running.swap_remove(pick.index(running.len()));
                queue.finish(permit);
            }
        }
        prop_assert_eq!(started, jobs.len());
    }
}
