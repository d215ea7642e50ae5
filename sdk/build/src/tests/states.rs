//! The states of the last runs: kept whole, and never in the way.

use std::collections::BTreeMap;

use slipway_store::Digest;

use super::support::{World, id, plain};
use crate::{NodeState, NodeStates};

fn states(world: &World) -> NodeStates {
    NodeStates::of(&world.store)
}

fn state(seconds: f64) -> NodeState {
    let action = plain("a");
    let inputs = BTreeMap::from([("src".to_owned(), Digest::of_bytes(b"src"))]);
    let outputs = BTreeMap::from([("out".to_owned(), Digest::of_bytes(b"out"))]);
    NodeState::new(&action, action.key(&inputs), inputs, outputs, seconds)
}

#[test]
fn what_was_saved_is_loaded() {
    let world = World::new();
    assert_eq!(states(&world).load(&id("a")).unwrap(), None);
    states(&world).save(&id("a"), &state(1.5)).unwrap();
    states(&world).save(&id("a"), &state(2.5)).unwrap();
    assert_eq!(states(&world).load(&id("a")).unwrap(), Some(state(2.5)));
    assert_eq!(states(&world).load(&id("b")).unwrap(), None);
}

#[test]
fn nothing_else_is_left_in_the_folder() {
    let world = World::new();
    states(&world).save(&id("package:a/b-1"), &state(1.0)).unwrap();
    let names: Vec<_> = fs_err::read_dir(world.store.root().join("nodes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["package=a,b-1.json"]);
}

#[test]
fn what_cannot_be_understood_counts_as_none() {
    let world = World::new();
    states(&world).save(&id("a"), &state(1.0)).unwrap();
    let path = states(&world).path(&id("a"));
    let whole = fs_err::read_to_string(&path).unwrap();
    let newer = whole.replace("\"version\":1", "\"version\":2");
    for text in ["", "{", "[]", &whole[..whole.len() / 2], &newer] {
        fs_err::write(&path, text).unwrap();
        assert_eq!(states(&world).load(&id("a")).unwrap(), None, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_name() {
    let world = World::new();
    fs_err::create_dir_all(states(&world).path(&id("a"))).unwrap();
    let error = states(&world).load(&id("a")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the state of `a`");
}
