//! `rollout`: the frames of a group.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use slipway_coreupdate::wire::{MAX_FRAMES, Rollout as Wire, RolloutActive, linear};

use super::{Context, GroupFlags};
use crate::CtlError;
use crate::client::NOTHING;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Rollout {
    #[command(subcommand)]
    verb: Option<RolloutVerb>,
    #[command(flatten)]
    group: Option<GroupFlags>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RolloutVerb {
    /// Set the frames of a group and start with the first
    #[command(subcommand)]
    Create(Create),
    /// Follow the frames of a group from now on
    Activate(GroupFlags),
    /// Stop following the frames; the percentage stays where it is
    Deactivate(GroupFlags),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Create {
    /// Go from 0 to 100 % in equal steps
    Linear(Linear),
}

#[derive(Debug, Args)]
pub(crate) struct Linear {
    #[command(flatten)]
    group: GroupFlags,
    /// Seconds from 0 to 100 %
    #[arg(long, default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..))]
    duration: u32,
    /// Seconds of one step
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    frame_size: u32,
}

fn describe(rollout: &Wire) -> String {
    let mut text = "rollout:\n".to_owned();
    for (index, frame) in rollout.rollout.iter().enumerate() {
        // Writing to a string does not fail.
        let _infallible = writeln!(
            text,
            "Frame {index}:\tPercent:\t{:.6}\n\t\tDuration:\t{}",
            frame.percent, frame.duration
        );
    }
    text
}

impl Rollout {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        match (self.verb, self.group) {
            (Some(RolloutVerb::Create(Create::Linear(linear))), _) => linear.run(context).await,
            (Some(RolloutVerb::Activate(group)), _) => {
                set_active(
                    context,
                    group,
                    RolloutActive { active: true, ..RolloutActive::default() },
                )
                .await
            }
            (Some(RolloutVerb::Deactivate(group)), _) => {
                set_active(context, group, RolloutActive::default()).await
            }
            (None, Some(GroupFlags { app_id, group_id })) => {
                let Context { client, settings, streams } = context;
                let rollout: Wire = client
                    .call("update.group.rollout.get", &[&app_id, &group_id], &[], NOTHING)
                    .await?;
                if settings.json {
                    streams.json(&rollout)
                } else {
                    streams.text(&describe(&rollout))
                }
            }
            (None, None) => Err(CtlError::usage(
                "give `--app-id` and `--group-id`, or one of create, activate, deactivate",
            )),
        }
    }
}

impl Linear {
    async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let Self { group: GroupFlags { app_id, group_id }, duration, frame_size } = self;
        let rollout = linear(duration, frame_size);
        if rollout.is_empty() {
            return Err(CtlError::usage(format!(
                "a rollout has fewer than {MAX_FRAMES} frames; give a larger `--frame-size`"
            )));
        }
        let body = Wire { app_id: app_id.clone(), group_id: group_id.clone(), rollout };
        let set: Wire = client
            .call("update.group.rollout.set", &[&app_id, &group_id], &[], Some(&body))
            .await?;
        streams.say(settings, &set, "rollout set")
    }
}

async fn set_active(
    context: Context<'_, '_>,
    group: GroupFlags,
    body: RolloutActive,
) -> Result<(), CtlError> {
    let Context { client, settings, streams } = context;
    let GroupFlags { app_id, group_id } = group;
    let set: RolloutActive = client
        .call("update.group.rollout.active.set", &[&app_id, &group_id], &[], Some(&body))
        .await?;
    streams.say(
        settings,
        &set,
        if set.active { "rollout activated" } else { "rollout deactivated" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_described_as_the_ancestor_did() {
        let rollout = Wire { rollout: linear(60, 60), ..Wire::default() };
        assert_eq!(
            describe(&rollout),
            "rollout:\nFrame 0:\tPercent:\t100.000000\n\t\tDuration:\t60\nFrame 1:\tPercent:\t100.000000\n\t\tDuration:\t0\n"
        );
    }
}
