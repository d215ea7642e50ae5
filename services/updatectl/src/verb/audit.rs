//! `audit`: who changed what.

use clap::Args;
use serde_json::Value;

use super::Context;
use crate::{CtlError, Table};

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only changes of this application
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    /// How many, the newest first
    #[arg(long, default_value_t = 50)]
    limit: u64,
}

const COLUMNS: [&str; 6] = ["Time", "Who", "Address", "Action", "Application", "Target"];

fn row(entry: &Value) -> Vec<String> {
    ["at", "who", "address", "action", "app", "target"]
        .into_iter()
        .map(|name| entry[name].as_str().unwrap_or_default().to_owned())
        .collect()
}

impl Audit {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let limit = ("limit", self.limit.to_string());
        let app = self.app_id.map(|app| ("app", app));
        let query: Vec<_> = [Some(limit), app].into_iter().flatten().collect();
        let answer: Value = client.ask_v2("/audit", &query).await?;
        let entries = answer["items"].as_array().cloned().unwrap_or_default();
        streams.show(settings, &answer, Table::of(&COLUMNS, &entries, row))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_is_empty() {
        let entry = json!({ "at": "2026-11-25T22:00:00Z", "who": "alice", "action": "app.create", "app": null, "target": "e9" });
        assert_eq!(row(&entry), ["2026-11-25T22:00:00Z", "alice", "", "app.create", "", "e9"]);
    }
}
