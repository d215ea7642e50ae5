//! Configuration: drop-ins in TOML, and `update.conf` as the ancestors have it.
//!
//! From weak to strong: `/usr/lib/slipway/update.d/*.toml`, `/usr/share/coreos/update.conf`, `/run/slipway/update.d/*.toml`,
//! `/etc/coreos/update.conf`, `/etc/slipway/update.d/*.toml`. Within a folder, files in the order of their names; a file hides those of
//! the same name in weaker folders.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use url::Url;

use crate::backoff::Backoff;

/// The text of a file, and what it is called in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// The folder of drop-ins below `/usr/lib`, `/run` and `/etc`.
pub(crate) const DROP_INS: &str = "slipway/update.d";

/// All files of the configuration, from weak to strong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Drop-ins of `/usr/lib`.
    pub vendor: Vec<Text>,
    /// `/usr/share/coreos/update.conf`.
    pub vendor_conf: Option<Text>,
    /// Drop-ins of `/run`.
    pub runtime: Vec<Text>,
    /// `/etc/coreos/update.conf`.
    pub conf: Option<Text>,
    /// Drop-ins of `/etc`.
    pub local: Vec<Text>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("the configuration cannot be read")]
    Io(#[from] std::io::Error),
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("cannot read `{path}`")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value that breaks a rule.
    #[error("`{key}` is `{value}`; {rule}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    enabled: Option<bool>,
    server: Option<String>,
    repository: Option<String>,
    mirrors: Option<Vec<String>>,
    channel: Option<String>,
    machine_alias: Option<String>,
    interval_seconds: Option<u64>,
    rate_limit: Option<u64>,
    proxy: Option<String>,
    stall_seconds: Option<u64>,
    retry_first_milliseconds: Option<u64>,
    retry_longest_seconds: Option<u64>,
    retry_tries: Option<u32>,
    disk: Option<PathBuf>,
    esp: Option<PathBuf>,
    root: Option<PathBuf>,
    required_units: Option<Vec<String>>,
    network_required: Option<String>,
}

/// The configuration, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where updates come from; none if they are switched off.
    pub server: Option<Url>,
    /// The repository; ends with a slash.
    pub repository: Option<Url>,
    /// Other places that have the same repository; each ends with a slash.
    pub mirrors: Vec<Url>,
    /// The channel.
    pub channel: String,
    /// A name that the machine's owner gave it.
    pub machine_alias: String,
    /// Between two checks.
    pub interval: Duration,
    /// Bytes per second of a download.
    pub rate_limit: Option<u64>,
    /// Goes before the proxies of the environment.
    pub proxy: Option<Url>,
    /// How long a connection may be silent.
    pub stall: Duration,
    /// Between two tries of a download.
    pub backoff: Backoff,
    /// The disk; found by the running `/usr` if none is given.
    pub disk: Option<PathBuf>,
    /// Where the ESP is mounted.
    pub esp: PathBuf,
    /// The root of trust.
    pub root: PathBuf,
    /// Units that must be active for a boot to be good.
    pub required_units: Vec<String>,
    /// Whether the server must be reachable for a boot to be good.
    pub network: NetworkCheck,
}

/// Whether the server must be reachable for a boot to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkCheck {
    /// If it was reachable in the version before.
    IfSeen,
    /// Never.
    Never,
}

impl Sources {
    /// Reads all files below `root`, which is `/` on a host.
    ///
    /// # Errors
    /// When one is there and cannot be read.
    pub fn read(root: &Path) -> Result<Self, ConfigError> {
        let mut hidden = Vec::new();
        let mut folder = |parent: &str| -> Result<Vec<Text>, ConfigError> {
            let mut texts = drop_ins(&root.join(parent).join(DROP_INS))?;
            let names: Vec<_> = texts
                .iter()
                .filter_map(|text| text.path.file_name().map(ToOwned::to_owned))
                .collect();
            texts.retain(|text| {
                !hidden
                    .iter()
                    .any(|name| Some(name) == text.path.file_name().map(ToOwned::to_owned).as_ref())
            });
            hidden.extend(names);
            Ok(texts)
        };
        let local = folder("etc")?;
        let runtime = folder("run")?;
        let vendor = folder("usr/lib")?;
        Ok(Self {
            vendor,
            vendor_conf: read(&root.join("usr/share/coreos/update.conf"))?,
            runtime,
            conf: read(&root.join("etc/coreos/update.conf"))?,
            local,
        })
    }
}

fn drop_ins(folder: &Path) -> Result<Vec<Text>, ConfigError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn read(path: &Path) -> Result<Option<Text>, ConfigError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(Text { path: path.to_owned(), text })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Config {
    /// Merges and validates.
    ///
    /// # Errors
    /// When a file is not of the form, or a value breaks a rule.
    pub fn of(sources: &Sources) -> Result<Self, ConfigError> {
        let mut raw = Raw::default();
        let toml = |raw: &mut Raw, texts: &[Text]| -> Result<(), ConfigError> {
            for Text { path, text } in texts {
                let over: Raw = toml::from_str(text).map_err(|source| ConfigError::Parse {
                    path: path.clone(),
                    source: Box::new(source),
                })?;
                raw.merge(over);
            }
            Ok(())
        };
        toml(&mut raw, &sources.vendor)?;
        raw.merge(update_conf(sources.vendor_conf.as_ref()));
        toml(&mut raw, &sources.runtime)?;
        raw.merge(update_conf(sources.conf.as_ref()));
        toml(&mut raw, &sources.local)?;
        raw.validate()
    }
}

/// `KEY=value` lines; unknown keys belong to other programs. `SERVER=disabled` switches updates off (flatcar-docs, update strategies).
fn update_conf(text: Option<&Text>) -> Raw {
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.iter().flat_map(|text| text.text.lines()) {
        let line = line.trim();
        if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            keys.insert(key.trim(), value.trim().trim_matches(['"', '\'']));
        }
    }
    let get =
        |key| keys.get(key).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
    let server = get("SERVER");
    let off = server.as_deref() == Some("disabled");
    Raw {
        enabled: server.is_some().then_some(!off),
        server: server.filter(|_| !off),
        channel: get("GROUP"),
        machine_alias: get("MACHINE_ALIAS"),
        ..Raw::default()
    }
}

impl Raw {
    fn merge(&mut self, over: Self) {
        macro_rules! merge {
            ($($field:ident)*) => {
                $(if over.$field.is_some() { self.$field = over.$field; })*
            };
        }
        merge!(enabled server repository mirrors channel machine_alias interval_seconds rate_limit proxy
            stall_seconds retry_first_milliseconds retry_longest_seconds retry_tries disk esp root required_units
            network_required);
    }

    fn validate(self) -> Result<Config, ConfigError> {
        let server = self.server.map(|text| base("server", text)).transpose()?;
        let server = server.filter(|_| self.enabled.unwrap_or(true));
        let repository = match self.repository {
            Some(text) => Some(base("repository", text)?),
            None => server.as_ref().and_then(|server| server.join("repository/").ok()),
        };
        let mirrors = self.mirrors.unwrap_or_default();
        let channel = self.channel.unwrap_or_else(|| "stable".to_owned());
        check_channel(&channel)?;
        let network = match self.network_required.as_deref() {
            None | Some("if-seen") => NetworkCheck::IfSeen,
            Some("never") => NetworkCheck::Never,
            Some(other) => {
                return Err(ConfigError::Invalid {
                    key: "network_required",
                    value: other.to_owned(),
                    rule: "`if-seen` and `never` are known",
                });
            }
        };
        let interval = self.interval_seconds.unwrap_or(45 * 60);
        if interval < 1 {
            return Err(ConfigError::Invalid {
                key: "interval_seconds",
                value: interval.to_string(),
                rule: "it must be at least 1",
            });
        }
        Ok(Config {
            server,
            repository,
            mirrors: mirrors
                .into_iter()
                .map(|text| base("mirrors", text))
                .collect::<Result<_, _>>()?,
            channel,
            machine_alias: self.machine_alias.unwrap_or_default(),
            interval: Duration::from_secs(interval),
            rate_limit: self.rate_limit.filter(|rate| *rate > 0),
            proxy: self.proxy.map(|text| parse("proxy", text)).transpose()?,
            stall: Duration::from_secs(self.stall_seconds.unwrap_or(60).max(1)),
            backoff: Backoff {
                first: Duration::from_millis(self.retry_first_milliseconds.unwrap_or(2000)),
                longest: Duration::from_secs(self.retry_longest_seconds.unwrap_or(300)),
                tries: self.retry_tries.unwrap_or(10).max(1),
            },
            disk: self.disk,
            esp: self.esp.unwrap_or_else(|| "/boot".into()),
            root: self.root.unwrap_or_else(|| "/usr/share/slipway/root.json".into()),
            required_units: self.required_units.unwrap_or_default(),
            network,
        })
    }
}

/// What a channel may be called: it is a part of names in signed metadata.
///
/// # Errors
/// When it is no such name.
pub fn check_channel(name: &str) -> Result<(), ConfigError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !name.is_empty() && name.len() <= 32 && name.chars().all(fits) {
        true => Ok(()),
        false => Err(ConfigError::Invalid {
            key: "channel",
            value: name.chars().take(64).collect(),
            rule: "a channel has small letters, digits and `-`, for example `stable`",
        }),
    }
}

fn parse(key: &'static str, text: String) -> Result<Url, ConfigError> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(ConfigError::Invalid {
            key,
            value: text,
            rule: "it must be an address that starts with https:// or http://",
        }),
    }
}

/// An address that others are joined to. The ancestors' `SERVER` names the endpoint; ours the server, and both are taken.
fn base(key: &'static str, text: String) -> Result<Url, ConfigError> {
    let mut text = text
        .strip_suffix("/v1/update/")
        .or_else(|| text.strip_suffix("/v1/update"))
        .unwrap_or(&text)
        .to_owned();
    if !text.ends_with('/') {
        text.push('/');
    }
    parse(key, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text { path: "a.toml".into(), text: text.to_owned() }
    }

    fn local(content: &str) -> Result<Config, ConfigError> {
        Config::of(&Sources { local: vec![text(content)], ..Sources::default() })
    }

    #[test]
    fn stronger_files_go_before_weaker_ones() {
        let sources = Sources {
            vendor: vec![text(
                "server = \"https://a.example\"\nchannel = \"alpha\"\nrate_limit = 5",
            )],
            vendor_conf: Some(text("GROUP=beta\n")),
            runtime: vec![text("channel = \"edge\"")],
            conf: Some(text(
                "# GROUP=none\n GROUP = \"stable\"\nREBOOT_STRATEGY=off\nSERVER=https://b.example/v1/update/\n",
            )),
            local: vec![text("rate_limit = 7"), text("mirrors = [\"http://m.example/r\"]")],
        };
        let config = Config::of(&sources).unwrap();
        assert_eq!(config.server.unwrap().as_str(), "https://b.example/");
        assert_eq!(config.repository.unwrap().as_str(), "https://b.example/repository/");
        assert_eq!(config.mirrors[0].as_str(), "http://m.example/r/");
        assert_eq!((config.channel.as_str(), config.rate_limit), ("stable", Some(7)));
    }

    #[test]
    fn updates_can_be_switched_off() {
        let mut sources =
            Sources { vendor: vec![text("server = \"https://a.example\"")], ..Sources::default() };
        assert!(Config::of(&sources).unwrap().server.is_some());
        sources.conf = Some(text("SERVER=disabled"));
        assert_eq!(Config::of(&sources).unwrap().server, None);
        assert_eq!(local("server = \"https://a.example\"\nenabled = false").unwrap().server, None);
        assert_eq!(local("").unwrap().server, None);
    }

    #[test]
    fn what_is_refused() {
        #[track_caller]
        fn check(content: &str, expected: &str) {
            assert_eq!(local(content).unwrap_err().to_string(), expected);
        }
        check("servr = 1", "cannot read `a.toml`");
        check(
            "server = \"ftp://a.example\"",
            "`server` is `ftp://a.example/`; it must be an address that starts with https:// or http://",
        );
        check(
            "channel = \"../stable\"",
            "`channel` is `../stable`; a channel has small letters, digits and `-`, for example `stable`",
        );
        check("interval_seconds = 0", "`interval_seconds` is `0`; it must be at least 1");
        check(
            "network_required = \"yes\"",
            "`network_required` is `yes`; `if-seen` and `never` are known",
        );
    }

    #[test]
    fn a_file_hides_those_of_its_name_in_weaker_folders() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("usr/lib/slipway/update.d/10-server.toml", "server = \"https://a.example\"");
        write("usr/lib/slipway/update.d/20-channel.toml", "channel = \"alpha\"");
        write("usr/lib/slipway/update.d/README", "no TOML");
        write("etc/slipway/update.d/20-channel.toml", "");
        let config = Config::of(&Sources::read(root.path()).unwrap()).unwrap();
        assert_eq!(config.server.unwrap().as_str(), "https://a.example/");
        assert_eq!(config.channel, "stable");
    }
}
