//! `test`: the project's tests.

use std::process::Command;

use crate::{cli::TestArgs, environment};

/// Runs the tests of all crates, or those that the arguments choose.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    let cargo = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let mut command = Command::new(cargo);
    command.args(["test", "--locked"]).args(&args.cargo);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    }
    anyhow::ensure!(command.status()?.success(), "the tests failed");
    Ok(())
}
