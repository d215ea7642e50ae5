//! `Reason`: why an action has to run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use slipway_store::{Digest, Key};

use crate::action::{Action, Kind};
use crate::state::NodeState;

/// Longer values are cut when a reason is shown. The value itself keeps them whole.
const SHOWN_CHARS: usize = 40;

/// Why an action has to run, with the old and the new value where there are any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// Nothing is known of an earlier run.
    NeverBuilt,
    /// It is of another kind.
    KindChanged {
        /// Before.
        old: Kind,
        /// Now.
        new: Kind,
    },
    /// The argument vector changed.
    ArgvChanged {
        /// Before.
        old: Vec<String>,
        /// Now.
        new: Vec<String>,
    },
    /// A variable of the environment changed, came or went.
    EnvChanged {
        /// The variable.
        name: String,
        /// Before, if it was there.
        old: Option<String>,
        /// Now, if it is there.
        new: Option<String>,
    },
    /// An input has other bytes.
    InputChanged {
        /// The input.
        name: String,
        /// Before.
        old: Digest,
        /// Now.
        new: Digest,
    },
    /// There is an input that was not there.
    InputAdded {
        /// The input.
        name: String,
        /// Its digest.
        new: Digest,
    },
    /// An input is no longer there.
    InputRemoved {
        /// The input.
        name: String,
        /// What its digest was.
        old: Digest,
    },
    /// Other outputs are declared.
    OutputsChanged {
        /// The names that were not there.
        added: Vec<String>,
        /// The names that are gone.
        removed: Vec<String>,
    },
    /// The bytes of an output are missing from the store or damaged.
    OutputLost {
        /// The output.
        output: String,
    },
    /// Nothing changed since the last run, but the store has forgotten what came out.
    RecordLost,
    /// It was asked for.
    Forced,
}

impl Reason {
    /// Every difference between the last run of an action and what it is now, the most telling first. Never empty.
    pub(crate) fn changes(
        last: Option<&NodeState>,
        action: &Action,
        key: Key,
        inputs: &BTreeMap<String, Digest>,
    ) -> Vec<Self> {
        let Some(last) = last else { return vec![Self::NeverBuilt] };
        if last.key == key {
            return vec![Self::RecordLost];
        }
        let mut changes = Vec::new();
        if last.kind != action.kind {
            changes.push(Self::KindChanged { old: last.kind, new: action.kind });
        }
        changes.extend(input_changes(&last.inputs, inputs));
        if last.argv != action.argv {
            changes.push(Self::ArgvChanged { old: last.argv.clone(), new: action.argv.clone() });
        }
        changes.extend(env_changes(&last.env, &action.env));
        changes.extend(output_changes(last, &action.outputs));
        if changes.is_empty() {
            // The encoding of keys has changed, or the note was edited. Either way there is no usable earlier run.
            changes.push(Self::NeverBuilt);
        }
        changes
    }
}

fn input_changes(old: &BTreeMap<String, Digest>, new: &BTreeMap<String, Digest>) -> Vec<Reason> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => {
                Some(Reason::InputChanged { name: name.clone(), old: *old, new: *new })
            }
            (None, Some(new)) => Some(Reason::InputAdded { name: name.clone(), new: *new }),
            (Some(old), None) => Some(Reason::InputRemoved { name: name.clone(), old: *old }),
            (None, None) => None,
        })
        .collect()
}

fn env_changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Reason> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Reason::EnvChanged {
            name: name.clone(),
            old: old.get(name).cloned(),
            new: new.get(name).cloned(),
        })
        .collect()
}

fn output_changes(last: &NodeState, new: &BTreeSet<String>) -> Option<Reason> {
    let added: Vec<String> =
        new.iter().filter(|name| !last.outputs.contains_key(*name)).cloned().collect();
    let removed: Vec<String> =
        last.outputs.keys().filter(|name| !new.contains(*name)).cloned().collect();
    (!added.is_empty() || !removed.is_empty()).then_some(Reason::OutputsChanged { added, removed })
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverBuilt => f.write_str("never built"),
            Self::KindChanged { old, new } => write!(f, "kind {old} -> {new}"),
            Self::ArgvChanged { old, new } => argv_change(f, old, new),
            Self::EnvChanged { name, old, new } => {
                write!(f, "variable {name} {} -> {}", shown(old.as_deref()), shown(new.as_deref()))
            }
            Self::InputChanged { name, old, new } => {
                write!(f, "input {name} {} -> {}", short(old), short(new))
            }
            Self::InputAdded { name, new } => write!(f, "input {name} is new: {}", short(new)),
            Self::InputRemoved { name, old } => write!(f, "input {name} is gone: {}", short(old)),
            Self::OutputsChanged { added, removed } => {
                f.write_str("outputs")?;
                added.iter().try_for_each(|name| write!(f, " +{name}"))?;
                removed.iter().try_for_each(|name| write!(f, " -{name}"))
            }
            Self::OutputLost { output } => write!(f, "output {output} is missing or damaged"),
            Self::RecordLost => f.write_str("the store has no record of it any more"),
            Self::Forced => f.write_str("forced"),
        }
    }
}

/// The first argument that differs stands for the change.
fn argv_change(f: &mut fmt::Formatter<'_>, old: &[String], new: &[String]) -> fmt::Result {
    let position = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let at = |argv: &[String]| shown(argv.get(position).map(String::as_str));
    write!(f, "argument {position} {} -> {}", at(old), at(new))
}

fn shown(value: Option<&str>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(text) if text.chars().count() > SHOWN_CHARS => {
            format!("{:?}…", text.chars().take(SHOWN_CHARS).collect::<String>())
        }
        Some(text) => format!("{text:?}"),
    }
}

/// The first eight digits of a digest, which is enough to tell two apart by eye.
fn short(digest: &Digest) -> String {
    digest.as_bytes()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
