//! What this crate asks of the store, in its own words.

use std::collections::BTreeMap;

use slipway_store::{ActionRecord, Digest, Key, Store, StoreError};

use crate::action::Action;
use crate::runner::Outputs;

/// What came out of the action with this key, whether or not the bytes are still there. A record with other outputs than
/// the action declares is none.
///
/// The first question marks the record as used, so that cleaning spares it; it is cheap as long as the bytes are there and
/// were verified before. The second one is for a chain of which only the end is read.
pub(crate) fn lookup(
    store: &Store,
    action: &Action,
    key: &Key,
) -> Result<Option<Outputs>, StoreError> {
    let record = match store.lookup(key)? {
        Some(record) => Some(record),
        None => store.recorded(key)?,
    };
    let outputs = record.map(|record| record.outputs);
    Ok(outputs.filter(|outputs| outputs.keys().eq(action.outputs.iter())))
}

/// The names whose bytes are missing or damaged. The store remembers what it verified, so this is cheap when repeated.
pub(crate) fn lost(
    store: &Store,
    digests: &BTreeMap<String, Digest>,
) -> Result<Vec<String>, StoreError> {
    let mut lost = Vec::new();
    for (name, digest) in digests {
        if store.blob(digest)?.is_none() {
            lost.push(name.clone());
        }
    }
    Ok(lost)
}

/// Remembers what came out of an action.
pub(crate) fn record(
    store: &Store,
    key: &Key,
    action: &Action,
    inputs: &BTreeMap<String, Digest>,
    outputs: &Outputs,
    time: &Time,
) -> Result<(), StoreError> {
    let record = ActionRecord {
        kind: action.kind.as_str().to_owned(),
        name: action.id.to_string(),
        outputs: outputs.clone(),
        seconds: time.seconds,
        unix_time: time.unix_time,
        inputs: inputs.iter().map(|(name, digest)| (name.clone(), digest.to_string())).collect(),
    };
    store.record(key, &record)
}

/// When an action ended, as seconds since 1970, and how long it ran.
pub(crate) struct Time {
    pub(crate) unix_time: u64,
    pub(crate) seconds: f64,
}
