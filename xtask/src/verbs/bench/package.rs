//! A package built by us beside the same package built by `emerge` in the SDK root.

use std::{sync::Arc, time::Instant};

use anyhow::Context as _;
use camino::Utf8Path;
use slipway_build::{Action, Input, NodeStates};
use slipway_engine::{Access, CancellationToken, ContainerSpec, Mount};
use slipway_portage::base_spec;
use slipway_store::{Digest, LinkMode, LinkOptions, link_tree};

use super::{Line, median};
use crate::{cli::BenchArgs, context::Context};

/// Short builds, in which what is added shows most.
const PACKAGES: [&str; 3] = ["sys-apps/less", "sys-libs/zlib", "sys-apps/acl"];

pub(super) async fn measure(context: &Context, args: &BenchArgs) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for name in PACKAGES {
        let (graph, wanted) = context.packages(&[name.parse()?]).await?;
        context.run(&graph, &wanted).await?;
        let node = wanted.first().with_context(|| format!("`{name}` was not resolved"))?;
        let action = graph.get(node).context("the graph lost a package")?.clone();
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..args.runs {
            // In turns, so that whatever else the machine does falls on both.
            let begin = Instant::now();
            context.force(&graph, node).await?;
            ours.push(begin.elapsed().as_secs_f64());
            bare.push(emerge(context, &action).await?);
        }
        let added = ours.iter().zip(&bare).map(|(a, b)| a - b).collect();
        lines.push(Line::new(
            format!("time added to `{name}` over the bare `emerge`, which takes {}", median(bare)),
            median(added),
            "≤ 1.5 s",
        ));
    }
    Ok(lines)
}

/// The seconds that `emerge` takes in a container that is there already, with sources and dependencies in place.
async fn emerge(context: &Context, action: &Arc<Action>) -> anyhow::Result<f64> {
    let shared = context.shared().await?;
    let work = tempfile::Builder::new().prefix("bench-").tempdir_in(context.cache.join("work"))?;
    let work = Utf8Path::from_path(work.path()).context("the cache is not UTF-8")?;
    for dir in ["sysroot/usr/bin", "sysroot/usr/lib", "distfiles", "out"] {
        fs_err::create_dir_all(work.join(dir))?;
    }
    for (link, target) in
        [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib"), ("usr/lib64", "lib")]
    {
        fs_err::os::unix::fs::symlink(target, work.join("sysroot").join(link))?;
    }
    for (name, input) in &action.inputs {
        let gone = || format!("the store lost `{name}`");
        if let Some(file) = name.strip_prefix("distfile/") {
            let blob = context.store.blob(&digest(context, input)?)?.with_context(gone)?;
            fs_err::copy(blob, work.join("distfiles").join(file))?;
        } else if name.starts_with("sysroot/") {
            let tree = context.store.tree(&digest(context, input)?)?;
            let options = LinkOptions { mode: LinkMode::HardLink };
            link_tree(&tree, &work.join("sysroot"), &options)?;
        }
    }
    let atom = action.id.to_string();
    let atom = atom.trim_start_matches("package:");
    let mut spec: ContainerSpec = base_spec(&shared.target, "bare");
    // The clock of a build stands still; the kernel's count of seconds since boot does not.
    let script = format!(
        "read -r a _ < /proc/uptime; MAKEOPTS=-j{} emerge --buildpkgonly --nodeps --quiet '={atom}' >&2 && read -r b _ < /proc/uptime && echo \"$a $b\"",
        context.jobs()
    );
    spec.argv = ["/bin/bash", "-c", &script].map(str::to_owned).to_vec();
    let mount = |source: camino::Utf8PathBuf, target: &str, access| Mount {
        source,
        target: target.into(),
        access,
    };
    spec.mounts = vec![
        mount(context.project.root().join("overlays/slipway"), "/repos/slipway", Access::ReadOnly),
        mount(work.join("sysroot"), "/sysroot", Access::ReadOnly),
        mount(work.join("distfiles"), "/distfiles", Access::ReadOnly),
        mount(work.join("out"), "/out", Access::ReadWrite),
    ];
    let (sender, mut output) = tokio::sync::mpsc::channel::<slipway_engine::Chunk>(16);
    let reader = tokio::spawn(async move {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(chunk) = output.recv().await {
            match chunk.stream {
                slipway_engine::Stream::Stdout => out.extend_from_slice(&chunk.data),
                slipway_engine::Stream::Stderr => err.extend_from_slice(&chunk.data),
            }
        }
        (out, err)
    });
    let run = context.engine.get().await?.run(spec, sender, CancellationToken::new()).await?;
    let (out, err) = reader.await?;
    anyhow::ensure!(run.exit.success(), "emerge failed: {}", String::from_utf8_lossy(&err));
    let out = String::from_utf8(out)?;
    let (begin, end) = out.trim().split_once(' ').context("emerge left no times")?;
    Ok(end.parse::<f64>()? - begin.parse::<f64>()?)
}

fn digest(context: &Context, input: &Input) -> anyhow::Result<Digest> {
    match input {
        Input::Digest(digest) => Ok(*digest),
        Input::Output { node, output } => {
            let state = NodeStates::of(&context.store).load(node)?;
            let digest = state.and_then(|state| state.outputs.get(output).copied());
            digest.with_context(|| format!("`{node}` was not built"))
        }
    }
}
