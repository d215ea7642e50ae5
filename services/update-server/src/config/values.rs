//! From texts to values, with what is expected in their place.

use camino::Utf8PathBuf;

use super::ConfigError;
use crate::{
    oidc::{OidcSettings, Secret, group_roles, is_private},
    syncer::{Payloads, SyncSettings, sync_feeds},
    tls::TlsFiles,
};

pub(super) fn parsed<T: std::str::FromStr>(
    key: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, ConfigError> {
    value.trim().parse().map_err(|_| ConfigError::Value { key, value: value.to_owned(), expected })
}

pub(super) fn positive(key: &'static str, value: &str) -> Result<u64, ConfigError> {
    let expected = "a number of seconds above 0";
    match parsed(key, value, expected)? {
        0 => Err(ConfigError::Value { key, value: value.to_owned(), expected }),
        seconds => Ok(seconds),
    }
}

pub(super) fn speed(key: &'static str, value: &str) -> Result<u32, ConfigError> {
    let expected = "a whole number from 1 to 10000";
    match parsed(key, value, expected)? {
        speed @ 1..=10_000 => Ok(speed),
        _ => Err(ConfigError::Value { key, value: value.to_owned(), expected }),
    }
}

pub(super) fn choice<T: Copy>(
    key: &'static str,
    value: &str,
    expected: &'static str,
    choices: &[(&str, T)],
) -> Result<T, ConfigError> {
    let found = choices.iter().find(|(word, _)| *word == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| ConfigError::Value {
        key,
        value: value.to_owned(),
        expected,
    })
}

pub(super) fn tls(
    certificate: Option<Utf8PathBuf>,
    key: Option<Utf8PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Alone { one: "tls-certificate", other: "tls-key" }),
        (None, Some(_)) => Err(ConfigError::Alone { one: "tls-key", other: "tls-certificate" }),
    }
}

pub(super) fn oidc(text: &impl Fn(&str) -> String) -> Result<Option<OidcSettings>, ConfigError> {
    let (one, issuer) = ("oidc-issuer", text("oidc-issuer"));
    if issuer.is_empty() {
        let alone = ["oidc-client-id", "oidc-roles"].into_iter().find(|key| !text(key).is_empty());
        return alone.map_or(Ok(None), |one| Err(ConfigError::Alone { one, other: "oidc-issuer" }));
    }
    let expected = "an https URL without a query (http only on this machine)";
    let url: url::Url = parsed(one, &issuer, expected)?;
    if !is_private(&url) || url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::Value { key: one, value: issuer, expected });
    }
    for other in ["base-url", "oidc-client-id", "oidc-roles"] {
        if text(other).is_empty() {
            return Err(ConfigError::Alone { one, other });
        }
    }
    let (key, expected) =
        ("oidc-roles", "GROUP=ROLE or GROUP=ROLE@APPLICATION, separated by commas");
    let roles = group_roles(&text(key)).ok_or_else(|| ConfigError::Value {
        key,
        value: text(key),
        expected,
    })?;
    let (key, scopes, expected) =
        ("oidc-scopes", text("oidc-scopes"), "scopes with `openid` among them");
    if !scopes.split(' ').any(|scope| scope == "openid") {
        return Err(ConfigError::Value { key, value: scopes, expected });
    }
    let hours = "oidc-session-hours";
    Ok(Some(OidcSettings {
        issuer,
        client_id: text("oidc-client-id"),
        client_secret: Some(text("oidc-client-secret"))
            .filter(|text| !text.is_empty())
            .map(Secret::new),
        scopes,
        name_claim: text("oidc-name-claim"),
        groups_claim: text("oidc-groups-claim"),
        roles,
        session_hours: parsed(hours, &text(hours), "a number of hours")?,
    }))
}

pub(super) fn sync(text: &impl Fn(&str) -> String) -> Result<Option<SyncSettings>, ConfigError> {
    let (url, feeds) = (text("sync-url"), text("sync-feeds"));
    match (url.is_empty(), feeds.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => return Err(ConfigError::Alone { one: "sync-feeds", other: "sync-url" }),
        (false, true) => return Err(ConfigError::Alone { one: "sync-url", other: "sync-feeds" }),
        (false, false) => {}
    }
    let (key, expected) = ("sync-url", "an http or https URL");
    let parsed_url: url::Url = parsed(key, &url, expected)?;
    if !matches!(parsed_url.scheme(), "http" | "https") {
        return Err(ConfigError::Value { key, value: url, expected });
    }
    let (key, expected) = ("sync-feeds", "TRACK/ARCHITECTURE@APPLICATION, separated by commas");
    let read = sync_feeds(&feeds).ok_or(ConfigError::Value { key, value: feeds, expected })?;
    let interval = positive("sync-interval", &text("sync-interval"))?;
    Ok(Some(SyncSettings { url: parsed_url, feeds: read, interval, payloads: payloads(text)? }))
}

fn payloads(text: &impl Fn(&str) -> String) -> Result<Payloads, ConfigError> {
    let (place, key) = (text("sync-payloads"), text("sync-key"));
    let host = choice("sync-payloads", &place, "link or host", &[("link", false), ("host", true)])?;
    match (host, key.as_str()) {
        (false, "") => Ok(Payloads::Link),
        (false, _) => Err(ConfigError::Alone { one: "sync-key", other: "sync-payloads=host" }),
        (true, _) if text("packages").is_empty() => {
            Err(ConfigError::Alone { one: "sync-payloads", other: "packages" })
        }
        (true, "") => Ok(Payloads::Host { key: None }),
        (true, file) => Ok(Payloads::Host { key: Some(file.into()) }),
    }
}

pub(super) fn base_url(text: &str) -> Result<Option<String>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    let url: url::Url = parsed("base-url", text, "an http or https URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConfigError::Value {
            key: "base-url",
            value: text.to_owned(),
            expected: "an http or https URL",
        });
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}
