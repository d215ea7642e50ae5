//! Keys: stable, sensitive to every field, and to nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use slipway_store::{Digest, Key};

use super::support::plain;
use crate::Kind;

#[derive(Clone, Debug, PartialEq)]
struct Fields {
    kind: Kind,
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    inputs: BTreeMap<String, Digest>,
    outputs: BTreeSet<String>,
}

impl Fields {
    fn key(&self) -> Key {
        crate::key::of(self.kind, &self.argv, &self.env, &self.inputs, &self.outputs)
    }
}

/// Few letters and short texts, so that texts which are the same when put together come often.
fn fields() -> impl Strategy<Value = Fields> {
    let text = "[ab]{0,2}";
    let digest = (0_u8..3).prop_map(|byte| Digest::of_bytes(&[byte]));
    (
        prop::sample::select(Kind::ALL.as_slice()),
        prop::collection::vec(text, 0..4),
        prop::collection::btree_map(text, text, 0..3),
        prop::collection::btree_map(text, digest, 0..3),
        prop::collection::btree_set(text, 0..3),
    )
        .prop_map(|(kind, argv, env, inputs, outputs)| Fields {
            kind,
            argv,
            env,
            inputs,
            outputs,
        })
}

fn sample() -> Fields {
    Fields {
        kind: Kind::Package,
        argv: vec!["ebuild".to_owned(), "zlib-1.3.1.ebuild".to_owned()],
        env: BTreeMap::from([("USE".to_owned(), "static-libs".to_owned())]),
        inputs: BTreeMap::from([("distfile".to_owned(), Digest::from_bytes([7; 32]))]),
        outputs: BTreeSet::from(["gpkg".to_owned()]),
    }
}

/// If this fails, the encoding of actions has changed, and with it the key of every action: every cache, local or
/// shared, becomes worthless, and every machine builds everything anew. Do not adapt the value unless that is meant;
/// and if it is, give the domain of the encoding a new number.
#[test]
fn golden_key() {
    insta::assert_snapshot!(sample().key(), @"a0ff908328723d1797c3ab61d3e16d82e3aa51e13bbbe39047895b48180007f5");
}

#[test]
fn name_memory_and_runner_are_not_in_the_key() {
    let one = plain("one");
    let mut other = plain("other");
    other.argv = one.argv.clone();
    other.memory_bytes = 12345;
    assert_eq!(one.key(&BTreeMap::new()), other.key(&BTreeMap::new()));
}

#[test]
fn kinds_have_names_of_their_own() {
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

/// The classical ambiguities: what moves across a boundary makes another key.
#[test]
fn boundaries_count() {
    let words = |words: &[&str]| Fields {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        ..sample()
    };
    let argv: [&[&str]; 7] = [&[], &[""], &["", ""], &["ab"], &["a", "b"], &["b", "a"], &["a\0b"]];
    let env = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a=b", "c"), ("a", "b=c")];
    let mut keys: Vec<Key> = argv.iter().map(|argv| words(argv).key()).collect();
    for (name, value) in env {
        let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        keys.push(Fields { env, ..sample() }.key());
    }
    let count = keys.len();
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), count);
}

#[test]
fn an_argument_is_not_an_output_nor_a_variable() {
    let empty = Fields {
        kind: Kind::Root,
        argv: Vec::new(),
        env: BTreeMap::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeSet::new(),
    };
    let argv = Fields { argv: vec!["x".to_owned()], ..empty.clone() };
    let output = Fields { outputs: BTreeSet::from(["x".to_owned()]), ..empty.clone() };
    let env = Fields { env: BTreeMap::from([("x".to_owned(), String::new())]), ..empty.clone() };
    let keys = BTreeSet::from([empty.key(), argv.key(), output.key(), env.key()]);
    assert_eq!(keys.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn same_key_means_same_fields(one in fields(), other in fields()) {
        prop_assert_eq!(one.key() == other.key(), one == other);
    }

    #[test]
    fn any_change_changes_the_key(before in fields(), change in 0..7, at in 0_usize..4) {
        let mut after = before.clone();
        match change {
            0 => after.kind = *Kind::ALL.iter().find(|kind| **kind != before.kind).unwrap(),
            1 => after.argv.insert(at.min(before.argv.len()), "c".to_owned()),
            2 => after.argv.push(String::new()),
            3 => drop(after.env.insert("c".to_owned(), String::new())),
            4 => drop(after.inputs.insert("c".to_owned(), Digest::of_bytes(b"c"))),
            5 => after.inputs.values_mut().for_each(|digest| *digest = Digest::of_bytes(b"other")),
            _ => drop(after.outputs.insert("c".to_owned())),
        }
        prop_assert_eq!(before.key() == after.key(), before == after);
        prop_assert!(change == 5 || before != after);
    }
}
