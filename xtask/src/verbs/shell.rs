//! `shell`: an interactive shell in the SDK, with the repository mounted.

use std::io::Write as _;

use slipway_engine::{Access, CancellationToken, ContainerSpec, Mount, Stdio, Stream};
use slipway_portage::base_spec;

use crate::{cli::ShellArgs, context::Context};

/// Opens the shell. What is changed outside of `/work` is gone when it ends.
pub(crate) async fn run(context: &Context, args: &ShellArgs) -> anyhow::Result<()> {
    let shared = context.shared().await?;
    let shown = args.mounts.iter().map(|(dir, place)| {
        let source = dir.canonicalize_utf8()?;
        Ok(Mount { source, target: place.clone(), access: Access::ReadOnly })
    });
    let shown = shown.collect::<anyhow::Result<Vec<_>>>()?;
    if !args.command.is_empty() {
        let mut spec = base_spec(&shared.target, "command");
        spec.argv.clone_from(&args.command);
        spec.mounts = shown;
        return command(context, spec).await;
    }
    let root = context.project.root();
    let sysroot = context.cache.join("work/shell-sysroot");
    fs_err::create_dir_all(&sysroot)?;
    let mount = |source: camino::Utf8PathBuf, target: &str| Mount {
        source,
        target: target.into(),
        access: Access::ReadWrite,
    };
    let mut spec = base_spec(&shared.target, "shell");
    // No start-up file: they set another search path, without Portage and the target's compiler, and another prompt.
    spec.argv = ["/bin/bash", "--norc"].map(str::to_owned).to_vec();
    spec.cwd = "/build".into();
    spec.stdio = Stdio::Inherit;
    spec.env.insert("TERM".to_owned(), "xterm-256color".to_owned());
    spec.env.insert("PS1".to_owned(), "slipway:\\w\\$ ".to_owned());
    spec.mounts = vec![
        mount(root.join("overlays/slipway"), "/repos/slipway"),
        mount(root.to_owned(), "/in"),
        mount(sysroot, "/sysroot"),
    ];
    spec.mounts.extend(shown);
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    anyhow::ensure!(run.exit.success(), "the shell ended with {:?}", run.exit);
    Ok(())
}

/// Runs a command, passing on what it writes.
async fn command(context: &Context, spec: ContainerSpec) -> anyhow::Result<()> {
    let (sender, mut output) = tokio::sync::mpsc::channel::<slipway_engine::Chunk>(16);
    let printer = tokio::spawn(async move {
        while let Some(chunk) = output.recv().await {
            match chunk.stream {
                Stream::Stdout => std::io::stdout().write_all(&chunk.data)?,
                Stream::Stderr => std::io::stderr().write_all(&chunk.data)?,
            }
        }
        std::io::stdout().flush()
    });
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    printer.await??;
    anyhow::ensure!(run.exit.success(), "the command ended with {:?}", run.exit);
    Ok(())
}
