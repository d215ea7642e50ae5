//! `explain`: why an instance gets what it gets.

use clap::Args;
use serde_json::Value;

use super::{Context, GroupFlags};
use crate::CtlError;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    group: GroupFlags,
    /// Machine identifier of the instance
    #[arg(long, value_name = "ID")]
    machine: String,
}

impl Explain {
    pub(super) async fn run(self, context: Context<'_, '_>) -> Result<(), CtlError> {
        let Context { client, settings, streams } = context;
        let GroupFlags { app_id, group_id } = &self.group;
        let path = format!("/apps/{}/groups/{}/explain", segment(app_id), segment(group_id));
        let answer: Value = client.ask_v2(&path, &[("machine", self.machine)]).await?;
        if settings.json { streams.json(&answer) } else { streams.text(&plain(&answer, 0)) }
    }
}

/// A part of a path, escaped.
pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// JSON as indented lines `name: value`.
pub(super) fn plain(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let line = |name: &str, value: &Value| match value {
        Value::Object(inner) if inner.is_empty() => String::new(),
        Value::Array(inner) if inner.is_empty() => String::new(),
        Value::Object(_) | Value::Array(_) => {
            format!("{indent}{name}:\n{}", plain(value, depth + 1))
        }
        value => format!("{indent}{name}: {}\n", scalar(value)),
    };
    match value {
        Value::Object(inner) => inner
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| line(name, value))
            .collect(),
        Value::Array(inner) => inner.iter().map(|value| line("-", value)).collect(),
        value => format!("{indent}{}\n", scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_shown_as_lines() {
        let answer = json!({ "reason": "its turn comes later", "at": null, "rules": [{ "name": "percent", "met": false }, "x\ny"], "none": {} });
        assert_eq!(
            plain(&answer, 0),
            "reason: its turn comes later\nrules:\n  -:\n    met: false\n    name: percent\n  -: x y\n"
        );
        assert_eq!(plain(&json!("ok"), 0), "ok\n");
    }

    #[test]
    fn parts_of_paths_are_escaped() {
        assert_eq!(segment("a/b c?"), "a%2Fb%20c%3F");
    }
}
