//! End-to-end tests: the real command line, the real SDK, real containers.

mod ebuilds;
mod hermetic;
mod support;
mod tidy;
