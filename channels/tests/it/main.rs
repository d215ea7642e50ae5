//! Releases on their way through the channels of a repository in a folder.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod interrupted;
mod journey;
mod world;
