//! `test reproducible`: the same bits from two builds that differ in all that must not matter.

use std::sync::Arc;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use slipway_build::{Graph, Kind, NodeId};
use slipway_packages_manifest::DiskFormat;

use crate::{
    cli::{EngineChoice, Global, Reproducible},
    context::Context,
    report,
};

/// Builds in the cache, builds again in another one, and compares what came out.
pub(crate) async fn run(global: Global, args: &Reproducible) -> anyhow::Result<()> {
    let first = Context::new(global.clone())?;
    let base = first.cache.join("work");
    fs_err::create_dir_all(&base)?;
    let fresh = tempfile::Builder::new().prefix("reproducible-").tempdir_in(&base)?;
    let second = match &args.second {
        Some(dir) => dir.clone(),
        None => Utf8PathBuf::try_from(fresh.path().to_owned())?,
    };
    let engine = match first.engine.get().await?.name() {
        "docker" => EngineChoice::Embedded,
        _ if docker_answers(&global).await => EngineChoice::Docker,
        _ => {
            report::say("there is no Docker here, so both builds use the embedded engine");
            EngineChoice::Embedded
        }
    };
    let jobs = Some(first.jobs() + 1);
    let again =
        Context::at(second, Global { engine: Some(engine), jobs, binhost: None, ..global })?;

    let (graph, wanted) = build(&first, args).await?;
    report::say(format_args!("once more, in {}", again.cache));
    build(&again, args).await?;
    compare(&first, &again, &graph, &wanted)
}

async fn docker_answers(global: &Global) -> bool {
    let global = Global { engine: Some(EngineChoice::Docker), ..global.clone() };
    match Context::new(global) {
        Ok(context) => context.engine.get().await.is_ok(),
        Err(_) => false,
    }
}

async fn build(
    context: &Context,
    args: &Reproducible,
) -> anyhow::Result<(Arc<Graph>, Vec<NodeId>)> {
    let (graph, wanted) = if args.atoms.is_empty() {
        let plan = context.image(&context.project.image(&args.image)?, DiskFormat::Raw).await?;
        (plan.graph, vec![plan.nodes.disk])
    } else {
        context.packages(&args.atoms).await?
    };
    context.run(&graph, &wanted).await?;
    Ok((graph, wanted))
}

/// Names every output that differs, and where the first one does.
fn compare(
    first: &Context,
    second: &Context,
    graph: &Graph,
    wanted: &[NodeId],
) -> anyhow::Result<()> {
    let results = (first.results(graph, wanted)?, second.results(graph, wanted)?);
    let (mut same, mut differ) = (0, Vec::new());
    for action in graph.closure(wanted)? {
        if action.kind == Kind::Fetch {
            continue;
        }
        for name in &action.outputs {
            let a = results.0.output(&action.id, name)?;
            let b = results.1.output(&action.id, name)?;
            if a == b {
                same += 1;
                continue;
            }
            let output = format!("{} {name}", action.id);
            if differ.is_empty() {
                let gone = || format!("{output} is not in the store any more");
                let a = first.store.blob(&a)?.with_context(gone)?;
                let b = second.store.blob(&b)?.with_context(gone)?;
                if let Some(difference) = slipway_compare::compare(&a, &b)? {
                    report::say(format_args!("{output}: {difference}"));
                }
            }
            differ.push(output);
        }
    }
    report::say(format_args!("{same} outputs are identical, {} differ", differ.len()));
    anyhow::ensure!(differ.is_empty(), "not reproducible: {}", differ.join(", "));
    Ok(())
}
