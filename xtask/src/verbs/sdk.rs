//! `sdk`: the root file system that everything is built in.

use slipway_seed::{SeedSpec, UpdateOptions};

use crate::{cli::Sdk, context::Context, environment, report};

/// Locks the SDK anew, or makes it.
pub(crate) async fn run(context: &Context, args: &Sdk) -> anyhow::Result<()> {
    match args {
        Sdk::Path => {
            let root = context.sdk().await?;
            report::print(root.dir);
        }
        Sdk::Update => {
            let dir = context.project.seed_dir();
            let spec = SeedSpec::load(&dir)?;
            let options = UpdateOptions {
                mirror: context.mirror()?,
                ca_bundle: context.network()?.ca_bundle,
                now: environment::now(),
            };
            let report = slipway_seed::update(&spec, &options, &report::seed_events).await?;
            report.lock.save(&dir.join("seed.lock"))?;
            let packages = report.lock.packages().len();
            report::say(format_args!(
                "locked {packages} packages of release {}, signed by {}",
                report.release, report.signer
            ));
        }
    }
    Ok(())
}
