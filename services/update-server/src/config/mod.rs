//! What is configured. Each setting is declared once in [`SETTINGS`]: flag, variable, key of the file, default and help come
//! from there.

mod table;
mod values;

use std::{collections::BTreeMap, net::SocketAddr};

use camino::Utf8PathBuf;

pub use table::{SETTINGS, Setting};

use crate::{oidc::OidcSettings, syncer::SyncSettings, tls::TlsFiles};
use values::{base_url, choice, oidc, parsed, positive, speed, sync, tls};

/// The configuration, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the database is.
    pub database_url: String,
    /// How many connections to it there are at most.
    pub connections: u32,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that clients know this server by, without a slash at the end; from the `Host` header if absent.
    pub base_url: Option<String>,
    /// Where certificate and key are, if the server speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// How often they are looked at, in seconds.
    pub tls_interval: u64,
    /// A repository of signed releases, served below `/repository/`.
    pub releases: Option<Utf8PathBuf>,
    /// The root that the releases are verified from.
    pub root: Option<Utf8PathBuf>,
    /// Where is remembered which signed metadata was seen.
    pub memory: Utf8PathBuf,
    /// How often the repository is looked at, in seconds.
    pub release_interval: u64,
    /// Where uploaded packages go; uploads are refused if absent.
    pub packages: Option<Utf8PathBuf>,
    /// Whether requests to the APIs must prove who they come from.
    pub authentication: Authentication,
    /// The issuer that people log in through.
    pub oidc: Option<OidcSettings>,
    /// Another Omaha server that channels follow.
    pub sync: Option<SyncSettings>,
    /// Who is told when a group stops by itself.
    pub webhook: Option<url::Url>,
    /// How long events are kept, in days.
    pub retention_days: u32,
    /// How long machines are kept that do not ask, in days.
    pub machine_days: u32,
    /// How often grants that are over are looked for, in seconds.
    pub sweep_interval: u64,
    /// Requests per minute that an address may send; 0 for any number.
    pub rate_limit: u32,
    /// Whose word counts for the address of a client.
    pub addresses: Addresses,
    /// How long requests may take to end when the server ends, in seconds.
    pub shutdown_seconds: u64,
    /// How many times as fast as the system's the clock goes; 1 but for simulations.
    pub clock_speed: u32,
    /// Whether logs are JSON.
    pub log_format: LogFormat,
    /// How much is logged.
    pub log_level: tracing::Level,
}

/// Whether requests must prove who they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// They must.
    Required,
    /// Everybody may do everything; only on loopback.
    Off,
    /// Off on loopback until there is a user; decided when the server starts.
    Auto,
}

/// Whose word counts for the address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The connection's.
    Peer,
    /// The last entry of `X-Forwarded-For`, which a proxy in front sets.
    Forwarded,
}

/// The form of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value of the wrong form.
    #[error("`{key}` is `{value}`; give {expected}")]
    Value {
        /// Which setting.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A key of the file that is none.
    #[error("`{key}` of the configuration file is no setting; `serve --help` lists them")]
    Unknown {
        /// Which.
        key: String,
    },
    /// The file is no TOML.
    #[error("the configuration file is no TOML of keys and plain values")]
    File {
        /// Why not.
        source: Box<toml::de::Error>,
    },
    /// Two settings that need each other.
    #[error("`{one}` needs `{other}` too")]
    Alone {
        /// Which is there.
        one: &'static str,
        /// Which is missing.
        other: &'static str,
    },
    /// No authentication, and an issuer to log in through.
    #[error(
        "authentication is off, and `oidc-issuer` says how people log in; require authentication"
    )]
    Needless,
    /// No authentication behind a proxy, which others come through.
    #[error(
        "authentication is off, and `base-url` or `forwarded-for` says that a proxy is in front; require authentication"
    )]
    Fronted,
    /// No authentication where others could come.
    #[error(
        "authentication is off, and `{listen}` is no loopback address; listen on 127.0.0.1, or require authentication"
    )]
    Open {
        /// Where it would listen.
        listen: SocketAddr,
    },
}

/// Reads a configuration file: TOML, one key per setting.
///
/// # Errors
/// When it is none, or has other keys.
pub fn read_file(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let table: toml::Table =
        toml::from_str(text).map_err(|source| ConfigError::File { source: Box::new(source) })?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        if !SETTINGS.iter().any(|setting| setting.key == key) {
            return Err(ConfigError::Unknown { key });
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        values.insert(key, text);
    }
    Ok(values)
}

impl Config {
    /// A configuration from what says it: `value` gives the value of a key, from flag, variable or file, if any has it.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn new(value: impl Fn(&Setting) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |key: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.key == key);
            setting
                .map(|setting| value(setting).unwrap_or_else(|| setting.default.to_owned()))
                .unwrap_or_default()
        };
        let path = |key| Some(text(key)).filter(|text| !text.is_empty()).map(Utf8PathBuf::from);
        let config = Self {
            database_url: text("database-url"),
            connections: parsed("connections", &text("connections"), "a number")?,
            listen: parsed(
                "listen",
                &text("listen"),
                "an address and a port, such as 127.0.0.1:8000",
            )?,
            base_url: base_url(&text("base-url"))?,
            tls: tls(path("tls-certificate"), path("tls-key"))?,
            tls_interval: positive("tls-interval", &text("tls-interval"))?,
            releases: path("releases"),
            root: path("root"),
            memory: text("memory").into(),
            release_interval: positive("release-interval", &text("release-interval"))?,
            packages: path("packages"),
            authentication: choice(
                "authentication",
                &text("authentication"),
                "required, off or auto",
                &[
                    ("required", Authentication::Required),
                    ("off", Authentication::Off),
                    ("auto", Authentication::Auto),
                ],
            )?,
            oidc: oidc(&text)?,
            sync: sync(&text)?,
            webhook: match text("webhook").as_str() {
                "" => None,
                url => Some(parsed("webhook", url, "a URL")?),
            },
            retention_days: parsed("retention-days", &text("retention-days"), "a number of days")?,
            machine_days: parsed("machine-days", &text("machine-days"), "a number of days")?,
            sweep_interval: positive("sweep-interval", &text("sweep-interval"))?,
            rate_limit: parsed(
                "rate-limit",
                &text("rate-limit"),
                "a number of requests per minute",
            )?,
            addresses: choice(
                "forwarded-for",
                &text("forwarded-for"),
                "yes or no",
                &[("no", Addresses::Peer), ("yes", Addresses::Forwarded)],
            )?,
            shutdown_seconds: parsed(
                "shutdown-seconds",
                &text("shutdown-seconds"),
                "a number of seconds",
            )?,
            clock_speed: speed("clock-speed", &text("clock-speed"))?,
            log_format: choice(
                "log-format",
                &text("log-format"),
                "text or json",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            log_level: parsed(
                "log-level",
                &text("log-level"),
                "error, warn, info, debug or trace",
            )?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.releases.is_some() && self.root.is_none() {
            return Err(ConfigError::Alone { one: "releases", other: "root" });
        }
        if self.authentication == Authentication::Off && self.oidc.is_some() {
            return Err(ConfigError::Needless);
        }
        if self.authentication == Authentication::Off && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Open { listen: self.listen });
        }
        if self.authentication == Authentication::Off && self.is_fronted() {
            return Err(ConfigError::Fronted);
        }
        Ok(())
    }

    /// How clients speak to this server, unless a proxy is in front.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether browsers speak TLS, with this server or with a proxy in front.
    pub fn is_secure(&self) -> bool {
        let base = self.base_url.as_deref().map(|url| url.starts_with("https://"));
        base.unwrap_or(self.tls.is_some())
    }

    /// Whether a proxy is in front, so that others come through the loopback address too.
    fn is_fronted(&self) -> bool {
        let url = self.base_url.as_deref().and_then(|base| url::Url::parse(base).ok());
        let foreign = url.is_some_and(|url| match url.host() {
            Some(url::Host::Ipv4(address)) => !address.is_loopback(),
            Some(url::Host::Ipv6(address)) => !address.is_loopback(),
            Some(url::Host::Domain(name)) => name != "localhost",
            None => true,
        });
        foreign || self.addresses == Addresses::Forwarded
    }

    /// What [`Authentication::Auto`] comes to: off where only this machine comes, as long as there is no user.
    pub fn decided(&self, has_users: bool) -> Authentication {
        match self.authentication {
            Authentication::Auto
                if self.listen.ip().is_loopback()
                    && !self.is_fronted()
                    && !has_users
                    && self.oidc.is_none() =>
            {
                Authentication::Off
            }
            Authentication::Auto => Authentication::Required,
            said => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::new(|setting| {
            values.iter().find(|(key, _)| *key == setting.key).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_any_word_it_is_a_file_and_loopback() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert!(config.database_url.starts_with("sqlite:"));
        assert_eq!(config.authentication, Authentication::Auto);
    }

    #[test]
    fn values_that_make_no_sense_are_named_with_the_way_out() {
        let check = |values: &[(&str, &str)], expected: &str| {
            let error = config(values).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("listen", "here")], "`listen` is `here`");
        check(&[("sweep-interval", "0")], "above 0");
        check(&[("clock-speed", "0")], "from 1 to 10000");
        check(&[("authentication", "maybe")], "required, off or auto");
        check(&[("base-url", "ftp://x")], "http or https");
        check(&[("releases", "/r")], "`releases` needs `root`");
        check(&[("tls-certificate", "/c")], "`tls-certificate` needs `tls-key`");
        check(&[("tls-key", "/k")], "`tls-key` needs `tls-certificate`");
        check(&[("authentication", "off"), ("listen", "0.0.0.0:8000")], "no loopback address");
        let behind = ("base-url", "https://updates.example");
        check(&[("authentication", "off"), behind], "a proxy is in front");
        check(&[("authentication", "off"), ("forwarded-for", "yes")], "a proxy is in front");
    }

    #[test]
    fn nobody_logs_in_only_where_nobody_else_comes() {
        let check = |values: &[(&str, &str)], has_users, expected| {
            assert_eq!(config(values).unwrap().decided(has_users), expected, "{values:?}");
        };
        check(&[], false, Authentication::Off);
        check(&[], true, Authentication::Required);
        for own in ["http://localhost:8000", "http://127.0.0.1:8000/", "http://[::1]:8000"] {
            check(&[("base-url", own)], false, Authentication::Off);
        }
        check(&[("base-url", "https://updates.example")], false, Authentication::Required);
        check(&[("base-url", "http://10.0.0.1")], false, Authentication::Required);
        check(&[("forwarded-for", "yes")], false, Authentication::Required);
        check(&[("listen", "0.0.0.0:8000")], false, Authentication::Required);
        check(&[("authentication", "required")], false, Authentication::Required);
        check(&[("authentication", "off")], true, Authentication::Off);
    }

    #[test]
    fn a_file_has_only_keys_that_are_settings() {
        let values = read_file("listen = \"127.0.0.1:1\"\nrate-limit = 7\n").unwrap();
        assert_eq!(values["rate-limit"], "7");
        assert_eq!(values["listen"], "127.0.0.1:1");
        assert!(read_file("lissen = 3").unwrap_err().to_string().contains("lissen"));
        assert!(read_file("= 3").is_err());
    }

    #[test]
    fn an_issuer_needs_all_that_belongs_to_it() {
        let whole = [
            ("oidc-issuer", "https://issuer.example"),
            ("oidc-client-id", "slipway"),
            ("oidc-roles", "ops=operator"),
            ("base-url", "https://updates.example"),
        ];
        let set = config(&whole).unwrap();
        assert_eq!(set.decided(false), Authentication::Required);
        assert_eq!(set.oidc.unwrap().session_hours, 12);
        let check = |changes: &[(&'static str, &'static str)], expected: &str| {
            let mut values = changes.to_vec();
            values.extend(
                whole.iter().filter(|(key, _)| changes.iter().all(|(other, _)| key != other)),
            );
            let error = config(&values).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("base-url", "")], "`oidc-issuer` needs `base-url`");
        check(&[("oidc-client-id", "")], "needs `oidc-client-id`");
        check(&[("oidc-roles", "")], "needs `oidc-roles`");
        check(&[("oidc-issuer", "")], "needs `oidc-issuer`");
        check(&[("oidc-issuer", "http://issuer.example")], "give an https URL");
        check(&[("oidc-issuer", "https://issuer.example/?x=y")], "without a query");
        check(&[("oidc-roles", "ops=root")], "GROUP=ROLE");
        check(&[("oidc-scopes", "email")], "`openid` among them");
        check(&[("oidc-session-hours", "long")], "a number of hours");
        let here = ("base-url", "http://localhost:8000");
        check(&[("authentication", "off"), here], "`oidc-issuer` says how people log in");
    }

    #[test]
    fn following_another_server_needs_its_tracks() {
        let url = ("sync-url", "https://up.example/v1/update/");
        let feeds = ("sync-feeds", "stable/amd64");
        assert_eq!(config(&[url, feeds]).unwrap().sync.unwrap().interval, 3600);
        let check = |values: &[(&str, &str)], expected: &str| {
            let error = config(values).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[url], "`sync-url` needs `sync-feeds`");
        check(&[feeds], "`sync-feeds` needs `sync-url`");
        check(&[("sync-url", "up.example"), feeds], "an http or https URL");
        check(&[("sync-url", "ftp://up.example"), feeds], "an http or https URL");
        check(&[url, ("sync-feeds", "stable")], "TRACK/ARCHITECTURE");
        check(&[url, feeds, ("sync-payloads", "copy")], "link or host");
        check(&[url, feeds, ("sync-payloads", "host")], "`sync-payloads` needs `packages`");
        let key = ("sync-key", "/nowhere/key.pem");
        check(&[url, feeds, key], "`sync-key` needs `sync-payloads=host`");
        check(&[url, feeds, ("sync-interval", "0")], "above 0");
    }

    #[test]
    fn browsers_keep_cookies_for_tls_where_there_is_tls() {
        let tls = [("tls-certificate", "/c"), ("tls-key", "/k")];
        let behind = ("base-url", "https://updates.example");
        let plain = ("base-url", "http://updates.example");
        let check = |values: &[(&str, &str)], scheme, secure| {
            let config = config(values).unwrap();
            assert_eq!((config.scheme(), config.is_secure()), (scheme, secure), "{values:?}");
        };
        check(&[], "http", false);
        check(&tls, "https", true);
        check(&[behind], "http", true);
        check(&[tls[0], tls[1], plain], "https", false);
    }

    #[test]
    fn variables_follow_the_keys() {
        let names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        assert!(names.contains(&"SLIPWAY_UPDATE_SERVER_DATABASE_URL".to_owned()));
    }
}
