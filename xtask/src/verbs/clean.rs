//! `clean`: give space back.

use slipway_store::CleanPolicy;

use crate::{cli::Clean, context::Context, environment, report};

/// Removes what was not used of late.
pub(crate) fn run(context: &Context, args: &Clean) -> anyhow::Result<()> {
    let lock = context.store.lock("build")?;
    let policy = match args.max_size {
        Some(size) => {
            CleanPolicy { used_since: None, keep: context.store.used_last(size.bytes())? }
        }
        None => {
            let since = environment::now().saturating_sub(args.days * 24 * 60 * 60);
            CleanPolicy { used_since: Some(since), keep: Default::default() }
        }
    };
    let plan = context.store.plan_clean(&policy)?;
    if args.dry_run {
        for item in &plan.items {
            report::print(format_args!("{:>12}  {}", item.bytes, item.path));
        }
    } else {
        context.store.clean(&plan)?;
    }
    drop(lock);
    let said = if args.dry_run { "would go" } else { "removed" };
    report::say(format_args!(
        "{} entries {said}, {} MB",
        plan.items.len(),
        plan.bytes() / 1_000_000
    ));
    Ok(())
}
