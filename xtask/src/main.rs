//! `cargo xtask`: the one command line of the Slipway SDK. It parses, forwards and prints; the work is done by libraries.

mod cli;
mod context;
mod environment;
mod place;
mod report;
mod results;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // The container engine re-executes this program; then it is no command line.
    if let Some(code) = slipway_engine::embedded_child_main() {
        return code;
    }
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report::fail(&anyhow::Error::new(error).context("cannot start the runtime"));
        }
    };
    match runtime.block_on(verbs::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::fail(&error),
    }
}
