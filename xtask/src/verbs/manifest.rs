//! `manifest`: digests of new sources.

use slipway_build::Graph;
use slipway_pipeline::{ManifestChange, sources_action, update_manifest};
use slipway_portage::parse_sources;

use crate::{cli::ManifestArgs, context::Context, report};

/// Brings Manifests up to date, and says what changed and which address gave it.
pub(crate) async fn run(context: &Context, args: &ManifestArgs) -> anyhow::Result<()> {
    let shared = context.shared().await?;
    let atoms = args.atoms.iter().map(ToString::to_string).collect();
    let (project, digests, store) = (&context.project, &context.digests, &context.store);
    let action = sources_action(project, &shared, digests, store, atoms)?;
    let wanted = action.id.clone();
    let path = context.output(Graph::new(vec![action])?, &wanted, "sources.json").await?;
    let packages = parse_sources(&fs_err::read(path)?)?;
    for package in &packages {
        let changes =
            update_manifest(&project.overlay(), package, &shared.network, &shared.work).await?;
        for change in changes {
            report::print(format_args!("{}: {}", package.name, said(&change)));
        }
    }
    report::say(format_args!("the Manifests of {} packages are up to date", packages.len()));
    Ok(())
}

fn said(change: &ManifestChange) -> String {
    match change {
        ManifestChange::Added { name, size, url } => {
            format!("added {name}, {size} bytes from {url}")
        }
        ManifestChange::Dropped { name } => format!("dropped {name}"),
    }
}
