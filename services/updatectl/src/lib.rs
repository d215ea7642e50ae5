//! `updatectl`: the command line for an update server. It has the verbs, tables, environment and exit codes of CoreUpdate's
//! `updateservicectl`, and more.
//!
//! Concepts:
//! - [`Environment`] and [`Streams`] come from `main.rs`; nothing else reads the environment, the clock, or prints.
//! - [`Client`] speaks to a server: the API of CoreUpdate, signed with Hawk or with a token, and `/api/v2` with a token.
//! - Each verb is a file in `verb/`: its flags, and what it does.
//! - [`fake`]: hosts that do not exist, to see what a server does with them.

mod cli;
mod client;
mod error;
pub mod fake;
mod output;
mod random;
mod settings;
mod sums;
mod table;
mod verb;

use std::ffi::OsString;

pub use client::Client;
pub use error::{CtlError, Exit};
pub use output::Streams;
pub use random::Random;
pub use settings::{Environment, Settings};
pub use table::Table;

/// Runs one command line, the program's name first, and says with which code the program shall end.
pub async fn run(
    arguments: Vec<OsString>,
    environment: &Environment,
    streams: &mut Streams<'_>,
) -> Exit {
    let cli = match cli::parse(arguments) {
        Ok(cli) => cli,
        Err(refused) => return refused.print(streams),
    };
    let done = async {
        let settings = Settings::new(cli.global, environment)?;
        verb::run(cli.verb, &settings, streams).await
    };
    match done.await {
        Ok(()) => Exit::Fine,
        Err(error) => {
            streams.complain(&error);
            error.exit()
        }
    }
}
