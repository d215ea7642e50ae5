//! `test`: the project's tests.

mod beside;
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
            let image = beside::Build::start()?;
            units(&CargoArgs::default())?;
            image.finish()?;
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
    let mut all = Vec::new();
    if args.args.is_empty() {
        all.extend(["--".to_owned(), side_by_side()]);
        all.extend(chosen.iter().map(ToString::to_string));
    }
    all.extend_from_slice(&args.args);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    cargo_with(&[&MACHINE_TESTS, &all[..]].concat(), &own()?, "the tests failed")
}

/// Tests start guests with this program: through cargo they would wait for whatever another test lets it compile.
fn own() -> anyhow::Result<Vec<(&'static str, String)>> {
    // It may have been compiled anew since it was started; then cargo finds it.
    let own = Utf8PathBuf::try_from(std::env::current_exe()?)?;
    Ok(own.is_file().then(|| ("SLIPWAY_TEST_XTASK", own.into_string())).into_iter().collect())
}

/// How many machines are tested at the same time: one more than there are cores, because each is emulated on one core, and all are
/// idle by turns. Each has 2 GiB of memory.
fn side_by_side() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("--test-threads={}", (cores + 1).min(MACHINES))
}

/// Tests with machines, of the whole workspace: of their own package alone cargo would choose other features, and compile again what
/// other tests have.
const MACHINE_TESTS: [&str; 5] = ["test", "--locked", "--workspace", "--test", "boot"];

/// The most machines at the same time.
const MACHINES: usize = 4;

/// The tests of updates.
const UPDATES: &str = "update::";
/// The one that takes long.
const SOAK: &str = "update::soak::";

/// The tests of the host of binary packages, which make releases of their own.
const HOST: &str = "binhost::";

/// The boot tests with another image than `minimal`, and with a disk of it that is there already.
pub(crate) fn boot_of(image: &str, disk: Option<&Utf8Path>) -> anyhow::Result<()> {
    let threads = side_by_side();
    let chosen = ["--", threads.as_str(), "--skip", UPDATES, "--skip", HOST];
    let args = [&MACHINE_TESTS[..], &chosen].concat();
    let mut env = own()?;
    env.push(("SLIPWAY_TEST_IMAGE", image.to_owned()));
    env.extend(disk.map(|disk| ("SLIPWAY_TEST_DISK", disk.to_string())));
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

fn cargo_with(args: &[&str], env: &[(&str, String)], failure: &str) -> anyhow::Result<()> {
    let cargo = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let mut command = Command::new(cargo);
    anyhow::ensure!(command.args(args).envs(env.iter().cloned()).status()?.success(), "{failure}");
    Ok(())
}
