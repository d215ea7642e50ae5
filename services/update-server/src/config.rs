//! What is configured. Each setting is declared once in [`SETTINGS`]: flag, variable, key of the file, default and help come
//! from there.

use std::{collections::BTreeMap, net::SocketAddr};

use camino::Utf8PathBuf;

use crate::tls::TlsFiles;

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key of the file; the flag is `--KEY`, the variable `SLIPWAY_UPDATE_SERVER_KEY` in capitals with underscores.
    pub key: &'static str,
    /// What it is if nobody says; empty for nothing.
    pub default: &'static str,
    /// For people.
    pub help: &'static str,
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default, help }
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    setting(
        "database-url",
        "sqlite:slipway-update-server.sqlite",
        "Where the database is: sqlite:FILE or postgres://USER@HOST/NAME",
    ),
    setting("connections", "8", "How many connections to the database there are at most"),
    setting("listen", "127.0.0.1:8000", "Where to listen: ADDRESS:PORT"),
    setting(
        "base-url",
        "",
        "The address that clients know this server by; the Host header of a request if empty",
    ),
    setting(
        "tls-certificate",
        "",
        "A file with the certificate and those that it was issued by, as PEM; plain HTTP if empty",
    ),
    setting("tls-key", "", "The file with the key of the certificate, as PEM"),
    setting(
        "tls-interval",
        "60",
        "How often both files are looked at, in seconds; SIGHUP does it at once",
    ),
    setting(
        "authentication",
        "auto",
        "required, off (only on loopback, without a proxy), or auto: off there until there is a user, required elsewhere",
    ),
    setting(
        "releases",
        "",
        "A folder with a repository of signed releases, served below /repository/ and imported",
    ),
    setting("root", "", "The root.json that the releases are verified from"),
    setting(
        "memory",
        "slipway-update-server.memory",
        "A folder that remembers which signed metadata was seen, against rollback",
    ),
    setting("release-interval", "60", "How often the repository is looked at, in seconds"),
    setting(
        "packages",
        "",
        "A folder for uploaded packages, served below /packages/; uploads are refused if empty",
    ),
    setting("webhook", "", "A URL that gets a POST with JSON when a group stops by itself"),
    setting("retention-days", "90", "How long events are kept, in days"),
    setting("machine-days", "180", "How long machines are kept that do not ask, in days"),
    setting("sweep-interval", "10", "How often grants that are over are looked for, in seconds"),
    setting(
        "rate-limit",
        "6000",
        "Requests per minute that an address may send, loopback left out; 0 for any number",
    ),
    setting(
        "forwarded-for",
        "no",
        "yes if a proxy in front sets X-Forwarded-For, which is believed then",
    ),
    setting("shutdown-seconds", "20", "How long requests may take to end when the server ends"),
    setting("log-format", "text", "text or json"),
    setting("log-level", "info", "error, warn, info, debug or trace"),
];

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

impl Setting {
    /// The variable of the environment.
    pub fn variable(&self) -> String {
        format!("SLIPWAY_UPDATE_SERVER_{}", self.key.replace('-', "_").to_ascii_uppercase())
    }
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
                if self.listen.ip().is_loopback() && !self.is_fronted() && !has_users =>
            {
                Authentication::Off
            }
            Authentication::Auto => Authentication::Required,
            said => said,
        }
    }
}

fn parsed<T: std::str::FromStr>(
    key: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, ConfigError> {
    value.trim().parse().map_err(|_| ConfigError::Value { key, value: value.to_owned(), expected })
}

fn positive(key: &'static str, value: &str) -> Result<u64, ConfigError> {
    let expected = "a number of seconds above 0";
    match parsed(key, value, expected)? {
        0 => Err(ConfigError::Value { key, value: value.to_owned(), expected }),
        seconds => Ok(seconds),
    }
}

fn choice<T: Copy>(
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

fn tls(
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

fn base_url(text: &str) -> Result<Option<String>, ConfigError> {
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
