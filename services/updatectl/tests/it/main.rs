//! The program, against a real server with a SQLite file.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod apps;
mod fake;
mod groups;
mod others;
mod packages;
mod refusals;
mod world;

use world::{APP, World, package_file};
