//! The frames of a group.

use axum::{Json, Router};
use slipway_coreupdate::wire::{
    Frame as WireFrame, MAX_FRAMES, Rollout, RolloutActive, RolloutSetReq,
};

use super::{
    Answer, Call, Failure, NoBody,
    groups::{named, set_active},
    mount,
};
use crate::{
    app::App,
    policy::{Frame, Policy},
    store::Group,
};

/// How long the last frame of CoreUpdate, which has no length, is here.
const END_SECONDS: u64 = 1;

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.group.rollout.get", show);
    let router = mount(router, "update.group.rollout.set", set);
    let router = mount(router, "update.group.rollout.active.get", show_active);
    mount(router, "update.group.rollout.active.set", set_active_call)
}

fn wire(group: &Group) -> Rollout {
    let frames = &group.policy.rollout.frames;
    let frame = |(index, frame): (usize, &Frame)| {
        let end = index + 1 == frames.len() && frame.seconds == END_SECONDS;
        let duration = if end { 0 } else { i64::try_from(frame.seconds).unwrap_or(i64::MAX) };
        WireFrame { duration, percent: frame.percent }
    };
    Rollout {
        app_id: group.app.to_string(),
        group_id: group.id.to_string(),
        rollout: frames.iter().enumerate().map(frame).collect(),
    }
}

/// Frames as they are kept. Only the last may have no length: there the rollout ends.
fn stored(frames: &[WireFrame]) -> Result<Vec<Frame>, Failure> {
    if frames.is_empty() || frames.len() > MAX_FRAMES {
        return Err(Failure::bad(format!(
            "a rollout has 1 to {MAX_FRAMES} frames, not {}",
            frames.len()
        )));
    }
    let frame = |(index, frame): (usize, &WireFrame)| {
        let seconds = match u64::try_from(frame.duration) {
            Ok(0) if index + 1 == frames.len() => END_SECONDS,
            Ok(seconds) if seconds > 0 => seconds,
            _ => {
                let problem = format!(
                    "frame {index} has a `duration` of {}; only the last may have none",
                    frame.duration
                );
                return Err(Failure::bad(problem));
            }
        };
        Ok(Frame { seconds, percent: frame.percent })
    };
    frames.iter().enumerate().map(frame).collect()
}

async fn show(call: Call<NoBody>) -> Answer<Rollout> {
    Ok(Json(wire(&named(&call, "groupId").await?)))
}

/// Sets the frames and starts with the first.
async fn set(call: Call<RolloutSetReq>) -> Answer<Rollout> {
    let group = named(&call, "groupId").await?;
    let frames = stored(&call.body.clone().frames())?;
    let now = call.by.at;
    let change = move |policy: &mut Policy| {
        policy.rollout.frames = frames;
        policy.rollout.since = Some(now);
    };
    let group = call.app.store.change_policy(&call.by, &group.app, &group.id, change).await?;
    Ok(Json(wire(&group)))
}

fn wire_active(group: &Group) -> RolloutActive {
    let active = group.policy.rollout.since.is_some();
    RolloutActive { active, app_id: group.app.to_string(), group_id: group.id.to_string() }
}

async fn show_active(call: Call<NoBody>) -> Answer<RolloutActive> {
    Ok(Json(wire_active(&named(&call, "groupId").await?)))
}

async fn set_active_call(call: Call<RolloutActive>) -> Answer<RolloutActive> {
    let group = named(&call, "groupId").await?;
    let (active, now) = (call.body.active, call.by.at);
    let change = |group: &mut Group| set_active(&mut group.policy, active, now);
    let group = call.app.store.change_group(&call.by, &group.app, &group.id, change).await?;
    Ok(Json(wire_active(&group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frames: &[(i64, f64)], expected: Option<&[(u64, f64)]>) {
        let frames: Vec<WireFrame> = frames
            .iter()
            .map(|(duration, percent)| WireFrame { duration: *duration, percent: *percent })
            .collect();
        let stored = stored(&frames).ok();
        let stored: Option<Vec<_>> = stored
            .map(|frames| frames.iter().map(|frame| (frame.seconds, frame.percent)).collect());
        assert_eq!(stored.as_deref(), expected);
    }

    #[test]
    fn only_the_last_frame_may_have_no_length() {
        check(&[(60, 50.0), (0, 100.0)], Some(&[(60, 50.0), (1, 100.0)]));
        check(&[(60, 50.0), (60, 100.0)], Some(&[(60, 50.0), (60, 100.0)]));
        check(&[(0, 100.0)], Some(&[(1, 100.0)]));
        check(&[(0, 50.0), (60, 100.0)], None);
        check(&[(-1, 50.0)], None);
        check(&[], None);
        check(&vec![(1, 1.0); MAX_FRAMES + 1], None);
    }

    #[test]
    fn frames_are_shown_as_they_were_set() {
        let set = slipway_coreupdate::wire::linear(300, 60);
        let mut group = Group::new("e9".parse().unwrap(), "g".parse().unwrap(), "g");
        group.policy.rollout.frames = stored(&set).unwrap();
        assert_eq!(wire(&group).rollout, set);
    }
}
