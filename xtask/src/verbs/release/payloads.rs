//! The payloads of a release: whole, and from the releases that machines have now.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use slipway_build::{Action, Graph};
use slipway_channels::{Channel, PayloadEntry, PayloadKind, Release, State};
use slipway_packages_manifest::Version;
use slipway_pipeline::{PAYLOAD, PAYLOAD_NOTE, PayloadBase, PayloadNote, payload_action};
use slipway_signing::ChannelName;
use slipway_store::{Digest, Fetched};

use super::{
    desk::Desk,
    record::{self, Built},
    size,
};
use crate::{context::Context, report::say};

/// A payload of a release.
pub(super) struct Payload {
    pub(super) entry: PayloadEntry,
    pub(super) digest: Digest,
    pub(super) length: u64,
}

/// The releases that a delta is made from: the newest ones of the channel, as many as its file says, and the newest one of each
/// other channel, from which its machines will come.
fn bases(state: &State, channel: &Channel, version: Version) -> Vec<(ChannelName, Release)> {
    let mut all: BTreeMap<Version, (ChannelName, Release)> = BTreeMap::new();
    for name in state.channels.keys() {
        let count = if *name == channel.name { channel.deltas } else { channel.deltas.min(1) };
        let older = state
            .releases(name)
            .into_iter()
            .filter(|release| release.arch == record::ARCH && release.version < version);
        for release in older.rev().take(count) {
            all.insert(release.version, (name.clone(), release));
        }
    }
    all.into_values().collect()
}

/// Makes the payloads, or takes them from the cache.
pub(super) async fn make(
    context: &Context,
    desk: &Desk,
    state: &State,
    channel: &Channel,
    built: &Built,
) -> anyhow::Result<Vec<Payload>> {
    let version = context.project.release().version;
    let new = built.payload_system(version);
    let work = context.cache.join("work");
    let name = built.image_name();
    let mut wanted = vec![(None, payload_action(name, &new, None, &work)?)];
    for (from, release) in bases(state, channel, version) {
        let base = fetch(context, desk, &from, &release).await?;
        let action = payload_action(name, &new, Some(&base), &work)?;
        wanted.push((Some(release.version), action));
    }
    let mut actions: Vec<Action> = built.graph().iter().map(|action| (**action).clone()).collect();
    actions.extend(wanted.iter().map(|(_, action)| action.clone()));
    let graph = Arc::new(Graph::new(actions)?);
    let ids: Vec<_> = wanted.iter().map(|(_, action)| action.id.clone()).collect();
    let outcome = context.run(&graph, &ids).await?;
    let mut payloads = Vec::new();
    for (base, action) in wanted {
        let outputs = outcome.outputs.get(&action.id).context("a payload was not made")?;
        let find = |name: &str| outputs.get(name).copied().context("a payload lacks an output");
        let note = fs_err::read(record::blob(context, &find(PAYLOAD_NOTE)?)?)?;
        let note: PayloadNote = serde_json::from_slice(&note)?;
        payloads.push(payload(base, note, find(PAYLOAD)?)?);
    }
    Ok(payloads)
}

fn payload(base: Option<Version>, note: PayloadNote, digest: Digest) -> anyhow::Result<Payload> {
    let (kind, artefact) = match base {
        None => (PayloadKind::Full, "full.payload".to_owned()),
        Some(base) => {
            let root_hash = note.base_usr_root_hash.context("a delta does not name its base")?;
            let kind = PayloadKind::Delta { base: base.to_string(), base_usr_root_hash: root_hash };
            (kind, format!("from-{base}.payload"))
        }
    };
    say(format_args!("{artefact}: {}", size(note.length)));
    let entry = PayloadEntry { kind, artefact, head: note.head };
    Ok(Payload { entry, digest, length: note.length })
}

/// Brings the images of an older release into the local store.
async fn fetch(
    context: &Context,
    desk: &Desk,
    channel: &ChannelName,
    release: &Release,
) -> anyhow::Result<PayloadBase> {
    let (record, _) = desk.repository.record(channel, release).await?;
    let mut images = Vec::new();
    for name in ["usr.erofs", "slipway.efi"] {
        let version = release.version;
        let artefact = record.artefacts.get(name);
        let artefact = artefact.with_context(|| format!("{version} has no {name}"))?;
        let digest: Digest = artefact.sha256.to_string().parse()?;
        let fetched = desk.repository.remote().fetch(&context.store, &digest).await?;
        anyhow::ensure!(
            matches!(fetched, Fetched::Present | Fetched::Fetched),
            "{name} of {version} is lost or damaged in the repository; `deltas = 0` in the file of the channel does without"
        );
        images.push(digest);
    }
    Ok(PayloadBase { version: release.version, usr: images[0], uki: images[1] })
}
