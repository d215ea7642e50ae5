//! Graphs: what is refused, in which words, and the order.

use super::support::{World, id, ids};
use crate::{Graph, GraphError, NodeId, NodeIdError};

#[track_caller]
fn check_error(script: &str, expected: &str) {
    let error = Graph::new(World::new().actions(script)).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn duplicate() {
    check_error("a:\nb: a\na:", "two actions are named `a`");
}

#[test]
fn unknown_node() {
    check_error("a: b", "input `b` of `a` comes from `b`, which does not exist");
}

#[test]
fn unknown_output() {
    let world = World::new();
    let mut actions = world.actions("a:\nb: a");
    actions[0].outputs = ["lib".to_owned()].into();
    let error = Graph::new(actions).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input `a` of `b` is output `out` of `a`, which has no such output"
    );
}

#[test]
fn cycles_are_shown_as_a_path() {
    check_error("a: b\nb: a", "actions need each other: a -> b -> a");
    check_error("a: a", "actions need each other: a -> a");
    check_error("a: b\nb: c\nc: d\nd: b\ne: a", "actions need each other: b -> c -> d -> b");
    check_error("x:\na: x b\nb: x c\nc: x a\nz: c", "actions need each other: a -> b -> c -> a");
}

#[test]
fn what_needs_a_cycle_is_not_blamed() {
    let world = World::new();
    let Err(GraphError::Cycle { path }) = Graph::new(world.actions("a: y\ny: z\nz: y")) else {
        panic!("a cycle is expected");
    };
    assert_eq!(path, ids("y z y"));
}

#[test]
fn order_is_by_need_then_by_name() {
    let graph = World::new().graph("d: b c\nc: a\nb: a\na:\n0:");
    let order: Vec<&str> = graph.iter().map(|action| action.id.as_str()).collect();
    assert_eq!(order, ["0", "a", "b", "c", "d"]);
    assert_eq!(graph.dependents(&id("a")).cloned().collect::<Vec<_>>(), ids("b c"));
    assert_eq!((graph.len(), graph.is_empty()), (5, false));
}

#[test]
fn closure_is_what_is_needed() {
    let graph = World::new().graph("a:\nb: a\nc: a\nd: c");
    let closure = |wanted: &str| -> Vec<NodeId> {
        graph.closure(&ids(wanted)).unwrap().iter().map(|action| action.id.clone()).collect()
    };
    assert_eq!(closure("d"), ids("a c d"));
    assert_eq!(closure("b c"), ids("a b c"));
    assert_eq!(closure(""), ids(""));
    let error = graph.closure(&ids("nothing")).unwrap_err();
    assert_eq!(error.to_string(), "there is no action `nothing`");
}

#[test]
fn names_are_checked() {
    assert_eq!(NodeId::new(""), Err(NodeIdError::Empty));
    assert!(matches!(NodeId::new("a b"), Err(NodeIdError::Character { .. })));
    assert!(matches!(NodeId::new("a\n"), Err(NodeIdError::Character { .. })));
    assert!(matches!(NodeId::new("a".repeat(300)), Err(NodeIdError::TooLong { .. })));
    assert!(matches!(NodeId::new("?".repeat(100)), Err(NodeIdError::TooLong { .. })));
    assert!(serde_json::from_str::<NodeId>("\"a b\"").is_err());
    assert_eq!(serde_json::to_string(&id("a:b")).unwrap(), "\"a:b\"");
}

#[test]
fn file_names_are_readable_and_never_the_same() {
    assert_eq!(id("package:sys-libs/zlib-1.3.1").file_name(), "package=sys-libs,zlib-1.3.1");
    assert_eq!(id("../x").file_name(), "%2E.,x");
    assert_eq!(id("a=b,c%").file_name(), "a%3Db%2Cc%25");
    assert_ne!(id("a:b").file_name(), id("a=b").file_name());
    assert_ne!(id("a/b").file_name(), id("a,b").file_name());
}
