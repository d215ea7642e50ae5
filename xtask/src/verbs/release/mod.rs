//! `key`, `release`, `promote`, `sign`, `refresh`, `attest`, `channel` and `verify`: from an image to a channel that clients
//! can trust.

mod attest;
mod binhost;
mod desk;
mod holders;
mod keys;
mod payloads;
mod programs;
mod record;
mod status;

use slipway_channels::{News, PromoteOptions, Proposed, State, promote, release};
use slipway_packages_manifest::Version;
use slipway_signing::{KeyMark, RoleName};
use slipway_store::Pushed;

use crate::{
    cli::{Promote, Release, Releases, Sign},
    context::Context,
    report::say,
};
pub(crate) use attest::attest;
use desk::{Desk, channel, tell};
pub(crate) use keys::key;
pub(crate) use programs::ProgramSigner;
use record::{Built, Programs};
pub(crate) use status::{channel_verb, verify};

/// `release`.
pub(crate) async fn release_verb(context: &Context, args: &Release) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    if !desk.root.exists() && !args.dry_run {
        say("there are no keys; making some for development");
        keys::init(&mut desk, KeyMark::Development).await?;
    }
    let channel = channel(context, &args.channel)?;
    let state = desk.state().await?;
    let version = context.project.release().version;
    let known = state.releases(&channel.name).into_iter().map(|release| release.version);
    let previous = known.filter(|known| *known < version).max();
    let programs = desk.programs.as_ref().map_or(Programs::Unsigned, Programs::Signer);
    let built = record::build(context, &args.image, desk.trusted()?, programs).await?;
    refuse_development(&state, &built)?;
    let payloads = payloads::make(context, &desk, &state, &channel, &built).await?;
    let made = record::make(context, args, &built, payloads, previous).await?;
    // Building and testing took minutes or hours: the release comes to the channel now, beside what others published meanwhile.
    desk.now = desk::now()?;
    let state = desk.state().await?;
    let change = release(&state, &channel, &made.record, desk.now)?;
    if !args.dry_run {
        send(context, &desk, &made).await?;
        binhost::publish(context, &desk, &binhost::packages(context, &built).await?).await?;
        if args.share {
            binhost::share(context, &desk, &built).await?;
        }
    }
    desk.apply(state, change, args.dry_run).await
}

/// Sends the files of a release that are not there yet.
async fn send(context: &Context, desk: &Desk, made: &record::Made) -> anyhow::Result<()> {
    let mut sent = 0;
    for (name, digest) in &made.blobs {
        if desk.repository.remote().push(&context.store, digest).await? == Pushed::Sent {
            let length = made.record.artefacts.get(name).map_or(0, |artefact| artefact.length);
            say(format_args!("{name}: {} sent", size(length)));
            sent += length;
        }
    }
    say(format_args!("{} of {} files sent", size(sent), made.blobs.len()));
    Ok(())
}

/// A number of bytes, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Programs that are signed with a key for development stay out of a repository whose `stable` has keys for releases.
fn refuse_development(state: &State, built: &Built) -> anyhow::Result<()> {
    if built.program_mark != Some(KeyMark::Development) {
        return Ok(());
    }
    let stable = RoleName::Channel("stable".parse().map_err(anyhow::Error::msg)?);
    anyhow::ensure!(
        !state.keys(&stable).is_ok_and(|keys| !keys.for_development()),
        "the programs are signed with a key for development, and `stable` has keys for releases; new ones for programs: cargo xtask key rotate secure-boot-pk secure-boot-kek secure-boot-db"
    );
    Ok(())
}

/// `promote`.
pub(crate) async fn promote_verb(context: &Context, args: &Promote) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    let (from, to) = (channel(context, &args.from)?, channel(context, &args.to)?);
    let state = desk.state().await?;
    let version: Version = args.version.parse()?;
    let found = state.release(&from.name, version, record::ARCH)?;
    let (record, bytes) = desk.repository.record(&from.name, &found).await?;
    let rebuilds = to.promotion.as_ref().and_then(|promotion| promotion.rebuilds.as_ref());
    let attested = match rebuilds {
        Some(rebuilds) => desk.repository.attested((&record, &bytes), rebuilds).await?,
        None => Vec::new(),
    };
    for name in &attested {
        say(format_args!("`{name}` has rebuilt it and found the same bits"));
    }
    let options = PromoteOptions { now: desk.now, allow_downgrade: args.allow_downgrade, attested };
    let change = promote(&state, &from, &to, &found, (&record, &bytes), &options)?;
    desk.apply(state, change, args.dry_run).await
}

/// `sign`.
pub(crate) async fn sign(context: &Context, args: &Sign) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    let state = desk.state().await?;
    let pending = desk.repository.pending(&state, &args.role).await?;
    say(format_args!("`{}` would list, with SHA-256 and length:", args.role));
    for target in state.proposed(&args.role, &pending) {
        let news = match target.news {
            News::Same => "same   ",
            News::New => "new    ",
            News::Changed => "changed",
            News::Gone => "gone   ",
        };
        let Proposed { name, sha256, length, .. } = target;
        say(format_args!("  {news} {name}  {sha256}  {length} bytes"));
    }
    if args.dry_run {
        say("nothing was signed (--dry-run)");
        return Ok(());
    }
    let now = desk.now;
    let role = args.role.clone();
    let progress = desk.repository.sign(state, role, pending, &mut desk.holders, now).await?;
    tell(&progress);
    Ok(())
}

/// `refresh`.
pub(crate) async fn refresh(context: &Context, releases: &Releases) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, releases)?;
    let state = desk.state().await?;
    let now = desk.now;
    tell(&desk.repository.refresh(state, &mut desk.holders, now).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_not_nothing() {
        #[track_caller]
        fn check(bytes: u64, expected: &str) {
            assert_eq!(size(bytes), expected);
        }
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(21_272, "21.3 kB");
        check(74_438_129, "74.4 MB");
    }
}
