//! What a release is on the wire, shared by builder, server and client. No files, no network, no clock.
//!
//! Concepts:
//! - [`ReleaseRecord`]: what a release is, by digests; a target of TUF. Its [`PayloadEntry`]s name the payloads.
//! - [`ChannelPolicy`]: what a channel says beyond its releases: floors, and versions that are never to be installed.
//! - A *payload*: `/usr` and the UKI of a release in one file, whole ([`write_full`]) or as what differs from the release before
//!   ([`write_delta`]). It starts with a [`Head`], whose digest the record has; the head has the digest of each [`Frame`] after
//!   it. So a client decompresses nothing before it knows that it was signed, needs no memory beyond one frame, and can go on after
//!   any frame. [`Applier`] takes frames one by one; [`apply`] a whole payload.
//! - [`verity`]: the dm-verity hash tree of `/usr`, which is no part of a payload: the client computes it.

mod apply;
mod digest;
mod error;
mod head;
mod policy;
mod record;
pub mod verity;
mod window;
mod write;

pub use apply::{Applied, Applier, Base, Chunk, NoBase, Old, apply, read_head};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use error::PayloadError;
pub use head::{
    BaseSystem, CHUNK, File, Frame, HEAD_LIMIT, Head, MAGIC, Range, Section, WINDOW, frame_limit,
};
pub use policy::{ChannelPolicy, PolicyError, VersionNote, policy_name};
pub use record::{
    Artefact, PackageEntry, PayloadEntry, PayloadKind, RecordError, ReleaseRecord, TestRun,
    record_name,
};
pub use slipway_packages_manifest::Version;
pub use write::{Level, Source, System, Written, write_delta, write_full};
