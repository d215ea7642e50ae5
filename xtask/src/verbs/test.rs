//! `test`: the project's tests.

use std::process::Command;

use crate::{
    cli::{Global, Suite, TestArgs},
    environment,
};

/// Runs the tests of all crates, and of the system where its image can be had.
pub(crate) fn run(_global: &Global, args: &TestArgs) -> anyhow::Result<()> {
    match args.what {
        None | Some(Suite::Crates) => cargo(&["test", "--workspace", "--locked"]),
        Some(Suite::Boot) => {
            anyhow::bail!("not there yet: boot an image by hand with `cargo xtask run`")
        }
        Some(Suite::Reproducible) => anyhow::bail!("not there yet"),
    }
}

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    let cargo = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let status = Command::new(cargo).args(args).status()?;
    anyhow::ensure!(status.success(), "the tests failed");
    Ok(())
}
