//! Early cutoff, no-op runs, forced runs and runs that go on where another one was.

use std::time::Duration;

use insta::assert_snapshot;

use super::support::{World, id, options};
use crate::RunOptions;

#[tokio::test(start_paused = true)]
async fn a_second_run_runs_nothing() {
    let world = World::new();
    let script = "a:\nb: a\nc: a b";
    world.run(script, "c").await;
    world.ran();
    assert_snapshot!(world.run(script, "c").await, @"
        plan: 3 fresh, 0 stale, 0 unknown, about 0s
        cached a
        cached b
        cached c
        0s Succeeded: 0 built, 3 cached, 0 cut off, 0 failed, 0 skipped
        ");
    assert_eq!(world.ran(), "");
}

#[tokio::test(start_paused = true)]
async fn a_change_runs_what_comes_after_it_only() {
    let world = World::new();
    world.run("a:\nb:\nc: b\nd: a c", "d").await;
    world.ran();
    assert_snapshot!(world.run("a:\nb:; env:USE=ssl\nc: b\nd: a c", "d").await, @r#"
        plan: 1 fresh, 1 stale, 2 unknown, about 3s
        cached a
        0s start b: variable USE nothing -> "ssl"
        1s built b
        1s start c: input b 8332eebd -> 3aff8bf1
        2s built c
        2s start d: input c 4677d7da -> 428aa5d5
        3s built d
        3s Succeeded: 3 built, 1 cached, 0 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "b c d");
}

#[tokio::test(start_paused = true)]
async fn same_output_cuts_off() {
    let world = World::new();
    world.run("a:; =same\nb: a\nc: b", "c").await;
    world.ran();
    assert_snapshot!(world.run("a:; =same arg:-O3\nb: a\nc: b", "c").await, @r#"
        plan: 0 fresh, 1 stale, 2 unknown, about 3s
        0s start a: argument 2 nothing -> "-O3"
        1s built a
        1s cut off b
        1s cut off c
        1s Succeeded: 1 built, 0 cached, 2 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "a");
}

#[tokio::test(start_paused = true)]
async fn cutoff_in_the_middle() {
    let world = World::new();
    world.run("a:\nb: a; =same\nc: b\nd: c a", "c d").await;
    world.ran();
    world.run("a:; arg:new\nb: a; =same\nc: b\nd: c a", "c d").await;
    assert_eq!(world.ran(), "a b d");
}

#[tokio::test(start_paused = true)]
async fn going_back_finds_the_old_outputs() {
    let world = World::new();
    world.run("a:; arg:1\nb: a", "b").await;
    world.run("a:; arg:2\nb: a", "b").await;
    world.ran();
    world.run("a:; arg:1\nb: a", "b").await;
    assert_eq!(world.ran(), "");
}

/// What was found by its key counts as the last run, so that reasons tell the difference to it.
#[tokio::test(start_paused = true)]
async fn a_cut_off_moves_the_last_run() {
    let world = World::new();
    world.run("a:; =1\nb: a", "b").await;
    let first = world.output("b");
    world.run("a:; =2\nb: a", "b").await;
    world.run("a:; =1 arg:again\nb: a", "b").await;
    assert_eq!(world.output("b"), first);
}

#[tokio::test(start_paused = true)]
async fn forced_actions_run_and_cut_off() {
    let world = World::new();
    let script = "a:\nb: a\nc: b";
    world.run(script, "c").await;
    world.ran();
    let force = RunOptions { force: [id("a")].into(), ..options() };
    assert_snapshot!(world.run_with(script, "c", force).await, @"
        plan: 0 fresh, 1 stale, 2 unknown, about 3s
        0s start a: forced
        1s built a
        1s cut off b
        1s cut off c
        1s Succeeded: 1 built, 0 cached, 2 cut off, 0 failed, 0 skipped
        ");
    assert_eq!(world.ran(), "a");
}

#[tokio::test(start_paused = true)]
async fn forced_all_run_once_each() {
    let world = World::new();
    let script = "a:\nb: a\nc: b";
    world.run(script, "c").await;
    world.ran();
    let force = RunOptions { force: [id("a"), id("b"), id("c")].into(), ..options() };
    world.run_with(script, "c", force).await;
    assert_eq!(world.ran(), "a b c");
}

/// Dropping the run is what a kill looks like from here: no destructor of ours has to come to run for the records.
#[tokio::test(start_paused = true)]
async fn a_killed_run_goes_on_where_it_was() {
    let world = World::new();
    let script = "a:; 2s\nb: a; 2s\nc: b; 2s\nd: c; 2s";
    let killed = tokio::time::timeout(Duration::from_millis(4500), world.run(script, "d")).await;
    assert!(killed.is_err());
    assert_eq!(world.ran(), "a b c");
    world.run(script, "d").await;
    assert_eq!(world.ran(), "c d");
}

#[tokio::test(start_paused = true)]
async fn another_process_sees_what_was_done() {
    let world = World::new();
    world.run("a:\nb: a", "b").await;
    world.ran();
    let root = world.store.root().to_owned();
    let mut world = world;
    world.store = std::sync::Arc::new(slipway_store::Store::open(&root).unwrap());
    world.run("a:\nb: a", "b").await;
    assert_eq!(world.ran(), "");
}

#[tokio::test(start_paused = true)]
async fn renaming_an_action_rebuilds_nothing() {
    let world = World::new();
    world.run("a:", "a").await;
    world.ran();
    world.run("b:; as:a", "b").await;
    assert_eq!(world.ran(), "");
}
