//! `run`: an image in QEMU, with a console, user networking and an ssh port.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
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
    let image = if let Some(disk) = &args.disk {
        disk.clone()
    } else {
        let build = BuildImage {
            image: args.image.clone(),
            channel: Channel::Alpha,
            arch: Arch::Amd64,
            secure_boot: None,
        };
        build_image::build(context, &build).await?
    };
    let format = if image.extension() == Some("qcow2") { "qcow2" } else { "raw" };
    let image = image.canonicalize_utf8().with_context(|| format!("there is no disk `{image}`"))?;
    let mut credentials = args.credentials.clone();
    if let Some(wrong) = credentials.iter().find(|credential| !credential.contains('=')) {
        anyhow::bail!("`--credential {wrong}` is not of the form NAME=VALUE");
    }
    if let Some(path) = &args.ssh_key {
        let key = fs_err::read_to_string(path)?;
        credentials.push(format!("ssh.authorized_keys.core={}", key.trim()));
    }
    if let Some(server) = &args.update_server {
        // systemd-tmpfiles writes it, at every boot.
        let text = format!(r#"server = "{server}"\nchannel = "{}"\n"#, Channel::Alpha.as_str());
        let file = "/run/slipway/update.d/50-run.toml";
        credentials.push(format!("tmpfiles.extra=f {file} 0644 root root - {text}"));
    }
    // Without a folder of the user's, the guest starts anew each time, and two guests do not meet.
    fs_err::create_dir_all(context.cache.join("work"))?;
    let fresh = tempfile::Builder::new().prefix("run-").tempdir_in(context.cache.join("work"))?;
    let state = match &args.state {
        Some(dir) => {
            fs_err::create_dir_all(dir)?;
            dir.canonicalize_utf8()?
        }
        None => Utf8PathBuf::try_from(fresh.path().to_owned())?,
    };

    let shared = context.shared().await?;
    let mut spec = base_spec(&shared.target, "run");
    spec.argv = ["/bin/bash", "-c", include_str!("run.sh"), "run"].map(str::to_owned).to_vec();
    let numbers = [
        args.ssh_port.to_string(),
        args.memory.to_string(),
        format!("{}G", args.disk_size),
        context.jobs().to_string(),
        args.secure_boot.to_string(),
    ];
    spec.argv.extend([format.to_owned()].into_iter().chain(numbers).chain(credentials));
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
        vec![mount(&image, "/in/disk", Access::ReadOnly), mount(&state, "/out", Access::ReadWrite)];
    report::say(format_args!(
        "the console follows; Ctrl-A X ends it; ssh -p {} core@localhost",
        args.ssh_port
    ));
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    anyhow::ensure!(run.exit.success(), "QEMU ended with {:?}", run.exit);
    Ok(())
}
