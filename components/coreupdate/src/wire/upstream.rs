//! Upstreams: other servers that channels and packages are taken from.

use serde::{Deserialize, Serialize};

/// An upstream. Its identifier is a whole number in a string: the stock client reads it as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// The identifier.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// All upstreams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamListResp {
    /// In the order in which they were made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Upstream>,
}

/// What a synchronisation brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamSyncResp {
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// `ok` or `error`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn upstreams() {
        let upstream = Upstream { id: "7".into(), label: "public".into(), url: "https://h".into() };
        check(
            r#"{"items":[{"id":"7","label":"public","url":"https://h"}]}"#,
            &UpstreamListResp { items: vec![upstream] },
        );
        check(
            r#"{"detail":"1 channel","status":"ok"}"#,
            &UpstreamSyncResp { detail: "1 channel".into(), status: "ok".into() },
        );
    }
}
