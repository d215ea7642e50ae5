//! Rollouts: a list of frames, each a percentage and how long it holds.

use serde::{Deserialize, Serialize};

use super::number::{self, is_false, is_zero};

/// The most frames that a rollout may have: a week in steps of a minute.
pub const MAX_FRAMES: usize = 10_080;

/// One step of a rollout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// How long it holds, in seconds. Zero ends the rollout.
    #[serde(with = "number", skip_serializing_if = "is_zero")]
    pub duration: i64,
    /// How much of the group may have the update meanwhile, 0 to 100.
    pub percent: f64,
}

/// The frames of a group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rollout {
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// In order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Frame>,
}

/// Sets the frames of a group. The published schema nests them, the stock client does not; both are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RolloutSetReq {
    /// The nested form.
    #[serde(rename = "Rollout", skip_serializing_if = "Option::is_none")]
    pub nested: Option<Rollout>,
    /// The application, if the path does not say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The group, if the path does not say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// The form of the stock client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Frame>,
}

impl RolloutSetReq {
    /// The frames, in whichever form they came.
    pub fn frames(self) -> Vec<Frame> {
        if !self.rollout.is_empty() {
            return self.rollout;
        }
        self.nested.map(|nested| nested.rollout).unwrap_or_default()
    }
}

/// Whether frames move the percentage of a group. Absent is `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RolloutActive {
    /// Whether they do.
    #[serde(skip_serializing_if = "is_false")]
    pub active: bool,
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
}

/// Frames of equal length and equal steps that reach 100 % after `duration` seconds, and one of no length that ends
/// the rollout there. The last step may be shorter. Empty if there is nothing to divide or if there were more than
/// [`MAX_FRAMES`].
pub fn linear(duration: u32, frame: u32) -> Vec<Frame> {
    if duration == 0 || frame == 0 || duration.div_ceil(frame) as usize >= MAX_FRAMES {
        return Vec::new();
    }
    let steps = duration.div_ceil(frame);
    let step = |number: u32| Frame {
        duration: i64::from(frame.min(duration - frame * number)),
        percent: f64::from(number + 1) * 100.0 / f64::from(steps),
    };
    (0..steps).map(step).chain([Frame { duration: 0, percent: 100.0 }]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{check, check_bad, check_read};
    use super::*;

    #[test]
    fn rollouts() {
        let rollout = Rollout {
            app_id: "e9".into(),
            group_id: "g".into(),
            rollout: vec![
                Frame { duration: 60, percent: 50.0 },
                Frame { duration: 0, percent: 100.0 },
            ],
        };
        check(
            r#"{"appId":"e9","groupId":"g","rollout":[{"duration":"60","percent":50.0},{"percent":100.0}]}"#,
            &rollout,
        );
        check_read(
            r#"{"rollout":[{"duration":60}]}"#,
            &Rollout { rollout: vec![Frame { duration: 60, percent: 0.0 }], ..Rollout::default() },
        );
        check_bad::<Rollout>(r#"{"rollout":{"duration":"60"}}"#);
        check_bad::<Frame>(r#"{"duration":"1m"}"#);
    }

    #[test]
    fn frames_may_come_nested_or_not() {
        let frames = vec![Frame { duration: 60, percent: 50.0 }];
        for json in [
            r#"{"rollout":[{"duration":"60","percent":50}]}"#,
            r#"{"Rollout":{"rollout":[{"duration":"60","percent":50}]}}"#,
        ] {
            assert_eq!(
                serde_json::from_str::<RolloutSetReq>(json).unwrap().frames(),
                frames,
                "{json}"
            );
        }
        assert_eq!(RolloutSetReq::default().frames(), []);
    }

    #[test]
    fn an_absent_active_is_false() {
        check(
            r#"{"active":true,"appId":"e9"}"#,
            &RolloutActive { active: true, app_id: "e9".into(), ..RolloutActive::default() },
        );
        check("{}", &RolloutActive::default());
    }

    fn check_linear(duration: u32, frame: u32, expected: &[(i64, f64)]) {
        let frames: Vec<(i64, f64)> = linear(duration, frame)
            .into_iter()
            .map(|frame| (frame.duration, frame.percent))
            .collect();
        assert_eq!(frames, expected, "{duration} in steps of {frame}");
    }

    #[test]
    fn a_linear_rollout() {
        check_linear(120, 60, &[(60, 50.0), (60, 100.0), (0, 100.0)]);
        check_linear(100, 60, &[(60, 50.0), (40, 100.0), (0, 100.0)]);
        check_linear(30, 60, &[(30, 100.0), (0, 100.0)]);
        check_linear(0, 60, &[]);
        check_linear(60, 0, &[]);
        check_linear(u32::MAX, 1, &[]);
        assert_eq!(linear(86_400, 60).len(), 1441);
    }

    proptest! {
        #[test]
        fn a_linear_rollout_takes_its_time_and_never_shrinks(duration in 1u32..1_000_000, frame in 100u32..100_000) {
            let frames = linear(duration, frame);
            prop_assert_eq!(frames.iter().map(|frame| frame.duration).sum::<i64>(), i64::from(duration));
            prop_assert!(frames.windows(2).all(|pair| pair[0].percent <= pair[1].percent));
            prop_assert_eq!(frames.last().map(|frame| (frame.duration, frame.percent)), Some((0, 100.0)));
        }
    }
}
