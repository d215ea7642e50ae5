//! What goes into the record of a release: everything comes from the build graph.

use std::collections::BTreeMap;

use anyhow::Context as _;
use slipway_build::{NodeId, NodeStates};
use slipway_channels::{Artefact, PackageEntry, ReleaseRecord, TestRun};
use slipway_packages_manifest::{Atom, DiskFormat, Version};
use slipway_store::Digest;

use crate::{cli::Release, context::Context, report::say, verbs::test};

/// A record, and the files that it speaks of.
pub(super) struct Made {
    pub(super) record: ReleaseRecord,
    pub(super) blobs: Vec<(String, Digest)>,
}

/// Builds the image, tests it if asked, and writes down what came out.
pub(super) async fn make(
    context: &Context,
    args: &Release,
    previous: Option<Version>,
) -> anyhow::Result<Made> {
    let image = context.project.image(&args.image)?;
    let plan = context.image(&image, DiskFormat::Qcow2).await?;
    let qcow2 = plan.nodes.format.clone().context("the plan has no qcow2 disk")?;
    let wanted = [qcow2.clone(), plan.nodes.disk.clone()];
    let outcome = context.run(&plan.graph, &wanted).await?;
    let states = NodeStates::of(&context.store);
    let outputs = |node: &NodeId| -> anyhow::Result<BTreeMap<String, Digest>> {
        if let Some(outputs) = outcome.outputs.get(node) {
            return Ok(outputs.clone().into_iter().collect());
        }
        let state = states.load(node)?.with_context(|| format!("`{node}` was not built"))?;
        Ok(state.outputs.into_iter().collect())
    };
    let find = |node: &NodeId, name: &str| -> anyhow::Result<Digest> {
        let found = outputs(node)?.get(name).copied();
        found.with_context(|| format!("`{node}` left no {name}"))
    };
    let disk = find(&plan.nodes.disk, "disk.raw")?;
    let blobs: Vec<(String, Digest)> = [
        (&qcow2, "disk.qcow2"),
        (&plan.nodes.usr, "usr.erofs"),
        (&plan.nodes.usr, "usr.verity"),
        (&plan.nodes.uki, "slipway.efi"),
    ]
    .into_iter()
    .map(|(node, name)| Ok((name.to_owned(), find(node, name)?)))
    .collect::<anyhow::Result<_>>()?;
    let bytes = |digest: &Digest| -> anyhow::Result<camino::Utf8PathBuf> {
        context.store.blob(digest)?.context("an output was damaged; run the command again")
    };
    let mut artefacts = BTreeMap::new();
    for (name, digest) in &blobs {
        let length = fs_err::metadata(bytes(digest)?)?.len();
        artefacts.insert(name.clone(), Artefact { sha256: *digest, length });
    }
    let roothash = fs_err::read_to_string(bytes(&find(&plan.nodes.usr, "roothash")?)?)?;
    let inputs = states.load(&plan.nodes.disk)?.context("the disk has no state")?.key;
    let roots = image.packages.iter().map(Atom::as_str);
    let roots: Vec<_> = roots.filter_map(|atom| plan.resolution.requested(atom)).collect();
    let packages = plan.resolution.installed(roots).into_iter().filter_map(|cpv| {
        let package = plan.resolution.get(&cpv)?;
        Some(PackageEntry {
            name: cpv.category_and_name().to_owned(),
            version: cpv.version().to_owned(),
            licence: package.license.clone(),
        })
    });
    let mut tests = BTreeMap::new();
    if args.test && !args.dry_run {
        say(format_args!("testing {}", image.name));
        test::boot_of(image.name.as_str())?;
        tests.insert("boot".to_owned(), TestRun { disk });
    }
    let record = ReleaseRecord {
        schema: ReleaseRecord::SCHEMA,
        version: context.project.release().version.to_string(),
        arch: "amd64".to_owned(),
        image: image.name.to_string(),
        inputs: inputs.to_string(),
        usr_root_hash: roothash.trim().to_owned(),
        artefacts,
        packages: packages.collect(),
        tests,
        previous: previous.map(|version| version.to_string()),
    };
    Ok(Made { record, blobs })
}
