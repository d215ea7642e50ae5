//! Requests of a group, counted over time.

use serde::{Deserialize, Serialize};

use super::number;

/// One point in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupRequestsValues {
    /// How many requests.
    #[serde(with = "number")]
    pub count: i64,
    /// The start of the span, in seconds since 1970.
    #[serde(with = "number")]
    pub timestamp: i64,
}

/// One line of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupRequestsItem {
    /// The result of the events, if events are counted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub result: String,
    /// The kind of the events, if events are counted.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// In order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<GroupRequestsValues>,
    /// The version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// The lines of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupRequestsRollup {
    /// By version, kind and result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<GroupRequestsItem>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_bad};
    use super::*;

    #[test]
    fn rollups() {
        let item = GroupRequestsItem {
            result: "1".into(),
            kind: "13".into(),
            values: vec![GroupRequestsValues { count: 4, timestamp: 1_353_832_200 }],
            version: "1.2.3".into(),
        };
        check(
            r#"{"items":[{"result":"1","type":"13","values":[{"count":"4","timestamp":"1353832200"}],"version":"1.2.3"}]}"#,
            &GroupRequestsRollup { items: vec![item] },
        );
        check("{}", &GroupRequestsRollup::default());
        check_bad::<GroupRequestsValues>(r#"{"count":true}"#);
    }
}
