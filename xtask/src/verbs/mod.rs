//! The verbs, one file each.

mod bench;
mod build_image;
mod build_packages;
mod clean;
mod plan;
mod run;
mod sdk;
mod shell;
mod test;
mod tidy;

use crate::{
    cli::{Cli, Verb},
    context::Context,
};

/// Carries a command line out.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Test(args) => test::run(global, args).await,
        Verb::Tidy => tidy::run(),
        verb => with_context(Context::new(global)?, verb).await,
    }
}

async fn with_context(context: Context, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::BuildImage(args) => build_image::run(&context, &args).await,
        Verb::BuildPackages(args) => build_packages::run(&context, &args).await,
        Verb::Plan(args) => plan::plan(&context, &args).await,
        Verb::Why(args) => plan::why(&context, &args).await,
        Verb::Fetch(args) => plan::fetch(&context, &args).await,
        Verb::Run(args) => run::run(&context, &args).await,
        Verb::Shell(args) => shell::run(&context, &args).await,
        Verb::Sdk(args) => sdk::run(&context, &args).await,
        Verb::Bench(args) => bench::run(&context, &args).await,
        Verb::Clean(args) => clean::run(&context, &args),
        Verb::Test(_) | Verb::Tidy => Ok(()),
    }
}
