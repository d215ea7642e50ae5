//! `attest`: builds a release again, and signs that the same bits came out.

use std::collections::BTreeMap;

use anyhow::Context as _;
use slipway_packages_manifest::Version;

use super::{
    desk::Desk,
    record::{self, Built, Programs},
};
use crate::{
    cli::Attest,
    context::Context,
    report::{print, say},
};

/// `attest`.
pub(crate) async fn attest(context: &Context, args: &Attest) -> anyhow::Result<()> {
    anyhow::ensure!(
        context.global.binhost.is_none(),
        "what others built is no rebuild; leave `--binhost` out"
    );
    let desk = Desk::open(context, &args.releases)?;
    let version: Version = args.version.parse()?;
    let ours = context.project.release().version;
    anyhow::ensure!(
        ours == version,
        "these sources make {ours}; check out those of {version} to build it again"
    );
    let state = desk.state().await?;
    let found = state.release(&args.from, version, record::ARCH)?;
    let (record, bytes) = desk.repository.record(&args.from, &found).await?;
    let other;
    let builder = match &args.second {
        Some(dir) => {
            say(format_args!("building in {dir}, where nothing of this machine's cache is"));
            other = Context::at(dir.clone(), context.global.clone())?;
            &other
        }
        None => context,
    };
    let programs = Programs::Released(&record, &desk);
    // That of the release, whatever this machine began with.
    let trusted = desk.repository.root_of(&record, &desk.trusted()?).await?;
    let built = record::build(builder, &record.image, trusted, programs).await?;
    if built.inputs != record.inputs {
        say(
            "what goes into the build is not what went into the release: other sources or another SDK",
        );
    }
    let digests = digests(&built);
    slipway_channels::compare_rebuild(&record, &digests)?;
    for (name, digest) in slipway_channels::rebuilt_files(&record) {
        say(format_args!("{name}: {digest}, as released"));
    }
    if args.dry_run {
        say("nothing was signed (--dry-run)");
        return Ok(());
    }
    let key = desk.holders.open_attester(&args.key)?;
    let object = desk.repository.attest((&record, &bytes), &digests, &key).await;
    print(object.with_context(|| format!("the word of `{}` cannot be published", args.key))?);
    Ok(())
}

fn digests(built: &Built) -> BTreeMap<String, String> {
    built.files.iter().map(|(name, digest)| (name.clone(), digest.to_string())).collect()
}
