//! The canonical encoding of an action, and its digest.
//!
//! Every text is preceded by its length and every list by its count, so that no two different actions have the same
//! encoding. The encoding is a stored format: changing it gives every action another key, which empties every cache.
//! The golden test holds it fast.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use slipway_store::{Digest, Key};

use crate::action::Kind;

/// Names the format. A new format gets a new number.
const DOMAIN: &str = "slipway action 1";

/// The key of an action.
pub(crate) fn of(
    kind: Kind,
    argv: &[String],
    env: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Digest>,
    outputs: &BTreeSet<String>,
) -> Key {
    let mut encoder = Encoder(Sha256::new());
    encoder.text(DOMAIN);
    encoder.text(kind.as_str());
    encoder.count(argv.len());
    for argument in argv {
        encoder.text(argument);
    }
    encoder.count(env.len());
    for (name, value) in env {
        encoder.text(name);
        encoder.text(value);
    }
    encoder.count(inputs.len());
    for (name, digest) in inputs {
        encoder.text(name);
        encoder.bytes(digest.as_bytes());
    }
    encoder.count(outputs.len());
    for name in outputs {
        encoder.text(name);
    }
    Key::new(Digest::from_bytes(encoder.0.finalize().into()))
}

struct Encoder(Sha256);

impl Encoder {
    fn count(&mut self, count: usize) {
        let count = u64::try_from(count).expect("a length in memory fits into 64 bits");
        self.0.update(count.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}
