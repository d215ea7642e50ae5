//! The names and types of the JSON forms, for the discovery document. A test holds them to the types of `wire`.

/// The type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Time,
    /// 64 bits, in a string.
    Long,
    /// 32 bits, a number.
    Int,
    Double,
    Bool,
    /// Another schema.
    One(&'static str),
    /// A list of another schema.
    Many(&'static str),
}

use Kind::{Bool, Double, Int, Long, Many, One, Text, Time};

/// A JSON form: its name, and its properties by name.
pub(crate) type Schema = (&'static str, &'static [(&'static str, Kind)]);

const APP: &[(&str, Kind)] = &[("description", Text), ("id", Text), ("label", Text)];

/// All forms, by name.
pub(crate) const SCHEMAS: &[Schema] = &[
    ("AdminListUsersResp", &[("users", Many("AdminUser"))]),
    ("AdminUser", &[("token", Text), ("user", Text)]),
    ("AdminUserReq", &[("userName", Text)]),
    ("App", APP),
    (
        "AppChannel",
        &[
            ("appId", Text),
            ("dateCreated", Time),
            ("label", Text),
            ("publish", Bool),
            ("upstream", Text),
            ("version", Text),
        ],
    ),
    ("AppInsertReq", APP),
    ("AppListResp", &[("items", Many("App"))]),
    ("AppUpdateReq", APP),
    ("AppVersionItem", &[("appId", Text), ("count", Int), ("groupId", Text), ("version", Text)]),
    ("AppVersionList", &[("items", Many("AppVersionItem"))]),
    ("ChannelListResp", &[("items", Many("AppChannel"))]),
    ("ChannelRequest", &[("appId", Text), ("label", Text), ("publish", Bool), ("version", Text)]),
    ("ClientCountResp", &[("count", Int)]),
    (
        "ClientHistoryItem",
        &[
            ("dateTime", Long),
            ("errorCode", Text),
            ("eventResult", Text),
            ("eventType", Text),
            ("groupId", Text),
            ("installSource", Text),
            ("version", Text),
        ],
    ),
    ("ClientHistoryResp", &[("items", Many("ClientHistoryItem"))]),
    (
        "ClientUpdate",
        &[
            ("appId", Text),
            ("clientId", Text),
            ("errorCode", Text),
            ("eventResult", Text),
            ("eventType", Text),
            ("groupId", Text),
            ("lastSeen", Time),
            ("oem", Text),
            ("version", Text),
        ],
    ),
    ("ClientUpdateList", &[("items", Many("ClientUpdate"))]),
    ("Frame", &[("duration", Long), ("percent", Double)]),
    ("GenerateUuidResp", &[("uuid", Text)]),
    (
        "Group",
        &[
            ("appId", Text),
            ("channelId", Text),
            ("id", Text),
            ("label", Text),
            ("oemBlacklist", Text),
            ("rolloutActive", Bool),
            ("updatePercent", Double),
            ("updatesPaused", Bool),
        ],
    ),
    ("GroupList", &[("items", Many("Group"))]),
    ("GroupPercent", &[("appId", Text), ("id", Text), ("updatePercent", Double)]),
    (
        "GroupRequestsItem",
        &[
            ("result", Text),
            ("type", Text),
            ("values", Many("GroupRequestsValues")),
            ("version", Text),
        ],
    ),
    ("GroupRequestsRollup", &[("items", Many("GroupRequestsItem"))]),
    ("GroupRequestsValues", &[("count", Long), ("timestamp", Long)]),
    (
        "Package",
        &[
            ("appId", Text),
            ("dateCreated", Time),
            ("metadataSignatureRsa", Text),
            ("metadataSize", Text),
            ("releaseNotes", Text),
            ("required", Bool),
            ("sha1Sum", Text),
            ("sha256Sum", Text),
            ("size", Text),
            ("url", Text),
            ("version", Text),
        ],
    ),
    ("PackageList", &[("items", Many("Package")), ("total", Int)]),
    ("PublicPackageItem", &[("AppId", Text), ("packages", Many("Package"))]),
    ("PublicPackageList", &[("items", Many("PublicPackageItem"))]),
    ("Rollout", &[("appId", Text), ("groupId", Text), ("rollout", Many("Frame"))]),
    ("RolloutActive", &[("active", Bool), ("appId", Text), ("groupId", Text)]),
    (
        "RolloutSetReq",
        &[
            ("Rollout", One("Rollout")),
            ("appId", Text),
            ("groupId", Text),
            ("rollout", Many("Frame")),
        ],
    ),
    ("Upstream", &[("id", Text), ("label", Text), ("url", Text)]),
    ("UpstreamListResp", &[("items", Many("Upstream"))]),
    ("UpstreamSyncResp", &[("detail", Text), ("status", Text)]),
];

/// The properties of a form.
#[cfg(test)]
pub(crate) fn properties(name: &str) -> Option<&'static [(&'static str, Kind)]> {
    SCHEMAS.iter().find(|(known, _)| *known == name).map(|(_, properties)| *properties)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::METHODS;
    use crate::wire;

    /// A value of a form with every property set.
    fn full(name: &str) -> Value {
        let value = |kind: &Kind| match kind {
            Text => json!("text"),
            Time => json!("2026-11-25T22:00:00Z"),
            Long => json!("7"),
            Int => json!(7),
            Double => json!(7.5),
            Bool => json!(true),
            One(name) => full(name),
            Many(name) => json!([full(name)]),
        };
        let properties = properties(name).unwrap_or_else(|| panic!("no schema `{name}`"));
        Value::Object(
            properties
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), value(kind)))
                .collect::<Map<_, _>>(),
        )
    }

    /// The form and the type have the same properties with the same types.
    fn check<T: Serialize + DeserializeOwned>(name: &str, seen: &mut HashSet<String>) {
        let value = full(name);
        let typed: T =
            serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_value(typed).unwrap(), value, "{name}");
        seen.insert(name.to_owned());
    }

    #[test]
    fn each_form_has_a_type_with_the_same_properties() {
        let seen = &mut HashSet::new();
        check::<wire::AdminListUsersResp>("AdminListUsersResp", seen);
        check::<wire::AdminUser>("AdminUser", seen);
        check::<wire::AdminUserReq>("AdminUserReq", seen);
        check::<wire::App>("App", seen);
        check::<wire::App>("AppInsertReq", seen);
        check::<wire::App>("AppUpdateReq", seen);
        check::<wire::AppListResp>("AppListResp", seen);
        check::<wire::AppChannel>("AppChannel", seen);
        check::<wire::AppVersionItem>("AppVersionItem", seen);
        check::<wire::AppVersionList>("AppVersionList", seen);
        check::<wire::ChannelListResp>("ChannelListResp", seen);
        check::<wire::ChannelRequest>("ChannelRequest", seen);
        check::<wire::ClientCountResp>("ClientCountResp", seen);
        check::<wire::ClientHistoryItem>("ClientHistoryItem", seen);
        check::<wire::ClientHistoryResp>("ClientHistoryResp", seen);
        check::<wire::ClientUpdate>("ClientUpdate", seen);
        check::<wire::ClientUpdateList>("ClientUpdateList", seen);
        check::<wire::Frame>("Frame", seen);
        check::<wire::GenerateUuidResp>("GenerateUuidResp", seen);
        check::<wire::Group>("Group", seen);
        check::<wire::GroupList>("GroupList", seen);
        check::<wire::GroupPercent>("GroupPercent", seen);
        check::<wire::GroupRequestsItem>("GroupRequestsItem", seen);
        check::<wire::GroupRequestsRollup>("GroupRequestsRollup", seen);
        check::<wire::GroupRequestsValues>("GroupRequestsValues", seen);
        check::<wire::Package>("Package", seen);
        check::<wire::PackageList>("PackageList", seen);
        check::<wire::PublicPackageItem>("PublicPackageItem", seen);
        check::<wire::PublicPackageList>("PublicPackageList", seen);
        check::<wire::Rollout>("Rollout", seen);
        check::<wire::RolloutActive>("RolloutActive", seen);
        check::<wire::RolloutSetReq>("RolloutSetReq", seen);
        check::<wire::Upstream>("Upstream", seen);
        check::<wire::UpstreamListResp>("UpstreamListResp", seen);
        check::<wire::UpstreamSyncResp>("UpstreamSyncResp", seen);
        let all: HashSet<String> = SCHEMAS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(*seen, all);
    }

    #[test]
    fn each_call_speaks_of_known_forms() {
        for method in METHODS {
            for schema in method.request.iter().chain([&method.response]) {
                assert!(properties(schema).is_some(), "{}: {schema}", method.id);
            }
        }
    }
}
