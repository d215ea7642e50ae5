//! `build-image`: a disk image from source.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use slipway_packages_manifest::DiskFormat;

use super::release::ProgramSigner;
use crate::{
    cli::{BuildImage, Enrol},
    context::Context,
    report,
};

/// Builds the image, links it to `target/images` and says how to start it.
pub(crate) async fn run(context: &Context, args: &BuildImage) -> anyhow::Result<()> {
    let path = build(context, args).await?;
    if context.global.json {
        report::print(format_args!("{{\"image\":\"{path}\"}}"));
        return Ok(());
    }
    report::print(&path);
    let how = match args.secure_boot {
        None => format!("--image {}", args.image.image),
        Some(_) => format!("--secure-boot --disk {path} --state DIR"),
    };
    report::say(format_args!("start it with: cargo xtask run {how}"));
    Ok(())
}

/// Builds the image and gives its path.
pub(crate) async fn build(context: &Context, args: &BuildImage) -> anyhow::Result<Utf8PathBuf> {
    let image = context.project.image(&args.image.image)?;
    let platform = context.project.platform(&args.image.platform)?;
    let plan = context.image(&image, platform.format).await?;
    let plan = match args.secure_boot {
        None => plan,
        Some(enrol) => {
            let enrol = match (enrol, platform.format) {
                (Some(enrol), _) => enrol,
                (None, DiskFormat::Qcow2) => Enrol::IfSafe,
                (None, DiskFormat::Raw) => Enrol::Manual,
            };
            let signer = ProgramSigner::for_development(context)?;
            signer.sign(context, &image, platform.format, &plan, enrol.into()).await?.plan
        }
    };
    let (wanted, output, extension) = match (platform.format, &plan.nodes.format) {
        (DiskFormat::Qcow2, Some(node)) => (node, "disk.qcow2", "qcow2"),
        _ => (&plan.nodes.disk, "disk.raw", "raw"),
    };
    let outcome = context.run(&plan.graph, std::slice::from_ref(wanted)).await?;
    let digest = outcome
        .outputs
        .get(wanted)
        .and_then(|outputs| outputs.get(output))
        .context("the build left no disk")?;
    let blob = context
        .store
        .blob(digest)?
        .context("the disk was damaged after it was built; run the command again")?;
    let version = context.project.release().version;
    let (channel, platform) = (args.channel.as_str(), &args.image.platform);
    let signed = if args.secure_boot.is_some() { "-signed" } else { "" };
    let name = format!("slipway-{}-{version}-{channel}-{platform}{signed}.{extension}", image.name);
    let path = context.project.root().join("target/images").join(name);
    publish(&blob, &path)?;
    Ok(path)
}

/// A link to the store: nothing is copied, and the next build replaces it at once.
fn publish(blob: &Utf8Path, path: &Utf8Path) -> anyhow::Result<()> {
    if fs_err::read_link(path).is_ok_and(|target| target == blob.as_std_path()) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    let aside = path.with_extension("new");
    if aside.is_symlink() {
        fs_err::remove_file(&aside)?;
    }
    fs_err::os::unix::fs::symlink(blob, &aside)?;
    fs_err::rename(&aside, path)?;
    Ok(())
}
