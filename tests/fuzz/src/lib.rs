//! Fuzz targets: what each reader of outside bytes must hold to, whatever the bytes are.
//!
//! A [`Target`] is a function that panics when a promise is broken, and good inputs to start from. `fuzz/` at the top of the
//! repository gives them to libFuzzer, which needs a nightly compiler; the test of this crate gives them random bytes and damaged
//! good inputs, with any compiler, at every run of the tests.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

mod archives;
mod documents;
mod mutate;
mod seeds;

pub use mutate::{Mutation, mutation};

/// What a reader said to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what the reader reads.
    Accepted,
    /// It is not.
    Refused,
}

impl Verdict {
    fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }

    /// Accepted if one of them is.
    fn any(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let accepted = verdicts.into_iter().any(|verdict| verdict == Self::Accepted);
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// A reader of outside bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of the file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Reads an input. Panics when a promise is broken.
    pub run: fn(&[u8]) -> Verdict,
    /// Inputs that it accepts.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "deb", run: archives::deb, seeds: seeds::deb },
    Target { name: "gpkg", run: archives::gpkg, seeds: seeds::gpkg },
    Target { name: "manifests", run: documents::manifests, seeds: seeds::manifests },
    Target { name: "packages", run: documents::packages, seeds: seeds::packages },
    Target { name: "record", run: documents::record, seeds: seeds::record },
    Target { name: "release", run: documents::release, seeds: seeds::release },
    Target { name: "tar", run: archives::tar, seeds: seeds::tar },
    Target { name: "tuf", run: documents::tuf, seeds: seeds::tuf },
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let _verdict = (target.expect("the targets of libFuzzer are in the list").run)(bytes);
}
