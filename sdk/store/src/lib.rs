//! The content-addressed store: digest → bytes, action key → outputs.
//!
//! Concepts:
//!
//! - A *blob* is a file named by the SHA-256 of its content ([`Digest`]). It is verified when read; a damaged one goes
//!   to `quarantine/` and counts as absent.
//! - A *record* says which blobs an action made ([`ActionRecord`], found by [`Key`]).
//! - A *tree* is an archive blob, unpacked once and verified before use.
//! - [`FileDigests`] remembers the digests of unchanged files, so that a no-op reads none of them.
//! - A [`Remote`] is an object store that blobs and records are fetched from and pushed to.
//!
//! The core is synchronous and local; callers on an async runtime use `spawn_blocking`. Nothing here prints, reads the
//! environment or a clock. Only this crate knows object stores.

pub mod archive;
mod blob;
mod clean;
mod digest;
mod dir;
mod error;
mod link;
mod lock;
mod memory;
mod objects;
mod record;
mod remote;
mod s3;
mod store;
mod temp;
mod tree;

pub use blob::Ingest;
pub use clean::{CleanItem, CleanKind, CleanPlan, CleanPolicy, CleanReport};
pub use digest::{Digest, Key, ParseDigestError};
pub use error::StoreError;
pub use link::{LinkError, LinkMode, LinkOptions, LinkReport, link_tree};
pub use lock::{Holder, LockAttempt, StoreLock};
pub use memory::FileDigests;
pub use objects::Created;
pub use record::ActionRecord;
pub use remote::{Fetched, Pushed, Remote, RemoteError};
pub use s3::{ParseAddressError, Patience, RemoteAddress, S3Credentials, S3Server};
pub use store::Store;
