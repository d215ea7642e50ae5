//! Channels: names that point to a version.

use serde::{Deserialize, Serialize};

use super::number::is_false;

/// A channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AppChannel {
    /// Its application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// When it was made, by RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub date_created: String,
    /// Its name, which is its identifier within the application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Whether anybody may see it without a key.
    pub publish: bool,
    /// The upstream that it is synchronised from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub upstream: String,
    /// The version that it points to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// What makes or changes a channel. An absent `publish` means `false`, because clients written in Go leave it out then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelRequest {
    /// The application, if the path does not say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_id: String,
    /// The name, when it is made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Whether anybody may see it without a key.
    #[serde(skip_serializing_if = "is_false")]
    pub publish: bool,
    /// The version that it shall point to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Channels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelListResp {
    /// In the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<AppChannel>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad};
    use super::*;

    #[test]
    fn channels() {
        let channel = AppChannel {
            app_id: "e9".into(),
            date_created: "2026-11-25T22:00:00Z".into(),
            label: "stable".into(),
            publish: true,
            upstream: "1".into(),
            version: "1.2.3".into(),
        };
        check(
            r#"{"appId":"e9","dateCreated":"2026-11-25T22:00:00Z","label":"stable","publish":true,"upstream":"1","version":"1.2.3"}"#,
            &channel,
        );
        check(r#"{"publish":false}"#, &AppChannel::default());
        check(
            r#"{"items":[{"publish":false}]}"#,
            &ChannelListResp { items: vec![AppChannel::default()] },
        );
    }

    #[test]
    fn an_absent_publish_is_false() {
        let request = ChannelRequest { version: "1.2.3".into(), ..ChannelRequest::default() };
        check(r#"{"version":"1.2.3"}"#, &request);
        check(
            r#"{"publish":true,"version":"1.2.3"}"#,
            &ChannelRequest { publish: true, ..request },
        );
        check_bad::<ChannelRequest>(r#"{"publish":"yes"}"#);
    }
}
