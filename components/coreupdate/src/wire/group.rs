//! Groups: the machines that follow a channel together.

use serde::{Deserialize, Serialize};

/// A group; also the body that makes or changes one.
///
/// As the body of a `PATCH`, an empty string or an absent number leaves the value as it is, but an absent boolean
/// means `false`: the stock client reads a group, sets `updatesPaused` to `false` and sends it back, and its JSON
/// library leaves `false` out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Group {
    /// Its application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The name of the channel that it follows.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel_id: String,
    /// Its identifier, which hosts send as their track.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// OEM names that get no updates, separated by commas.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub oem_blacklist: String,
    /// Whether frames move the percentage.
    pub rollout_active: bool,
    /// How much of the group may have the update, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_percent: Option<f64>,
    /// Whether nobody gets an update.
    pub updates_paused: bool,
}

/// The groups of an application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupList {
    /// In the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Group>,
}

/// The percentage of a group. Absent is zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupPercent {
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// 0 to 100.
    pub update_percent: f64,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad, check_read};
    use super::*;

    #[test]
    fn groups() {
        let group = Group {
            app_id: "e9".into(),
            channel_id: "stable".into(),
            id: "g".into(),
            label: "Berlin".into(),
            oem_blacklist: "azure,qemu".into(),
            rollout_active: true,
            update_percent: Some(12.5),
            updates_paused: true,
        };
        check(
            r#"{"appId":"e9","channelId":"stable","id":"g","label":"Berlin","oemBlacklist":"azure,qemu","rolloutActive":true,"updatePercent":12.5,"updatesPaused":true}"#,
            &group,
        );
        check(
            r#"{"items":[{"rolloutActive":false,"updatesPaused":false}]}"#,
            &GroupList { items: vec![Group::default()] },
        );
    }

    #[test]
    fn absent_booleans_are_false() {
        check_read("{}", &Group::default());
        check_read(
            r#"{"updatePercent":5,"updateCount":3}"#,
            &Group { update_percent: Some(5.0), ..Group::default() },
        );
        check_bad::<Group>(r#"{"updatesPaused":"no"}"#);
        check_bad::<Group>(r#"{"updatePercent":"5"}"#);
    }

    #[test]
    fn percentages() {
        check(
            r#"{"appId":"e9","id":"g","updatePercent":50.0}"#,
            &GroupPercent { app_id: "e9".into(), id: "g".into(), update_percent: 50.0 },
        );
        check_read(r#"{"id":"g"}"#, &GroupPercent { id: "g".into(), ..GroupPercent::default() });
    }
}
