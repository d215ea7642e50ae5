//! Failures: what still runs, what is told.

use insta::assert_snapshot;

use super::support::{World, id, options, transcript};
use crate::{BuildError, Event, RunOptions};

#[tokio::test(start_paused = true)]
async fn a_failure_starts_nothing_new_and_lets_running_ones_finish() {
    let world = World::new();
    let script = "bad:; 1s fail\nslow:; 3s\nmore: slow; 1s\nother:; 1s";
    assert_snapshot!(world.run(script, "bad slow more other").await, @"
        plan: 0 fresh, 3 stale, 1 unknown, about 80s
        0s start slow: never built
        0s start bad: never built
        1s failed bad: exited with status 1
        3s built slow
        3s Failed: 1 built, 0 cached, 0 cut off, 1 failed, 2 skipped
        ");
}

/// What finished after the failure is recorded: the next run does not repeat it.
#[tokio::test(start_paused = true)]
async fn what_finished_after_a_failure_counts() {
    let world = World::new();
    world.run("bad:; 1s fail\nslow:; 3s", "bad slow").await;
    world.ran();
    world.run("bad:; 1s\nslow:; 3s", "bad slow").await;
    assert_eq!(world.ran(), "bad");
}

#[tokio::test(start_paused = true)]
async fn keep_going_runs_what_does_not_need_it() {
    let world = World::new();
    let script = "bad:; 1s fail\nx: bad\ny: x\ngood:; 2s\nz: good\nend: y z";
    assert_snapshot!(world.run_with(script, "end", RunOptions { keep_going: true, ..options() }).await, @"
        plan: 0 fresh, 2 stale, 4 unknown, about 160s
        0s start bad: never built
        0s start good: never built
        1s failed bad: exited with status 1
        skipped x because of bad
        skipped y because of bad
        skipped end because of bad
        2s built good
        2s start z: never built
        3s built z
        3s Failed: 2 built, 0 cached, 0 cut off, 1 failed, 3 skipped
        ");
}

#[tokio::test(start_paused = true)]
async fn keep_going_tells_every_failure() {
    let world = World::new();
    let keep_going = RunOptions { keep_going: true, ..options() };
    let (result, _) = world.events("a:; fail\nb:; 2s fail\nc: a b", "c", keep_going).await;
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "`a`, `b` failed");
    let BuildError::Failed { report } = error else { panic!("a failure is expected") };
    assert_eq!(report.failures.len(), 2);
    assert_eq!(report.skipped, [id("c")]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_comes_with_the_end_of_its_log() {
    let world = World::new();
    let (result, events) = world.events("a:; fail", "a", options()).await;
    let Err(BuildError::Failed { report }) = result else { panic!("a failure is expected") };
    let [failure] = report.failures.as_slice() else { panic!("one failure is expected") };
    assert_eq!(failure.last_lines, ["making a", "it does not compile"]);
    assert_eq!(failure.log.as_deref(), Some(world.store.root().join("logs/a.log").as_path()));
    assert!(
        events.iter().any(
            |event| matches!(event, Event::Failed { last_lines, .. } if last_lines.len() == 2)
        )
    );
}

async fn check(script: &str, expected: &str) {
    let world = World::new();
    let text = world.run(script, "a").await;
    assert!(text.contains(&format!("failed a: {expected}\n")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn bad_runners_are_failures() {
    check("a:; fail", "exited with status 1").await;
    check("a:; liar", "the runner gave an output `out` that is not in the store").await;
    check("a:; extra", "the runner gave an output `extra` that the action does not declare").await;
    check("a:; silent", "the runner did not give the declared output `out`").await;
}

/// The panic is caught with its slot: the action after it still runs.
#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let world = World::new();
    let one = RunOptions { slots: 1, keep_going: true, ..options() };
    let (_, events) = world.events("a:; panic\nb:", "a b", one).await;
    assert_snapshot!(transcript(&events), @"
        plan: 0 fresh, 2 stale, 0 unknown, about 80s
        0s start a: never built
        1s failed a: panicked
        1s start b: never built
        2s built b
        2s Failed: 1 built, 0 cached, 0 cut off, 1 failed, 0 skipped
        ");
}

#[tokio::test(start_paused = true)]
async fn a_missing_source_is_a_failure() {
    let world = World::new();
    let script = "a:; in:src=bytes";
    let digest = world.store.put_bytes(b"bytes").unwrap();
    let graph = std::sync::Arc::new(world.graph(script));
    fs_err::remove_file(world.store.blob(&digest).unwrap().unwrap()).unwrap();
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let store = std::sync::Arc::clone(&world.store);
    let result =
        crate::run(graph, &[id("a")], options(), store, sender, world.cancel.clone()).await;
    let Err(BuildError::Failed { report }) = result else { panic!("a failure is expected") };
    assert_eq!(
        report.failures[0].error,
        "input `src` is missing from the store or damaged, and no action makes it"
    );
    assert!(events.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_failed_action_runs_again_next_time() {
    let world = World::new();
    world.run("a:; fail", "a").await;
    world.run("a:; fail", "a").await;
    assert_eq!(world.ran(), "a a");
}
