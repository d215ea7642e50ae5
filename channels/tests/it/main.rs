//! Releases on their way through the channels of a repository, in a folder and in a bucket.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod attested;
#[path = "../../../sdk/store/tests/it/bucket.rs"]
mod bucket;
mod faults;
mod init;
mod interrupted;
mod journey;
mod policy;
mod script;
mod world;
