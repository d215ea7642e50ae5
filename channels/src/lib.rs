//! Release records, publishing and promotion.
//!
//! Concepts:
//! - [`Channel`]: `channels/NAME.toml`, validated: where its releases come from, and what must be true of them.
//! - [`ReleaseRecord`]: what a release is, by digests (crate `slipway-payload`). It never changes; its bytes are a target of TUF.
//! - [`Bill`]: what a release is made of, as a bill of materials and as a provenance.
//! - [`Repository`]: the signed metadata in an object store. [`State`] is what it says now, every signature checked.
//! - [`Change`]: what a channel shall say next; [`promote`] and [`release`] decide it without I/O or clock.
//! - Publishing uploads what never changes first, and switches one pointer (`metadata/timestamp.json`) last, under a check
//!   that nobody else did meanwhile.

mod attestation;
mod bill;
mod change;
mod channel;
mod error;
mod publish;
mod repository;
mod transport;

pub use attestation::{compare_rebuild, rebuilt_files};
pub use bill::{Bill, Component, Library, Source};
pub use change::{Change, PromoteOptions, promote, release, set_policy};
pub use channel::{Channel, Promotion, Rebuilds};
pub use error::ChannelError;
pub use publish::{Progress, Signers};
pub use repository::{News, Proposed, ROOT_ARTEFACT, Release, Repository, State};
pub use slipway_payload::{
    Artefact, ChannelPolicy, PackageEntry, PayloadEntry, PayloadKind, ReleaseRecord, TestRun,
    VersionNote,
};
pub use transport::RemoteTransport;

/// The digest of an object of the store, as records have it.
pub fn record_digest(digest: slipway_store::Digest) -> slipway_payload::Digest {
    slipway_payload::Digest::from_bytes(*digest.as_bytes())
}
