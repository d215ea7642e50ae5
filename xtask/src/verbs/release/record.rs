//! What goes into the record of a release: everything comes from the build graph.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use camino::Utf8PathBuf;
use slipway_build::{Graph, Input};
use slipway_channels::{
    Artefact, Bill, Component, Library, PackageEntry, ROOT_ARTEFACT, ReleaseRecord, Source,
    TestRun, record_digest,
};
use slipway_image::Enrol;
use slipway_packages_manifest::{Atom, DiskFormat, Image, Version};
use slipway_pipeline::{Additions, PayloadSystem, RegistryCrate, SignedPrograms, package_node};
use slipway_portage::Package;
use slipway_signing::KeyMark;
use slipway_store::Digest;

use super::{
    desk::Desk,
    payloads::Payload,
    programs::{self, ProgramSigner},
};
use crate::{
    cli::Release,
    context::{Context, ImagePlan},
    report::say,
    results::Results,
    verbs::test,
};

/// The only architecture so far.
pub(super) const ARCH: &str = "amd64";

/// A record, and the files that it speaks of.
pub(super) struct Made {
    pub(super) record: ReleaseRecord,
    pub(super) blobs: Vec<(String, Digest)>,
}

/// What a build of an image gives to a release.
pub(super) struct Built {
    plan: ImagePlan,
    image: Image,
    /// The digest of the raw disk, which is tested.
    disk: Digest,
    /// The files of the release, by name.
    pub(super) files: Vec<(String, Digest)>,
    /// The root metadata that the image trusts.
    root: Digest,
    /// The programs with their signatures, if they have some.
    signed: Option<SignedPrograms>,
    /// What the key is good for that signed them here.
    pub(super) program_mark: Option<KeyMark>,
    pub(super) usr_root_hash: String,
    /// The key of the action that made the disk.
    pub(super) inputs: String,
    /// What came out of the actions.
    pub(super) results: Results,
}

impl Built {
    /// The name of the image.
    pub(super) fn image_name(&self) -> &str {
        self.image.name.as_str()
    }

    /// What a machine installs of it.
    pub(super) fn payload_system(&self, version: Version) -> PayloadSystem {
        let mut system = PayloadSystem::of_image(ARCH, version, &self.plan.nodes);
        if let Some(signed) = &self.signed {
            system.uki = Input::Digest(signed.uki);
        }
        system
    }

    /// All actions.
    pub(super) fn graph(&self) -> &Arc<Graph> {
        &self.plan.graph
    }

    /// All packages that were resolved, of the image and of what builds it.
    pub(super) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.plan.resolution.packages()
    }
}

/// Whose signatures the programs of an image have.
pub(super) enum Programs<'a> {
    /// Nobody's.
    Unsigned,
    /// Those of this machine.
    Signer(&'a ProgramSigner),
    /// Those of a release.
    Released(&'a ReleaseRecord, &'a Desk),
}

/// Builds an image, which trusts the root metadata `trusted`.
pub(super) async fn build(
    context: &Context,
    name: &str,
    trusted: Vec<u8>,
    programs: Programs<'_>,
) -> anyhow::Result<Built> {
    let image = context.project.image(name)?;
    let trusted = String::from_utf8(trusted).context("the root metadata is no text")?;
    let additions = Additions { trusted: Some(&trusted), programs: None };
    let plan = context.image_with(&image, DiskFormat::Qcow2, additions).await?;
    let (plan, signed, program_mark) = match programs {
        Programs::Unsigned => (plan, None, None),
        Programs::Signer(signer) => {
            let signed =
                signer.sign(context, &image, DiskFormat::Qcow2, &plan, Enrol::Manual).await?;
            (signed.plan, Some(signed.programs), Some(signed.mark))
        }
        Programs::Released(record, desk) => {
            match programs::released(context, desk, record, &plan).await? {
                None => (plan, None, None),
                Some(programs) => {
                    let additions =
                        Additions { trusted: plan.trusted.as_deref(), programs: Some(&programs) };
                    let plan = context.image_with(&image, DiskFormat::Qcow2, additions).await?;
                    (plan, Some(programs), None)
                }
            }
        }
    };
    let qcow2 = plan.nodes.format.clone().context("the plan has no qcow2 disk")?;
    let nodes = &plan.nodes;
    let wanted = [&qcow2, &nodes.disk, &nodes.usr, &nodes.uki].map(Clone::clone);
    context.run(&plan.graph, &wanted).await?;
    let results = context.results(&plan.graph, &wanted)?;
    let files = [
        (&qcow2, "disk.qcow2"),
        (&plan.nodes.usr, "usr.erofs"),
        (&plan.nodes.usr, "usr.verity"),
        (&plan.nodes.uki, "slipway.efi"),
    ];
    let mut files: Vec<(String, Digest)> = files
        .into_iter()
        .map(|(node, name)| Ok((name.to_owned(), results.output(node, name)?)))
        .collect::<anyhow::Result<_>>()?;
    // Signed programs take the place of what was built.
    let own = signed.as_ref().map(programs::artefacts).unwrap_or_default();
    files.retain(|(name, _)| !own.iter().any(|(other, _)| other == name));
    files.extend(own);
    let disk = results.output(&nodes.disk, "disk.raw")?;
    let roothash = results.output(&nodes.usr, "roothash")?;
    let roothash = fs_err::read_to_string(blob(context, &roothash)?)?;
    let inputs = results.key(&nodes.disk)?.to_string();
    Ok(Built {
        plan,
        image,
        disk,
        files,
        root: context.store.put_bytes(trusted.as_bytes())?,
        signed,
        program_mark,
        usr_root_hash: roothash.trim().to_owned(),
        inputs,
        results,
    })
}

/// The file of an output.
pub(super) fn blob(context: &Context, digest: &Digest) -> anyhow::Result<Utf8PathBuf> {
    context.store.blob(digest)?.context("an output was damaged; run the command again")
}

/// Tests what was built if asked, and writes down what came out.
pub(super) async fn make(
    context: &Context,
    args: &Release,
    built: &Built,
    payloads: Vec<Payload>,
    previous: Option<Version>,
) -> anyhow::Result<Made> {
    let artefact = |digest: Digest| -> anyhow::Result<Artefact> {
        let length = fs_err::metadata(blob(context, &digest)?)?.len();
        Ok(Artefact { sha256: record_digest(digest), length })
    };
    let mut blobs = built.files.clone();
    let mut artefacts = BTreeMap::new();
    for (name, digest) in &blobs {
        artefacts.insert(name.clone(), artefact(*digest)?);
    }
    let mut entries = Vec::new();
    for Payload { entry, digest, length } in payloads {
        let artefact = Artefact { sha256: record_digest(digest), length };
        artefacts.insert(entry.artefact.clone(), artefact);
        blobs.push((entry.artefact.clone(), digest));
        entries.push(entry);
    }
    let packages = installed(built);
    let bill = bill(context, built, &packages).await?;
    let provenance = bill.to_provenance(&artefacts)?;
    let described = [
        ("sbom.cdx.json", context.store.put_bytes(&bill.to_cyclonedx()?)?),
        ("provenance.intoto.json", context.store.put_bytes(&provenance)?),
        (ROOT_ARTEFACT, built.root),
    ];
    for (name, digest) in described {
        artefacts.insert(name.to_owned(), artefact(digest)?);
        blobs.push((name.to_owned(), digest));
    }
    let mut tests = BTreeMap::new();
    if args.test && !args.dry_run {
        test_boot(context, built)?;
        tests.insert("boot".to_owned(), TestRun { disk: record_digest(built.disk) });
    }
    let record = ReleaseRecord {
        schema: ReleaseRecord::SCHEMA,
        version: bill.version,
        arch: bill.arch,
        image: bill.image,
        inputs: bill.inputs,
        usr_root_hash: built.usr_root_hash.clone(),
        artefacts,
        payloads: entries,
        packages: packages.iter().map(|package| entry(package)).collect(),
        tests,
        previous: previous.map(|version| version.to_string()),
    };
    Ok(Made { record, blobs })
}

/// Boots the disk, unless it has passed before: a release that was interrupted after its tests does not wait for them again.
fn test_boot(context: &Context, built: &Built) -> anyhow::Result<()> {
    let passed = context.cache.join("tests").join(format!("boot-{}", built.disk));
    if passed.exists() {
        say(format_args!("{} has passed the boot tests before", built.image.name));
        return Ok(());
    }
    say(format_args!("testing {}", built.image.name));
    test::boot_of(built.image.name.as_str(), Some(&blob(context, &built.disk)?))?;
    fs_err::create_dir_all(context.cache.join("tests"))?;
    Ok(fs_err::write(passed, "")?)
}

/// The packages of the image.
fn installed(built: &Built) -> Vec<&Package> {
    let resolution = &built.plan.resolution;
    let roots = built.image.packages.iter().map(Atom::as_str);
    let roots: Vec<_> = roots.filter_map(|atom| resolution.requested(atom)).collect();
    resolution.installed(roots).iter().filter_map(|cpv| resolution.get(cpv)).collect()
}

async fn bill(context: &Context, built: &Built, packages: &[&Package]) -> anyhow::Result<Bill> {
    Ok(Bill {
        image: built.image.name.to_string(),
        version: context.project.release().version.to_string(),
        arch: ARCH.to_owned(),
        inputs: built.inputs.clone(),
        sdk: context.sdk().await?.id,
        root: Some(built.root),
        components: packages
            .iter()
            .map(|package| component(context, package, &built.results))
            .collect::<Result<_, _>>()?,
    })
}

fn entry(package: &Package) -> PackageEntry {
    PackageEntry {
        name: package.cpv.category_and_name().to_owned(),
        version: package.cpv.version().to_owned(),
        licence: package.license.clone(),
    }
}

/// The crates in the programs of a package, if it is of this repository.
fn libraries(context: &Context, package: &Package) -> anyhow::Result<Vec<Library>> {
    let Some(name) = package.workspace_crate() else { return Ok(Vec::new()) };
    let part = context.project.workspace()?.part(&name)?;
    let library = |each: RegistryCrate| Library {
        name: each.name,
        version: each.version,
        sha256: each.sha256.to_string(),
    };
    Ok(part.crates.into_iter().map(library).collect())
}

fn component(context: &Context, package: &Package, results: &Results) -> anyhow::Result<Component> {
    let image = results.output(&package_node(&package.cpv)?, "image")?;
    let reference =
        |cpv: &slipway_portage::Cpv| format!("{}@{}", cpv.category_and_name(), cpv.version());
    Ok(Component {
        category: package.cpv.category().to_owned(),
        name: package.cpv.name().to_owned(),
        version: package.cpv.version().to_owned(),
        description: package.description.clone(),
        homepage: package.homepage.clone(),
        licence: package.license.clone(),
        image: Some(image),
        sources: package
            .distfiles
            .iter()
            .map(|source| Source {
                name: source.name.clone(),
                sha512: source.sha512.0.clone(),
                blake2b: source.blake2b.0.clone(),
            })
            .collect(),
        libraries: libraries(context, package)?,
        needs: package.edges.rdepend.iter().map(reference).collect(),
    })
}
