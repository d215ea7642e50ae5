//! Pipelines as data: which stages there are, what they run, what goes in and what comes out; and running them so that one that
//! was interrupted goes on where it stopped.
//!
//! Concepts:
//! - [`Pipeline`]: `ci/NAME.toml`, validated, with its parameters filled in.
//! - [`plan`] says which stages are done already, and why the others are not.
//! - [`run`] runs those and leaves a [`StageRecord`] of each: what it ran, the digests of its inputs and outputs.
//!
//! Nothing here starts a process: [`run`] is given what carries a [`Step`] out.

mod error;
mod pipeline;
mod run;

pub use error::CiError;
pub use pipeline::{Pipeline, Program, Repeat, Stage, Step};
pub use run::{Clock, Planned, Reason, StageRecord, plan, run};
