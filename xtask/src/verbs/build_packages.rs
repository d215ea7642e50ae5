//! `build-packages`: packages and what they need.

use crate::{cli::Atoms, context::Context, report};

/// Builds the packages and prints where their binary packages are.
pub(crate) async fn run(context: &Context, args: &Atoms) -> anyhow::Result<()> {
    let (graph, wanted) = context.packages(&args.atoms).await?;
    let outcome = context.run(&graph, &wanted).await?;
    for node in &wanted {
        let digest = outcome.outputs.get(node).and_then(|outputs| outputs.get("gpkg"));
        if let Some(path) = digest.map(|digest| context.store.blob(digest)).transpose()?.flatten() {
            report::print(format_args!("{node} {path}"));
        }
    }
    Ok(())
}
