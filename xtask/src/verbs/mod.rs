//! The verbs, one file each.

mod bench;
mod build_image;
mod build_packages;
mod ci;
mod clean;
mod manifest;
mod plan;
mod release;
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
        Verb::Tidy(args) if !args.ebuilds => tidy::run(),
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
        Verb::Key(verb) => release::key(&context, &verb).await,
        Verb::Release(args) => release::release_verb(&context, &args).await,
        Verb::Promote(args) => release::promote_verb(&context, &args).await,
        Verb::Sign(args) => release::sign(&context, &args).await,
        Verb::Attest(args) => release::attest(&context, &args).await,
        Verb::Refresh(args) => release::refresh(&context, &args).await,
        Verb::Channel(verb) => release::channel_verb(&context, &verb).await,
        Verb::Ci(args) => ci::ci(&context, &args),
        Verb::Verify(args) => release::verify(&context, &args).await,
        Verb::Manifest(args) => manifest::run(&context, &args).await,
        Verb::Tidy(_) => tidy::ebuilds(&context).await,
        Verb::Test(_) => Ok(()),
    }
}
