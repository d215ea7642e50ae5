//! `tidy`: what a change must look like.

use anyhow::Context as _;
use slipway_build::Graph;
use slipway_pipeline::{FINDINGS, PackageIndex, pkgcheck_actions};
use slipway_portage::{findings, setup_files, unexpected};

use super::test::cargo;
use crate::{context::Context, report};

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

/// Lets pkgcheck look at the ebuild repository, and prints what this repository has no reason for.
pub(crate) async fn ebuilds(context: &Context) -> anyhow::Result<()> {
    let shared = context.shared().await?;
    let index = PackageIndex { pip: context.pip() };
    let (project, digests, store) = (&context.project, &context.digests, &context.store);
    let actions = pkgcheck_actions(project, &shared, digests, store, index)?;
    let wanted = actions[1].id.clone();
    let path = context.output(Graph::new(actions.into())?, &wanted, FINDINGS).await?;
    let files = setup_files();
    let provided = files.iter().find(|file| file.name == "package.provided");
    let provided = provided.context("the SDK's setup lists no tools")?.text;
    let unexpected = unexpected(findings(&fs_err::read_to_string(path)?)?, provided);
    for finding in &unexpected {
        report::print(finding);
    }
    anyhow::ensure!(unexpected.is_empty(), "mend what pkgcheck says");
    Ok(())
}
