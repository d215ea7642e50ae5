//! The binary packages of a release, beside it: another machine installs or reuses them (`emerge --getbinpkg`).

use anyhow::Context as _;
use bytes::Bytes;
use slipway_build::NodeStates;
use slipway_pipeline::package_node;
use slipway_portage::{IndexEntry, index};
use slipway_store::{Digest, Pushed};

use super::{
    desk::Desk,
    record::{self, Built},
};
use crate::{context::Context, environment, report::say};

/// The folder of the host, by architecture.
fn folder() -> String {
    format!("binhost/{}", record::ARCH)
}

/// Everything that the image was built from.
pub(super) struct Packages {
    entries: Vec<(IndexEntry, Digest)>,
}

/// Reads what is known of the packages that were built.
pub(super) fn packages(context: &Context, built: &Built) -> anyhow::Result<Packages> {
    let states = NodeStates::of(&context.store);
    let mut entries = Vec::new();
    for package in built.packages() {
        // What nothing needed was not built.
        let Some(state) = states.load(&package_node(&package.cpv)?)? else { continue };
        let find = |name: &str| {
            let digest = state.outputs.get(name).copied();
            digest.with_context(|| format!("`{}` left no {name}", package.cpv))
        };
        let (gpkg, metadata) = (find("gpkg")?, find("metadata")?);
        let size = fs_err::metadata(record::blob(context, &gpkg)?)?.len();
        let metadata = record::blob(context, &metadata)?;
        let entry = IndexEntry::read(&package.cpv, &metadata, gpkg.to_string(), size)?;
        entries.push((entry, gpkg));
    }
    Ok(Packages { entries })
}

/// Sends what builds elsewhere look for: by the key of each action, what it made.
pub(super) async fn share(context: &Context, desk: &Desk, built: &Built) -> anyhow::Result<()> {
    let states = NodeStates::of(&context.store);
    let mut count = 0;
    for package in built.packages() {
        let Some(state) = states.load(&package_node(&package.cpv)?)? else { continue };
        if let Some(record) = context.store.lookup(&state.key)? {
            desk.repository.remote().push_record(&context.store, &state.key, &record).await?;
            count += 1;
        }
    }
    say(format_args!("{count} packages shared with builds elsewhere"));
    Ok(())
}

/// Sends the packages that are not there, then the index.
pub(super) async fn publish(
    context: &Context,
    desk: &Desk,
    packages: &Packages,
) -> anyhow::Result<()> {
    let remote = desk.repository.remote();
    let mut sent = 0;
    for (entry, digest) in &packages.entries {
        let name = format!("{}/{}", folder(), entry.path());
        if remote.push_as(&context.store, digest, &name).await? == Pushed::Sent {
            sent += 1;
        }
    }
    let entries: Vec<IndexEntry> =
        packages.entries.iter().map(|(entry, _)| entry.clone()).collect();
    let text = index(record::ARCH, environment::now(), &entries);
    remote.overwrite(&format!("{}/Packages", folder()), Bytes::from(text)).await?;
    let count = entries.len();
    say(format_args!("{count} binary packages in {}, {sent} of them sent", folder()));
    Ok(())
}
