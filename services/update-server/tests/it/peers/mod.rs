//! The APIs of CoreUpdate and Nebraska, through a real server.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod access;
mod admin;
mod apps;
mod channels;
mod extra;
mod groups;
mod instances;
mod nebraska_apps;
mod nebraska_channels;
mod nebraska_groups;
mod nebraska_instances;
mod packages;
mod rollouts;
mod upstreams;
mod world;

use world::{World, json};
