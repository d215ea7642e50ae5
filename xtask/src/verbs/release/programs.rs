//! Signing the programs that firmware starts, after they were built: no action knows a key.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp as Time;
use slipway_build::NodeId;
use slipway_channels::ReleaseRecord;
use slipway_image::{BOOT_LOADER, Enrol};
use slipway_packages_manifest::{DiskFormat, Image};
use slipway_pipeline::{Additions, SignedPrograms, boot_loader};
use slipway_signing::{
    BootKeyring, BootRole, BootSources, Enrolment, KeyMark, KeyName, Roles, program_digest,
    sign_program,
};
use slipway_store::{Digest, Fetched};

use super::{
    desk::{self, Desk},
    holders::{new_passphrase, passphrase},
};
use crate::{
    context::{Context, ImagePlan},
    environment,
    report::say,
};

/// The unified kernel image, as releases and actions call it.
const UKI: &str = "slipway.efi";

/// The files of a release that stand for signed programs; no other one belongs on a disk.
const FILES: [&str; 5] = [UKI, BOOT_LOADER, "PK.auth", "KEK.auth", "db.auth"];

/// The keys of Secure Boot on this machine.
pub(crate) struct ProgramSigner {
    sources: BootSources,
    dir: Utf8PathBuf,
}

/// An image with signed programs, planned.
pub(crate) struct SignedImage {
    pub(crate) plan: ImagePlan,
    pub(crate) programs: SignedPrograms,
    /// What the key is good for that signed them.
    pub(crate) mark: KeyMark,
}

/// The files of a release that stand for signed programs: with them, everybody can make the disk again.
pub(super) fn artefacts(programs: &SignedPrograms) -> Vec<(String, Digest)> {
    let own = [(UKI, programs.uki), (BOOT_LOADER, programs.boot_loader)];
    let own = own.map(|(name, digest)| (name.to_owned(), digest));
    own.into_iter().chain(programs.enrolment.iter().cloned()).collect()
}

/// The signed programs of a release, brought into the local store. They must be what is built here, but for their signatures.
/// `None` when the release has none.
pub(super) async fn released(
    context: &Context,
    desk: &Desk,
    record: &ReleaseRecord,
    plan: &ImagePlan,
) -> anyhow::Result<Option<SignedPrograms>> {
    if !record.artefacts.contains_key(BOOT_LOADER) {
        return Ok(None);
    }
    let mut found = BTreeMap::new();
    for (name, artefact) in &record.artefacts {
        if FILES.contains(&name.as_str()) {
            let digest: Digest = artefact.sha256.to_string().parse()?;
            let fetched = desk.repository.remote().fetch(&context.store, &digest).await?;
            anyhow::ensure!(
                matches!(fetched, Fetched::Present | Fetched::Fetched),
                "{name} of the release is lost or damaged in the repository"
            );
            found.insert(name.clone(), digest);
        }
    }
    let built = BuiltPrograms::of(context, plan).await?;
    for (name, own) in [(UKI, &built.uki), (BOOT_LOADER, &built.boot_loader)] {
        let theirs = found.get(name).with_context(|| format!("the release has no {name}"))?;
        let theirs = context.store.blob(theirs)?.context("a program was damaged; run it again")?;
        anyhow::ensure!(
            program_digest(&fs_err::read(theirs)?)? == program_digest(own)?,
            "{name} of the release is another program than the one that these sources make"
        );
    }
    let mut take = |name: &str| found.remove(name).with_context(|| format!("no {name}"));
    let (uki, boot_loader) = (take(UKI)?, take(BOOT_LOADER)?);
    let enrolment = found.into_iter().collect();
    Ok(Some(SignedPrograms { uki, boot_loader, enrolment, enrol: Enrol::Manual }))
}

/// The programs of an image as they are built.
struct BuiltPrograms {
    uki: Vec<u8>,
    boot_loader: Vec<u8>,
}

impl BuiltPrograms {
    async fn of(context: &Context, plan: &ImagePlan) -> anyhow::Result<Self> {
        let nodes = [plan.nodes.uki.clone(), plan.nodes.systemd.clone()];
        let outcome = context.run(&plan.graph, &nodes).await?;
        let find = |node: &NodeId, name: &str| -> anyhow::Result<Digest> {
            let found = outcome.outputs.get(node).and_then(|outputs| outputs.get(name)).copied();
            found.with_context(|| format!("`{node}` left no {name}"))
        };
        let uki = context.store.blob(&find(&nodes[0], UKI)?)?;
        let uki = fs_err::read(uki.context("the UKI was damaged; run the command again")?)?;
        let boot_loader = boot_loader(&context.store, &find(&nodes[1], "image")?)?;
        Ok(Self { uki, boot_loader })
    }
}

impl ProgramSigner {
    /// The keys that `roles.toml` names, in a folder; `None` if it names none.
    pub(super) fn new(roles: &Roles, dir: &Utf8Path) -> Option<Self> {
        let sources = roles.secure_boot.clone()?;
        Some(Self { sources, dir: dir.to_owned() })
    }

    /// The keys of this user; some for development are made if there are none.
    pub(crate) fn for_development(context: &Context) -> anyhow::Result<Self> {
        let roles = desk::roles(context)?;
        let dir = desk::key_folder(None)?;
        let signer = Self::new(&roles, &dir).context(
            "signing/roles.toml has no `[secure-boot]`, so there is nothing to sign with",
        )?;
        let made = signer.create_missing(KeyMark::Development, desk::now()?)?;
        if made > 0 {
            say(format_args!("made {made} keys of Secure Boot for development in {dir}"));
        }
        Ok(signer)
    }

    fn ring(&self) -> BootKeyring<'_> {
        BootKeyring {
            sources: &self.sources,
            dir: self.dir.clone(),
            environment: &environment::key,
        }
    }

    /// The roles, and whether their keys are here.
    pub(super) fn list(&self) -> Vec<(BootRole, bool)> {
        let ring = self.ring();
        BootRole::ALL.into_iter().map(|role| (role, ring.has(role))).collect()
    }

    /// Makes the keys that are not there, and the files that enrol their certificates; says how many keys.
    pub(super) fn create_missing(&self, mark: KeyMark, time: Time) -> anyhow::Result<usize> {
        let ring = self.ring();
        let missing = |role: &BootRole| !ring.has(*role) && !ring.has_certificate(*role);
        let missing: Vec<BootRole> = BootRole::ALL.into_iter().filter(missing).collect();
        let secret = if missing.is_empty() { None } else { new_passphrase(mark)? };
        for role in &missing {
            ring.create(*role, mark, secret.as_ref().map(|text| text.as_str()))?;
        }
        self.enrol_if_possible(time)?;
        Ok(missing.len())
    }

    /// Replaces keys of Secure Boot, and says where the old ones are.
    pub(super) fn replace(
        &self,
        names: &[KeyName],
        mark: KeyMark,
        time: Time,
    ) -> anyhow::Result<()> {
        let ring = self.ring();
        let secret = new_passphrase(mark)?;
        for role in names.iter().filter_map(BootRole::of_key) {
            say(format_args!("the old key is `{}`", ring.retire(role)?));
            ring.create(role, mark, secret.as_ref().map(|text| text.as_str()))?;
        }
        // Whoever has the other keys makes the files.
        if ring.has(BootRole::Pk) && ring.has(BootRole::Kek) {
            ring.enrol(&mut passphrase, time)?;
        } else {
            say(
                "the files for enrolment are of the old keys; the holder of PK and KEK makes new ones",
            );
        }
        Ok(())
    }

    /// The files that enrol the certificates, made if they are not there and their keys are.
    fn enrol_if_possible(&self, time: Time) -> anyhow::Result<Option<Enrolment>> {
        let ring = self.ring();
        if let Some(enrolment) = ring.enrolment()? {
            return Ok(Some(enrolment));
        }
        let possible = ring.has(BootRole::Pk) && ring.has(BootRole::Kek);
        if !possible || !ring.has_certificate(BootRole::Db) {
            return Ok(None);
        }
        Ok(Some(ring.enrol(&mut passphrase, time)?))
    }

    /// Builds the programs of an image, signs them, and plans a disk with them.
    pub(crate) async fn sign(
        &self,
        context: &Context,
        image: &Image,
        format: DiskFormat,
        plan: &ImagePlan,
        enrol: Enrol,
    ) -> anyhow::Result<SignedImage> {
        let built = BuiltPrograms::of(context, plan).await?;
        let ring = self.ring();
        let enrolment = ring.enrolment()?.with_context(|| {
            format!("`{}` has no files for enrolment; the holder of PK and KEK makes them: cargo xtask key init", self.dir)
        })?;
        let key = ring.open(BootRole::Db, &mut passphrase)?;
        anyhow::ensure!(
            enrolment.enrols(BootRole::Db, key.certificate()),
            "`{}` has a db.auth of another certificate than the one of the key that signs, so no machine would start the programs; the holder of PK and KEK makes a new one: cargo xtask key init",
            self.dir
        );
        let put = |bytes: &[u8]| context.store.put_bytes(bytes);
        let programs = SignedPrograms {
            uki: put(&sign_program(&built.uki, &key)?)?,
            boot_loader: put(&sign_program(&built.boot_loader, &key)?)?,
            enrolment: enrolment
                .files()
                .map(|(name, bytes)| Ok((name.to_owned(), put(bytes)?)))
                .collect::<anyhow::Result<_>>()?,
            enrol,
        };
        let additions = Additions { trusted: plan.trusted.as_deref(), programs: Some(&programs) };
        let plan = context.image_with(image, format, additions).await?;
        Ok(SignedImage { plan, programs, mark: key.mark() })
    }
}
