//! `plan`, `why` and `fetch`: what would be done, why, and the part that needs the network.

use slipway_build::{Kind, NodeId, State};

use crate::{
    cli::{ImageArgs, Why},
    context::Context,
    report,
};

/// Prints what building the image would do.
pub(crate) async fn plan(context: &Context, args: &ImageArgs) -> anyhow::Result<()> {
    let image = context.project.image(&args.image)?;
    let image = context.image(&image, context.project.platform(&args.platform)?.format).await?;
    let wanted = [image.nodes.format.unwrap_or(image.nodes.disk)];
    let plan = context.plan(&image.graph, &wanted)?;
    if context.global.json {
        report::print(serde_json::to_string(&plan)?);
        return Ok(());
    }
    for step in plan.steps.iter().filter(|step| !step.is_fresh()) {
        report::print(format_args!(
            "{:>7}  {}  {}",
            report::duration(step.estimate_seconds),
            step.id,
            because(&step.state)
        ));
    }
    let counts = plan.counts();
    let estimate = report::duration(plan.estimate_seconds(context.jobs()));
    report::say(format_args!(
        "{} to build, {} perhaps, {} done; about {estimate}",
        counts.stale, counts.unknown, counts.fresh
    ));
    Ok(())
}

fn because(state: &State) -> String {
    match state {
        State::Fresh { .. } => "is up to date".to_owned(),
        State::Stale { reason, .. } => reason.to_string(),
        State::Unknown { waits_for, .. } => {
            let names: Vec<_> = waits_for.iter().map(ToString::to_string).collect();
            format!("may change with {}", names.join(", "))
        }
    }
}

/// Prints why actions whose name holds `name` would run.
pub(crate) async fn why(context: &Context, args: &Why) -> anyhow::Result<()> {
    let image = context.project.image(&args.image.image)?;
    let image =
        context.image(&image, context.project.platform(&args.image.platform)?.format).await?;
    let wanted = [image.nodes.format.unwrap_or(image.nodes.disk)];
    let plan = context.plan(&image.graph, &wanted)?;
    let mut found = false;
    for step in plan.steps.iter().filter(|step| step.id.as_str().contains(&args.name)) {
        found = true;
        report::print(format_args!("{}: {}", step.id, because(&step.state)));
    }
    anyhow::ensure!(
        found,
        "no action of the image `{}` has `{}` in its name",
        args.image.image,
        args.name
    );
    Ok(())
}

/// Downloads the sources of the image.
pub(crate) async fn fetch(context: &Context, args: &ImageArgs) -> anyhow::Result<()> {
    let image = context.project.image(&args.image)?;
    let image = context.image(&image, context.project.platform(&args.platform)?.format).await?;
    let sources: Vec<NodeId> = image
        .graph
        .iter()
        .filter(|action| action.kind == Kind::Fetch)
        .map(|action| action.id.clone())
        .collect();
    context.run(&image.graph, &sources).await?;
    report::say(format_args!("{} sources are there", sources.len()));
    Ok(())
}
