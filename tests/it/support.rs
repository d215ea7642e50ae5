//! Running `cargo xtask` from tests.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

/// The repository.
pub(crate) fn root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize_utf8().unwrap()
}

/// Whether containers can be run by the embedded engine; says so when they cannot.
pub(crate) fn have_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    #[expect(clippy::disallowed_methods, reason = "tests opt in by variable")]
    let required = std::env::var_os("SLIPWAY_REQUIRE_ROOT").is_some();
    assert!(root || !required, "SLIPWAY_REQUIRE_ROOT is set, but this is not root");
    if !root {
        eprintln!("skipped: containers without Docker need root");
    }
    root
}

/// Runs the command line with the embedded engine.
pub(crate) fn xtask(args: &[&str]) -> Output {
    cargo(&[&["xtask", "--engine", "embedded"], args].concat())
}

/// Makes a folder a cache that shares nothing with the user's own but the SDK.
pub(crate) fn make_cache(dir: &Utf8Path) {
    let place = String::from_utf8(xtask(&["sdk", "path"]).stdout).unwrap();
    slipway_tests::caches::share_sdk(&place, dir).unwrap();
}

/// Runs the command line with the embedded engine and another cache.
pub(crate) fn xtask_in(cache: &Utf8Path, args: &[&str]) -> Output {
    let args = [&["xtask", "--engine", "embedded"], args].concat();
    command(&args).env("SLIPWAY_CACHE", cache).output().unwrap()
}

/// Runs cargo in the repository.
pub(crate) fn cargo(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn command(args: &[&str]) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let mut command = Command::new(env!("CARGO"));
    command.args(args).current_dir(root());
    command
}
