//! The binary packages of a release, beside it: another machine installs or reuses them (`emerge --getbinpkg`).

use anyhow::Context as _;
use bytes::Bytes;
use camino::Utf8PathBuf;
use slipway_build::NodeId;
use slipway_pipeline::package_node;
use slipway_portage::{IndexEntry, Package, for_host, index};
use slipway_store::{Digest, Ingest, Pushed};

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

/// The packages that the image needs, and what builds it, with their actions. What nothing needed was not built.
fn packages_of(built: &Built) -> anyhow::Result<Vec<(&Package, NodeId)>> {
    let mut all = Vec::new();
    for package in built.packages() {
        let node = package_node(&package.cpv)?;
        if built.results.has(&node) {
            all.push((package, node));
        }
    }
    Ok(all)
}

/// Brings the packages into the form that a host has, and reads what is known of them.
pub(super) async fn packages(context: &Context, built: &Built) -> anyhow::Result<Packages> {
    let packages = packages_of(built)?;
    // Of what is older than the image, nobody has looked whether it is still there.
    let nodes: Vec<NodeId> = packages.iter().map(|(_, node)| node.clone()).collect();
    context.run(built.graph(), &nodes).await?;
    let work = tempfile::tempdir_in(context.cache.join("work"))?;
    let aside = Utf8PathBuf::try_from(work.path().join("package.gpkg.tar"))?;
    let mut entries = Vec::new();
    for (package, node) in packages {
        let find = |name: &str| record::blob(context, &built.results.output(&node, name)?);
        for_host(&find("gpkg")?, &aside)?;
        let hosted = context.store.put_file(&aside, Ingest::Move)?;
        let file = record::blob(context, &hosted)?;
        let entry = IndexEntry::read(&package.cpv, &find("metadata")?, &file, hosted.to_string())?;
        entries.push((entry, hosted));
    }
    Ok(Packages { entries })
}

/// Sends what builds elsewhere look for: by the key of each action, what it made.
pub(super) async fn share(context: &Context, desk: &Desk, built: &Built) -> anyhow::Result<()> {
    let packages = packages_of(built)?;
    for (_, node) in &packages {
        let key = built.results.key(node)?;
        let record = context.store.lookup(&key)?;
        let record = record.with_context(|| format!("`{node}` was damaged; run it again"))?;
        desk.repository.remote().push_record(&context.store, &key, &record).await?;
    }
    say(format_args!("{} packages shared with builds elsewhere", packages.len()));
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
    let text = index(record::ARCH, environment::now(), context.project.release().epoch, &entries);
    remote.overwrite(&format!("{}/Packages", folder()), Bytes::from(text)).await?;
    let count = entries.len();
    say(format_args!("{count} binary packages in {}, {sent} of them sent", folder()));
    Ok(())
}
