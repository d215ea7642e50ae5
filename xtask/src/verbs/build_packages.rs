//! `build-packages`: packages and what they need.

use std::sync::Arc;

use slipway_build::{Graph, NodeId};
use slipway_pipeline::{Planner, package_node};

use crate::{cli::Atoms, context::Context, report};

/// Builds the packages and prints where their binary packages are.
pub(crate) async fn run(context: &Context, args: &Atoms) -> anyhow::Result<()> {
    let shared = context.shared().await?;
    let atoms: Vec<String> = args.atoms.iter().map(ToString::to_string).collect();
    let resolution = context.resolve(&shared, atoms.clone()).await?;
    let planner = Planner {
        project: &context.project,
        resolution: &resolution,
        shared: &shared,
        store: &context.store,
        digests: &context.digests,
    };
    let graph = Arc::new(Graph::new(planner.packages()?)?);
    let chosen = atoms.iter().filter_map(|atom| resolution.requested(atom));
    let wanted: Vec<NodeId> = chosen.map(package_node).collect::<Result<_, _>>()?;
    let outcome = context.run(&graph, &wanted).await?;
    for node in &wanted {
        let digest = outcome.outputs.get(node).and_then(|outputs| outputs.get("gpkg"));
        if let Some(path) = digest.map(|digest| context.store.blob(digest)).transpose()?.flatten() {
            report::print(format_args!("{node} {path}"));
        }
    }
    Ok(())
}
