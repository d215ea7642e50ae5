//! `test`: the project's tests.

mod reproducible;

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    cli::{CargoArgs, Global, Suite, TestArgs},
    environment,
};

/// Runs a suite, or those that a change must pass.
pub(crate) async fn run(global: Global, args: TestArgs) -> anyhow::Result<()> {
    match args.suite {
        None => {
            units(&CargoArgs::default())?;
            machines(&[], &CargoArgs::default())
        }
        Some(Suite::Units(args)) => units(&args),
        Some(Suite::Boot(args)) => machines(&["--skip", UPDATES], &args),
        Some(Suite::Update(args)) => machines(&[UPDATES], &args),
        Some(Suite::Soak(args)) => machines(&["--ignored", SOAK], &args),
        Some(Suite::Reproducible(args)) => reproducible::run(global, &args).await,
    }
}

fn units(args: &CargoArgs) -> anyhow::Result<()> {
    let all = ["--workspace".to_owned()];
    cargo_test(if args.args.is_empty() { &all } else { &args.args })
}

/// Tests that boot machines, all or those whose names are `chosen`.
fn machines(chosen: &[&str], args: &CargoArgs) -> anyhow::Result<()> {
    let mut all = ["-p", "slipway-tests", "--test", "boot"].map(str::to_owned).to_vec();
    if args.args.is_empty() {
        // One machine after the other: each takes all the cores that there are to emulate it.
        all.extend(["--", "--test-threads=1"].iter().chain(chosen).map(ToString::to_string));
    }
    all.extend_from_slice(&args.args);
    cargo_test(&all)
}

/// The tests of updates.
const UPDATES: &str = "update::";
/// The one that takes long.
const SOAK: &str = "update::soak::";

/// The tests of the host of binary packages, which make releases of their own.
const HOST: &str = "binhost::";

/// The boot tests with another image than `minimal`, and with a disk of it that is there already.
pub(crate) fn boot_of(image: &str, disk: Option<&Utf8Path>) -> anyhow::Result<()> {
    let suite = ["test", "--locked", "-p", "slipway-tests", "--test", "boot", "--"];
    let others = ["--skip", UPDATES, "--skip", HOST];
    let args: Vec<&str> = suite.into_iter().chain(["--test-threads=1"]).chain(others).collect();
    // It may have been compiled anew since it was started; then cargo finds it.
    let own = Utf8PathBuf::try_from(std::env::current_exe()?)?;
    let own = own.is_file().then_some(("SLIPWAY_TEST_XTASK", own.as_str()));
    let disk = disk.map(|disk| ("SLIPWAY_TEST_DISK", disk.as_str()));
    let env: Vec<_> = [("SLIPWAY_TEST_IMAGE", image)].into_iter().chain(own).chain(disk).collect();
    cargo_with(&args, &env, "the image failed its tests")
}

fn cargo_test(args: &[String]) -> anyhow::Result<()> {
    let args: Vec<&str> =
        ["test", "--locked"].into_iter().chain(args.iter().map(String::as_str)).collect();
    cargo(&args, "the tests failed")
}

/// Runs cargo, and fails with `failure` if it does.
pub(crate) fn cargo(args: &[&str], failure: &str) -> anyhow::Result<()> {
    cargo_with(args, &[], failure)
}

fn cargo_with(args: &[&str], env: &[(&str, &str)], failure: &str) -> anyhow::Result<()> {
    let cargo = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let mut command = Command::new(cargo);
    anyhow::ensure!(command.args(args).envs(env.iter().copied()).status()?.success(), "{failure}");
    Ok(())
}
