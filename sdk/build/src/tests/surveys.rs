//! Surveys: what is looked up, and what is not.

use std::collections::BTreeSet;

use super::support::{World, id, ids};
use crate::{Inventory, NodeId, NodeStates, survey};

fn look(world: &World, script: &str, wanted: &str, force: &str) -> Inventory {
    let force: BTreeSet<NodeId> = ids(force).into_iter().collect();
    survey(&world.graph(script), &ids(wanted), &force, &world.store, &NodeStates::of(&world.store))
        .unwrap()
}

fn names<'a>(ids: impl IntoIterator<Item = &'a NodeId>) -> String {
    ids.into_iter().map(NodeId::as_str).collect::<Vec<_>>().join(" ")
}

const SCRIPT: &str = "a:\nb: a\nc: b\nd: b";

async fn built() -> World {
    let world = World::new();
    world.run(SCRIPT, "c d").await;
    world
}

#[test]
fn an_empty_store_has_nothing() {
    let world = World::new();
    let inventory = look(&world, SCRIPT, "c", "");
    assert!(inventory.records.is_empty() && inventory.last.is_empty() && inventory.lost.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_what_is_fresh_the_record_is_enough() {
    let inventory = look(&built().await, SCRIPT, "c d", "");
    assert_eq!((inventory.records.len(), names(inventory.last.keys())), (4, String::new()));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_needed_is_looked_up() {
    let inventory = look(&built().await, SCRIPT, "c", "");
    assert_eq!(inventory.records.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn of_what_may_run_the_last_run_is_read() {
    let world = built().await;
    let inventory = look(&world, "a:\nb: a; arg:new\nc: b\nd: b", "c d", "");
    assert_eq!((inventory.records.len(), names(inventory.last.keys()).as_str()), (1, "b c d"));
}

#[tokio::test(start_paused = true)]
async fn forced_actions_are_passed_on_without_a_look() {
    let inventory = look(&built().await, SCRIPT, "c", "b");
    assert_eq!(names(&inventory.forced), "b");
    assert_eq!((inventory.records.len(), names(inventory.last.keys()).as_str()), (1, "b c"));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_looked_for_where_they_are_read() {
    let world = built().await;
    for name in ["a", "b", "c"] {
        fs_err::remove_file(world.output_file(name)).unwrap();
    }
    assert_eq!(names(look(&world, SCRIPT, "d", "").lost.keys()), "");
    assert_eq!(names(look(&world, SCRIPT, "c", "").lost.keys()), "a b c");
    assert_eq!(names(look(&world, "a:\nb: a\nc: b\nd: b; arg:new", "d", "").lost.keys()), "a b");
}

/// A survey says what is there and changes nothing: a second one finds the same.
#[tokio::test(start_paused = true)]
async fn surveys_repeat() {
    let world = built().await;
    fs_err::remove_file(world.output_file("c")).unwrap();
    let first = world.plan(SCRIPT, "c d", "");
    assert_eq!(world.plan(SCRIPT, "c d", ""), first);
    assert!(!first.step(&id("c")).unwrap().is_fresh());
}

/// A record of an action that declared other outputs is of no use to this one.
#[tokio::test(start_paused = true)]
async fn a_record_with_other_outputs_is_none() {
    let world = built().await;
    let graph = world.graph(SCRIPT);
    let key = graph.get(&id("a")).unwrap().key(&Default::default());
    let mut record = world.store.recorded(&key).unwrap().unwrap();
    record.outputs.insert("more".to_owned(), world.output("a"));
    world.store.record(&key, &record).unwrap();
    assert!(!world.plan(SCRIPT, "a", "").is_fresh());
}

#[test]
fn an_unknown_wish_is_refused() {
    let world = World::new();
    let (graph, states) = (world.graph("a:"), NodeStates::of(&world.store));
    let error = survey(&graph, &ids("b"), &BTreeSet::new(), &world.store, &states).unwrap_err();
    assert_eq!(
        crate::work::chain(&error),
        "cannot look up what is not in the graph: there is no action `b`"
    );
}
