//! Bytes that are missing or damaged: rebuilt, never used.

use std::io::{Seek as _, SeekFrom, Write as _};

use insta::assert_snapshot;

use super::support::{World, options};

const SCRIPT: &str = "a:\nb: a\nc: b";

async fn built() -> World {
    let world = World::new();
    world.run(SCRIPT, "c").await;
    world.ran();
    world
}

fn remove(world: &World, name: &str) {
    fs_err::remove_file(world.output_file(name)).unwrap();
}

/// Flips the first byte, with the size kept.
fn damage(world: &World, name: &str) {
    let path = world.output_file(name);
    let mut permissions = fs_err::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs_err::set_permissions(&path, permissions).unwrap();
    let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"!").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_wanted_output_is_rebuilt() {
    let world = built().await;
    remove(&world, "c");
    assert_snapshot!(world.run(SCRIPT, "c").await, @"
        plan: 2 fresh, 1 stale, 0 unknown, about 1s
        cached a
        cached b
        0s start c: output out is missing or damaged
        1s built c
        1s Succeeded: 1 built, 2 cached, 0 cut off, 0 failed, 0 skipped
        ");
    assert_eq!(world.ran(), "c");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_output_is_rebuilt() {
    let world = built().await;
    damage(&world, "c");
    let transcript = world.run(SCRIPT, "c").await;
    assert!(transcript.contains("start c: output out is missing or damaged"), "{transcript}");
    assert_eq!(world.ran(), "c");
    world.output_file("c");
}

/// Nobody reads the bytes in the middle of a fresh chain.
#[tokio::test(start_paused = true)]
async fn a_lost_output_that_nobody_reads_is_left_alone() {
    let world = built().await;
    remove(&world, "a");
    remove(&world, "b");
    world.run(SCRIPT, "c").await;
    assert_eq!(world.ran(), "");
}

/// The whole chain of lost bytes is rebuilt when its end is needed; what comes out is as before.
#[tokio::test(start_paused = true)]
async fn lost_outputs_are_rebuilt_down_the_chain() {
    let world = built().await;
    remove(&world, "a");
    remove(&world, "b");
    assert_snapshot!(world.run("a:\nb: a\nc: b; arg:new", "c").await, @r#"
        plan: 0 fresh, 1 stale, 2 unknown, about 3s
        0s start a: output out is missing or damaged
        1s built a
        1s cut off b
        postponed c until b is there
        1s start b: output out is missing or damaged
        2s built b
        2s start c: argument 2 nothing -> "new"
        3s built c
        3s Succeeded: 3 built, 0 cached, 0 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "a b c");
}

/// The plan cannot know that `c` will be cut off, so its lost bytes show only when the run comes there.
#[tokio::test(start_paused = true)]
async fn a_lost_output_behind_a_cutoff_is_rebuilt() {
    let world = World::new();
    world.run("a:; =same\nb: a\nc: b", "c").await;
    world.ran();
    remove(&world, "c");
    assert_snapshot!(world.run("a:; =same arg:new\nb: a\nc: b", "c").await, @r#"
        plan: 0 fresh, 1 stale, 2 unknown, about 3s
        0s start a: argument 2 nothing -> "new"
        1s built a
        1s cut off b
        1s start c: output out is missing or damaged
        2s built c
        2s Succeeded: 2 built, 0 cached, 1 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "a c");
}

#[tokio::test(start_paused = true)]
async fn a_lost_input_behind_a_cutoff_is_rebuilt() {
    let world = World::new();
    world.run("a:; =same\nb: a\nc: b", "c").await;
    world.ran();
    remove(&world, "b");
    assert_snapshot!(world.run("a:; =same arg:new\nb: a\nc: b; arg:new", "c").await, @r#"
        plan: 0 fresh, 1 stale, 2 unknown, about 3s
        0s start a: argument 2 nothing -> "new"
        1s built a
        1s cut off b
        postponed c until b is there
        1s start b: output out is missing or damaged
        2s built b
        2s start c: argument 2 nothing -> "new"
        3s built c
        3s Succeeded: 3 built, 0 cached, 0 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "a b c");
}

/// Bytes that vanish while the action runs that reads them: it gives way, and runs once more.
#[tokio::test(start_paused = true)]
async fn an_input_lost_under_a_running_action_is_rebuilt() {
    let world = built().await;
    world.journal.sabotage.lock().unwrap().insert("c".to_owned(), world.output("b"));
    assert_snapshot!(world.run("a:\nb: a\nc: b; arg:new", "c").await, @r#"
        plan: 2 fresh, 1 stale, 0 unknown, about 1s
        cached a
        cached b
        0s start c: argument 2 nothing -> "new"
        postponed c until b is there
        0s start b: output out is missing or damaged
        1s built b
        1s start c: argument 2 nothing -> "new"
        2s built c
        2s Succeeded: 2 built, 1 cached, 0 cut off, 0 failed, 0 skipped
        "#);
    assert_eq!(world.ran(), "c b c");
}

#[tokio::test(start_paused = true)]
async fn an_input_of_this_very_run_may_vanish_once() {
    let world = World::new();
    world.run("b:", "b").await;
    let digest = world.output("b");
    let world = World::new();
    world.journal.sabotage.lock().unwrap().insert("c".to_owned(), digest);
    let transcript = world.run("b:\nc: b", "c").await;
    assert!(
        transcript.contains(
            "failed c: input `b` is missing from the store or damaged again after it was rebuilt"
        ),
        "{transcript}"
    );
}

/// A record that is damaged counts as absent.
#[tokio::test(start_paused = true)]
async fn a_lost_record_is_a_reason() {
    let world = built().await;
    fs_err::remove_dir_all(world.store.root().join("actions")).unwrap();
    let transcript = world.run(SCRIPT, "c").await;
    assert!(transcript.contains("start a: the store has no record of it any more"), "{transcript}");
    assert_eq!(world.ran(), "a b c");
}

#[tokio::test(start_paused = true)]
async fn lost_states_cost_no_rebuild() {
    let world = built().await;
    fs_err::remove_dir_all(world.store.root().join("nodes")).unwrap();
    let (result, _) = world.events(SCRIPT, "c", options()).await;
    assert_eq!(result.unwrap().report.cached.len(), 3);
    assert_eq!(world.ran(), "");
}

/// Others have used the lost output, and the rebuilt one is not the same: going on would mix two builds of it. The next
/// run knows the new output and rebuilds what used the old one.
#[tokio::test(start_paused = true)]
async fn an_output_that_comes_back_different_ends_the_run() {
    let world = World::new();
    world.run("a:; fickle\nb: a\nc: a b", "c").await;
    world.ran();
    world.journal.sabotage.lock().unwrap().insert("c".to_owned(), world.output("a"));
    assert_snapshot!(world.run("a:; fickle\nb: a\nc: a b; arg:new", "c").await, @r#"
        plan: 2 fresh, 1 stale, 0 unknown, about 1s
        cached a
        cached b
        0s start c: argument 2 nothing -> "new"
        postponed c until a is there
        0s start a: output out is missing or damaged
        1s failed a: the rebuilt output differs from the lost one, which other actions have used; run the build again
        skipped c because of a
        1s Failed: 0 built, 1 cached, 0 cut off, 1 failed, 1 skipped
        "#);
    world.ran();
    world.run("a:; fickle\nb: a\nc: a b; arg:new", "c").await;
    assert_eq!(world.ran(), "b c");
}
