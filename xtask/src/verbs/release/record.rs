//! What goes into the record of a release: everything comes from the build graph.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use slipway_build::{NodeId, NodeStates};
use slipway_channels::{
    Artefact, Bill, Component, PackageEntry, ReleaseRecord, Source, TestRun, record_digest,
};
use slipway_image::Enrol;
use slipway_packages_manifest::{Atom, DiskFormat, Version};
use slipway_pipeline::package_node;
use slipway_portage::Package;
use slipway_signing::KeyMark;
use slipway_store::Digest;

use super::ProgramSigner;
use crate::{cli::Release, context::Context, report::say, verbs::test};

/// The only architecture so far.
pub(super) const ARCH: &str = "amd64";

/// A record, and the files that it speaks of.
pub(super) struct Made {
    pub(super) record: ReleaseRecord,
    pub(super) blobs: Vec<(String, Digest)>,
    /// What the key is good for that signed the programs, if they are signed.
    pub(super) program_mark: Option<KeyMark>,
}

/// Builds the image, which trusts the root metadata `trusted`, tests it if asked, and writes down what came out.
pub(super) async fn make(
    context: &Context,
    args: &Release,
    trusted: &Utf8Path,
    previous: Option<Version>,
    signer: Option<&ProgramSigner>,
) -> anyhow::Result<Made> {
    let image = context.project.image(&args.image)?;
    let plan = context.image_trusting(&image, DiskFormat::Qcow2, trusted).await?;
    let mut signed = Vec::new();
    let (plan, program_mark) = match signer {
        None => (plan, None),
        Some(signer) => {
            let image =
                signer.sign(context, &image, DiskFormat::Qcow2, &plan, Enrol::Manual).await?;
            signed = image.artefacts();
            (image.plan, Some(image.mark))
        }
    };
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
    let mut blobs: Vec<(String, Digest)> = [
        (&qcow2, "disk.qcow2"),
        (&plan.nodes.usr, "usr.erofs"),
        (&plan.nodes.usr, "usr.verity"),
        (&plan.nodes.uki, "slipway.efi"),
    ]
    .into_iter()
    .map(|(node, name)| Ok((name.to_owned(), find(node, name)?)))
    .collect::<anyhow::Result<_>>()?;
    // Signed programs take the place of what was built.
    blobs.retain(|(name, _)| !signed.iter().any(|(other, _)| other == name));
    blobs.extend(signed);
    let bytes = |digest: &Digest| -> anyhow::Result<camino::Utf8PathBuf> {
        context.store.blob(digest)?.context("an output was damaged; run the command again")
    };
    let mut artefacts = BTreeMap::new();
    for (name, digest) in &blobs {
        let length = fs_err::metadata(bytes(digest)?)?.len();
        artefacts.insert(name.clone(), Artefact { sha256: record_digest(*digest), length });
    }
    let roothash = fs_err::read_to_string(bytes(&find(&plan.nodes.usr, "roothash")?)?)?;
    let inputs = states.load(&plan.nodes.disk)?.context("the disk has no state")?.key;
    let roots = image.packages.iter().map(Atom::as_str);
    let roots: Vec<_> = roots.filter_map(|atom| plan.resolution.requested(atom)).collect();
    let installed = plan.resolution.installed(roots);
    let packages: Vec<&Package> =
        installed.iter().filter_map(|cpv| plan.resolution.get(cpv)).collect();
    let bill = Bill {
        image: image.name.to_string(),
        version: context.project.release().version.to_string(),
        arch: ARCH.to_owned(),
        inputs: inputs.to_string(),
        sdk: context.sdk().await?.id,
        components: packages
            .iter()
            .map(|package| component(package, &states))
            .collect::<Result<_, _>>()?,
    };
    let provenance = bill.to_provenance(&artefacts)?;
    for (name, bytes) in
        [("sbom.cdx.json", bill.to_cyclonedx()?), ("provenance.intoto.json", provenance)]
    {
        let digest = context.store.put_bytes(&bytes)?;
        let length = bytes.len() as u64;
        artefacts.insert(name.to_owned(), Artefact { sha256: record_digest(digest), length });
        blobs.push((name.to_owned(), digest));
    }
    let mut tests = BTreeMap::new();
    if args.test && !args.dry_run {
        say(format_args!("testing {}", image.name));
        test::boot_of(image.name.as_str(), Some(&bytes(&disk)?))?;
        tests.insert("boot".to_owned(), TestRun { disk: record_digest(disk) });
    }
    let record = ReleaseRecord {
        schema: ReleaseRecord::SCHEMA,
        version: context.project.release().version.to_string(),
        arch: ARCH.to_owned(),
        image: image.name.to_string(),
        inputs: inputs.to_string(),
        usr_root_hash: roothash.trim().to_owned(),
        artefacts,
        payloads: Vec::new(),
        packages: packages.iter().map(|package| entry(package)).collect(),
        tests,
        previous: previous.map(|version| version.to_string()),
    };
    Ok(Made { record, blobs, program_mark })
}

fn entry(package: &Package) -> PackageEntry {
    PackageEntry {
        name: package.cpv.category_and_name().to_owned(),
        version: package.cpv.version().to_owned(),
        licence: package.license.clone(),
    }
}

fn component(package: &Package, states: &NodeStates) -> anyhow::Result<Component> {
    let state = states.load(&package_node(&package.cpv)?)?;
    let reference =
        |cpv: &slipway_portage::Cpv| format!("{}@{}", cpv.category_and_name(), cpv.version());
    Ok(Component {
        category: package.cpv.category().to_owned(),
        name: package.cpv.name().to_owned(),
        version: package.cpv.version().to_owned(),
        description: package.description.clone(),
        homepage: package.homepage.clone(),
        licence: package.license.clone(),
        image: state.and_then(|state| state.outputs.get("image").copied()),
        sources: package
            .distfiles
            .iter()
            .map(|source| Source {
                name: source.name.clone(),
                sha512: source.sha512.0.clone(),
                blake2b: source.blake2b.0.clone(),
            })
            .collect(),
        needs: package.edges.rdepend.iter().map(reference).collect(),
    })
}
