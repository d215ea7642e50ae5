//! What a server must know before machines come: an application, versions, a channel, a group.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The application, the channel and the group that all instances ask for.
pub(super) const APP: &str = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";
pub(super) const GROUP: &str = "fleet";

/// How many entries of the activity are read at once.
const PAGE: usize = 1000;

/// Speaks to a server as an administrator would, who needs no token on loopback.
pub(super) struct Fleet {
    http: reqwest::Client,
    base: String,
    channel: String,
}

impl Fleet {
    /// Makes all of it; the channel points to a version. `policy` is told what time the server's clock shows.
    pub(super) async fn new(
        base: &str,
        version: &str,
        policy: impl FnOnce(Timestamp) -> Value,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::new();
        let mut fleet = Self { http, base: base.to_owned(), channel: String::new() };
        let app = json!({ "id": APP, "label": "Hosts" });
        let now = time(&fleet.post("apps", &app).await?, "created_at")?;
        let package = fleet.package(version).await?;
        let channel = json!({ "label": "stable", "package": package });
        fleet.channel = id(&fleet.post(&format!("apps/{APP}/channels"), &channel).await?)?;
        let group = json!({ "id": GROUP, "channel": fleet.channel, "policy": policy(now) });
        fleet.post(&format!("apps/{APP}/groups"), &group).await?;
        Ok(fleet)
    }

    /// Lets the channel point to a new version; when that was, by the server's clock.
    pub(super) async fn publish(&self, version: &str) -> anyhow::Result<Timestamp> {
        let package = self.package(version).await?;
        let path = format!("apps/{APP}/channels/{}", self.channel);
        let body = json!({ "package": package });
        time(&self.call(reqwest::Method::PUT, &path, Some(&body)).await?, "changed_at")
    }

    async fn package(&self, version: &str) -> anyhow::Result<String> {
        let package = json!({
            "version": version, "url": "https://updates.example/", "file": "update.gz", "size": 400_000_000,
            "sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        });
        id(&self.post(&format!("apps/{APP}/packages"), &package).await?)
    }

    /// When the group stopped by itself, and why, if it did.
    pub(super) async fn stop(&self) -> anyhow::Result<Option<(Timestamp, String)>> {
        for page in 0.. {
            let path = format!("activity?limit={PAGE}&skip={}", page * PAGE);
            let mut answer = self.call(reqwest::Method::GET, &path, None).await?;
            let entries = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if entries.is_empty() {
                break;
            }
            if let Some(entry) = entries.iter().find(|entry| entry["class"] == "stopped") {
                let message = entry["message"].as_str().unwrap_or_default().to_owned();
                return Ok(Some((time(entry, "at")?, message)));
            }
        }
        Ok(None)
    }

    /// How many bytes the database takes.
    pub(super) async fn database_bytes(&self) -> anyhow::Result<f64> {
        let request = self.http.get(format!("{}/metrics", self.base));
        let text = request.send().await?.error_for_status()?.text().await?;
        metric(&text, "slipway_database_bytes")
            .context("the server does not say how large its database is")
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::POST, path, Some(body)).await
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}/api/v2/{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        anyhow::ensure!(status.is_success(), "the server refused {path}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{path} was answered with `{text}`"))
    }
}

fn id(answer: &Value) -> anyhow::Result<String> {
    answer["id"].as_str().map(str::to_owned).with_context(|| format!("no id in {answer}"))
}

fn time(answer: &Value, field: &str) -> anyhow::Result<Timestamp> {
    let text = answer[field].as_str().with_context(|| format!("no `{field}` in {answer}"))?;
    Ok(text.parse()?)
}

/// The value of a metric without labels, in the text format of Prometheus.
fn metric(text: &str, name: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# HELP a_total Help.\na_total_more 1\na_total 2.5\n";
        assert_eq!(metric(text, "a_total"), Some(2.5));
        assert_eq!(metric(text, "a"), None);
    }
}
