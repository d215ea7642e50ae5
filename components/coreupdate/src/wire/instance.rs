//! Instances (the protocol says clients) and their history.

use serde::{Deserialize, Serialize};

use super::number;

/// How many instances of a group run a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AppVersionItem {
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// How many.
    pub count: i64,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// The version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Counts by application, group and version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppVersionList {
    /// In that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<AppVersionItem>,
}

/// The last that is known of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientUpdate {
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The instance: its machine identifier.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// The code of its last error, without flag bits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_code: String,
    /// The result of its last event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_result: String,
    /// The kind of its last event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_type: String,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// When it was last heard of, by RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_seen: String,
    /// Its OEM.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub oem: String,
    /// The version that it runs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientUpdateList {
    /// The last heard of first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ClientUpdate>,
}

/// How many instances there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientCountResp {
    /// That many.
    pub count: i64,
}

/// One thing that an instance reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientHistoryItem {
    /// When, in seconds since 1970.
    #[serde(with = "number")]
    pub date_time: i64,
    /// The error's code, without flag bits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_code: String,
    /// The event's result.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_result: String,
    /// The event's kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_type: String,
    /// The group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group_id: String,
    /// `scheduler` or `ondemandupdate`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub install_source: String,
    /// The version that it ran.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// What an instance reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientHistoryResp {
    /// The newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ClientHistoryItem>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad, check_read};
    use super::*;

    #[test]
    fn counts() {
        let item = AppVersionItem {
            app_id: "e9".into(),
            count: 3,
            group_id: "g".into(),
            version: "1.2.3".into(),
        };
        check(
            r#"{"items":[{"appId":"e9","count":3,"groupId":"g","version":"1.2.3"}]}"#,
            &AppVersionList { items: vec![item] },
        );
        check(r#"{"count":0}"#, &ClientCountResp::default());
    }

    #[test]
    fn instances() {
        let instance = ClientUpdate {
            app_id: "e9".into(),
            client_id: "m".into(),
            error_code: "10".into(),
            event_result: "0".into(),
            event_type: "3".into(),
            group_id: "g".into(),
            last_seen: "2026-11-25T22:00:00Z".into(),
            oem: "qemu".into(),
            version: "1.2.3".into(),
        };
        check(
            r#"{"items":[{"appId":"e9","clientId":"m","errorCode":"10","eventResult":"0","eventType":"3","groupId":"g","lastSeen":"2026-11-25T22:00:00Z","oem":"qemu","version":"1.2.3"}]}"#,
            &ClientUpdateList { items: vec![instance] },
        );
    }

    #[test]
    fn history() {
        let item = ClientHistoryItem {
            date_time: 1_353_832_234,
            install_source: "scheduler".into(),
            ..ClientHistoryItem::default()
        };
        check(
            r#"{"items":[{"dateTime":"1353832234","installSource":"scheduler"}]}"#,
            &ClientHistoryResp { items: vec![item] },
        );
        check_read(
            r#"{"dateTime":7}"#,
            &ClientHistoryItem { date_time: 7, ..ClientHistoryItem::default() },
        );
        check_bad::<ClientHistoryItem>(r#"{"dateTime":"noon"}"#);
        check_bad::<ClientHistoryItem>(r#"{"dateTime":18446744073709551615}"#);
        check_bad::<ClientHistoryItem>(r#"{"dateTime":1.5}"#);
    }
}
