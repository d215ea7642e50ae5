//! `tidy`: what a change must look like.

use super::test::cargo;

/// Checks formatting, lints, and the rules that `tests/src/tidy.rs` states.
pub(crate) fn run() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"], "run `cargo fmt --all`")?;
    let lints = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    cargo(&lints, "mend what clippy says")?;
    cargo(
        &["test", "--locked", "-p", "slipway-tests", "--test", "it", "tidy"],
        "mend what the test says",
    )
}
