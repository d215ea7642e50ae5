//! The scheduler: what runs when, within which bounds.

use std::sync::atomic::Ordering;
use std::time::Duration;

use insta::assert_snapshot;

use super::support::{World, id, options, progress};
use crate::{Event, RunOptions};

#[tokio::test(start_paused = true)]
async fn a_chain_runs_in_order() {
    let world = World::new();
    assert_snapshot!(world.run("c: b; 3s\nb: a; 2s\na:; 1s", "c").await, @"
        plan: 0 fresh, 1 stale, 2 unknown, about 120s
        0s start a: never built
        1s built a
        1s start b: never built
        3s built b
        3s start c: never built
        6s built c
        6s Succeeded: 3 built, 0 cached, 0 cut off, 0 failed, 0 skipped
        ");
}

#[tokio::test(start_paused = true)]
async fn independent_actions_run_side_by_side() {
    let world = World::new();
    let transcript = world.run("a:; 3s\nb:; 3s\nc: a b; 1s", "c").await;
    assert!(transcript.contains("4s Succeeded"), "{transcript}");
    assert_eq!(world.journal.most.load(Ordering::SeqCst), 2);
}

/// Without recorded times, the number of actions on the way counts. With them, the seconds: the second run begins with
/// the short-looking `z`, on which the long chain hangs.
#[tokio::test(start_paused = true)]
async fn longest_remaining_path_goes_first() {
    let world = World::new();
    let script = |salt: u32| {
        format!(
            "a:; 1s arg:{salt}\nb:; 1s arg:{salt}\nc:; 1s arg:{salt}\nz:; 1s arg:{salt}\ny: z; 9s\nend: a b c y; 1s"
        )
    };
    let one = RunOptions { slots: 1, ..options() };
    world.run_with(&script(1), "end", one.clone()).await;
    assert_eq!(world.ran(), "z a b c y end");
    world.run_with(&script(2), "end", one).await;
    assert_eq!(world.ran(), "z y a b c end");
}

#[tokio::test(start_paused = true)]
async fn recorded_seconds_decide_between_equals() {
    let world = World::new();
    let script = |salt: u32| format!("a:; 1s arg:{salt}\nb:; 2s arg:{salt}\nc:; 7s arg:{salt}");
    let one = RunOptions { slots: 1, ..options() };
    world.run_with(&script(1), "a b c", one.clone()).await;
    assert_eq!(world.ran(), "a b c");
    world.run_with(&script(2), "a b c", one).await;
    assert_eq!(world.ran(), "c b a");
}

/// A permit that is dropped too early, as by `let _ =`, would let all of them run at once.
#[tokio::test(start_paused = true)]
async fn slots_really_limit() {
    for slots in [1, 2, 3, 7] {
        let world = World::new();
        let script: String = (0..12).map(|number| format!("n{number}:; 1s\n")).collect();
        let wanted: String = (0..12).map(|number| format!("n{number} ")).collect();
        let (result, _) = world.events(&script, &wanted, RunOptions { slots, ..options() }).await;
        assert_eq!(world.journal.most.load(Ordering::SeqCst), slots);
        let rounds = u32::try_from(12_usize.div_ceil(slots)).unwrap();
        assert_eq!(result.unwrap().report.seconds.round(), f64::from(rounds));
    }
}

#[tokio::test(start_paused = true)]
async fn no_slots_are_one() {
    let world = World::new();
    let (result, _) = world.events("a:\nb:", "a b", RunOptions { slots: 0, ..options() }).await;
    result.unwrap();
    assert_eq!(world.journal.most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn memory_limits() {
    let world = World::new();
    let script = "a:; 2s 600M\nb:; 2s 600M\nc:; 3s 300M";
    assert_snapshot!(world.run_with(script, "a b c", RunOptions { slots: 8, ..options() }).await, @"
        plan: 0 fresh, 3 stale, 0 unknown, about 40s
        0s start a: never built
        0s start c: never built
        2s built a
        2s start b: never built
        3s built c
        4s built b
        4s Succeeded: 3 built, 0 cached, 0 cut off, 0 failed, 0 skipped
        ");
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_the_memory_runs_alone() {
    let world = World::new();
    let transcript = world.run("a:; 2s 9000M\nb:; 2s 1M", "a b").await;
    assert!(transcript.contains("4s Succeeded"), "{transcript}");
    assert_eq!(world.journal.most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn fetches_use_no_core() {
    let world = World::new();
    let script = "f1:; 5s fetch\nf2:; 5s fetch\nf3:; 5s fetch\na:; 5s\nb:; 5s";
    let transcript =
        world.run_with(script, "f1 f2 f3 a b", RunOptions { fetches: 3, ..options() }).await;
    assert!(transcript.contains("5s Succeeded"), "{transcript}");
    assert_eq!(world.journal.most.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn fetches_have_a_bound_of_their_own() {
    let world = World::new();
    let transcript = world
        .run_with(
            "f1:; fetch\nf2:; fetch\nf3:; fetch",
            "f1 f2 f3",
            RunOptions { fetches: 1, ..options() },
        )
        .await;
    assert!(transcript.contains("3s Succeeded"), "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn an_action_may_use_all_cores() {
    let world = World::new();
    world.run_with("a:", "a", RunOptions { slots: 6, ..options() }).await;
    assert_eq!(world.journal.jobs.load(Ordering::SeqCst), 6);
}

#[tokio::test(start_paused = true)]
async fn progress_counts_what_was_not_fresh() {
    let world = World::new();
    world.run("a:; 2s\nb: a; 4s\nc: b; 6s", "c").await;
    let (_, events) = world.events("a:; 2s\nb: a; 4s arg:new\nc: b; 6s", "c", options()).await;
    assert_snapshot!(progress(&events), @"
        1 of 2, 6s to go
        2 of 2, 0s to go
        ");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_runs() {
    let world = World::new();
    world.run("a:\nb: a\nc: a\nd: c", "b").await;
    assert_eq!(world.ran(), "a b");
}

#[tokio::test(start_paused = true)]
async fn the_outcome_has_outputs_and_a_timeline() {
    let world = World::new();
    let (result, _) = world.events("a:; 2s\nb: a; 3s", "b", options()).await;
    let outcome = result.unwrap();
    assert_eq!(outcome.outputs[&id("b")]["out"], world.output("b"));
    let spans: Vec<String> = outcome
        .report
        .timeline
        .iter()
        .map(|span| format!("{} {}-{}", span.id, span.start.round(), span.end.round()))
        .collect();
    assert_eq!(spans, ["a 0-2", "b 2-5"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_wanted_is_done_at_once() {
    let world = World::new();
    let (result, _) = world.events("a:", "", options()).await;
    assert!(result.unwrap().outputs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_wish_is_refused() {
    let world = World::new();
    let (result, events) = world.events("a:", "b", options()).await;
    assert!(crate::work::chain(&result.unwrap_err()).contains("there is no action `b`"));
    assert_eq!(events, []);
}

#[tokio::test(start_paused = true)]
async fn a_build_goes_on_without_a_consumer_of_events() {
    let world = World::new();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Event>();
    drop(receiver);
    let (graph, store) =
        (std::sync::Arc::new(world.graph("a:")), std::sync::Arc::clone(&world.store));
    crate::run(graph, &[id("a")], options(), store, sender, world.cancel.clone()).await.unwrap();
}

/// The second run tells whom it waits for, and goes on when the first one lets go.
#[tokio::test(start_paused = true)]
async fn runs_on_one_store_wait_for_each_other() {
    let world = World::new();
    let long = world.run("a:; 5s", "a");
    let short = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.run("b:; 1s", "b").await
    };
    let (_, transcript) = tokio::join!(long, short);
    assert!(transcript.starts_with("waiting for another run\nplan:"), "{transcript}");
    assert_eq!(world.ran(), "a b");
}

#[tokio::test(start_paused = true)]
async fn phases_come_before_the_end() {
    let world = World::new();
    assert_snapshot!(world.run("a:; phase:compile", "a").await, @"
        plan: 0 fresh, 1 stale, 0 unknown, about 40s
        0s start a: never built
        phase a: compile
        1s built a
        1s Succeeded: 1 built, 0 cached, 0 cut off, 0 failed, 0 skipped
        ");
}
