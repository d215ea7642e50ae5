//! `run`: an image in QEMU, with a console, user networking and an ssh port.

use camino::Utf8Path;
use slipway_engine::{Access, CancellationToken, Mount, Network, Stdio};
use slipway_portage::base_spec;

use super::build_image;
use crate::{
    cli::{Arch, BuildImage, Channel, RunArgs},
    context::Context,
    report,
};

/// Builds the image if it is not there, and boots it. Ctrl-A X ends it.
pub(crate) async fn run(context: &Context, args: &RunArgs) -> anyhow::Result<()> {
    let build =
        BuildImage { image: args.image.clone(), channel: Channel::Alpha, arch: Arch::Amd64 };
    let image = build_image::build(context, &build).await?;
    let shared = context.shared().await?;
    let dir = context.cache.join("work/run");
    fs_err::create_dir_all(&dir)?;
    let blob = image.canonicalize_utf8()?;
    let mut spec = base_spec(&shared.target, "run");
    spec.argv = ["/bin/bash", "-c", include_str!("run.sh"), "run"].map(str::to_owned).to_vec();
    let key = args.ssh_key.as_deref().map(fs_err::read_to_string).transpose()?.unwrap_or_default();
    let format = if image.extension() == Some("qcow2") { "qcow2" } else { "raw" };
    let numbers = [
        args.ssh_port.to_string(),
        args.memory.to_string(),
        format!("{}G", args.disk),
        context.jobs().to_string(),
    ];
    spec.argv.extend([format.to_owned(), key.trim().to_owned()].into_iter().chain(numbers));
    spec.env.remove("LD_PRELOAD");
    spec.env.insert("TERM".to_owned(), "xterm-256color".to_owned());
    spec.network = Network::Host;
    spec.stdio = Stdio::Inherit;
    let mount = |source: &Utf8Path, target: &str, access| Mount {
        source: source.to_owned(),
        target: target.into(),
        access,
    };
    spec.mounts =
        vec![mount(&blob, "/in/disk", Access::ReadOnly), mount(&dir, "/out", Access::ReadWrite)];
    report::say(format_args!(
        "the console follows; Ctrl-A X ends it; ssh -p {} core@localhost",
        args.ssh_port
    ));
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    anyhow::ensure!(run.exit.success(), "QEMU ended with {:?}", run.exit);
    Ok(())
}
