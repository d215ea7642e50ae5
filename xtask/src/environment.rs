//! Every environment variable that is read, and nowhere else. `docs/environment.md` lists them.

use camino::Utf8PathBuf;

/// The variables, with what they are for.
pub(crate) const VARIABLES: [(&str, &str); 21] = [
    (
        "SLIPWAY_CACHE",
        "where the SDK and everything that is built is kept; default: `slipway` below `XDG_CACHE_HOME` or `~/.cache`",
    ),
    (
        "SLIPWAY_MIRROR",
        "base address of the Debian mirror; default: the first one of APT's configuration",
    ),
    ("SLIPWAY_ENGINE", "`auto`, `docker` or `embedded`; default: `auto`"),
    (
        "SLIPWAY_RELEASES",
        "where releases are published to: a folder, or `s3://BUCKET/PREFIX`; default: `slipway/releases` below `XDG_DATA_HOME` or `~/.local/share`",
    ),
    (
        "SLIPWAY_KEYS",
        "the folder of the keys that sign releases; default: `slipway/keys`, as above",
    ),
    (
        "SLIPWAY_PASSPHRASE",
        "the passphrase of these keys; default: it is asked for on the terminal",
    ),
    (
        "SLIPWAY_PKCS11_MODULE",
        "the library that reaches the tokens of `signing/roles.toml` whose URI names none",
    ),
    (
        "AWS_ACCESS_KEY_ID",
        "the identifier of the key for a bucket; without it, the bucket is only read",
    ),
    ("AWS_SECRET_ACCESS_KEY", "the key for a bucket"),
    ("AWS_SESSION_TOKEN", "the token of that key, if it is one of a session"),
    ("AWS_REGION", "the region of a bucket; default: `AWS_DEFAULT_REGION`, or `us-east-1`"),
    ("AWS_DEFAULT_REGION", "the region of a bucket, if `AWS_REGION` is not set"),
    ("AWS_ENDPOINT_URL", "the server of a bucket; default: that of the region"),
    ("AWS_ENDPOINT_URL_S3", "the same; wins over `AWS_ENDPOINT_URL`"),
    ("XDG_DATA_HOME", "where data of the user is kept"),
    ("XDG_CACHE_HOME", "where caches are kept"),
    ("HOME", "the home directory"),
    ("SSL_CERT_FILE", "certificates to believe, as a PEM file"),
    ("PIP_INDEX_URL", "the Python package index for Portage; default: that of pip"),
    ("CARGO", "the cargo that runs the tests and fetches crates; set by cargo"),
    ("CARGO_HOME", "where cargo keeps what it downloads; default: `~/.cargo`"),
];

/// The value of a variable of the list.
pub(crate) fn get(name: &str) -> Option<String> {
    debug_assert!(VARIABLES.iter().any(|(known, _)| *known == name), "{name} is not in the list");
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where everything is kept that can be made again.
pub(crate) fn cache_dir() -> anyhow::Result<Utf8PathBuf> {
    if let Some(dir) = get("SLIPWAY_CACHE") {
        return Ok(dir.into());
    }
    let base = match (get("XDG_CACHE_HOME"), get("HOME")) {
        (Some(dir), _) => Utf8PathBuf::from(dir),
        (None, Some(home)) => Utf8PathBuf::from(home).join(".cache"),
        (None, None) => {
            anyhow::bail!("there is no place for the cache: set `SLIPWAY_CACHE` or `HOME`")
        }
    };
    Ok(base.join("slipway"))
}

/// Where cargo keeps what it downloads; relative, and so empty, when nothing says where.
pub(crate) fn cargo_home() -> Utf8PathBuf {
    let home = || Utf8PathBuf::from(get("HOME").unwrap_or_default());
    get("CARGO_HOME").map_or_else(|| home().join(".cargo"), Utf8PathBuf::from)
}

/// The text of a key that `signing/roles.toml` expects in a variable (`env:NAME`).
pub(crate) fn key(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where keys and releases are kept unless a flag or a variable says otherwise.
pub(crate) fn data_dir() -> anyhow::Result<Utf8PathBuf> {
    let base = match (get("XDG_DATA_HOME"), get("HOME")) {
        (Some(dir), _) => Utf8PathBuf::from(dir),
        (None, Some(home)) => Utf8PathBuf::from(home).join(".local/share"),
        (None, None) => {
            anyhow::bail!(
                "there is no place for keys: set `SLIPWAY_KEYS` and `SLIPWAY_RELEASES`, or `HOME`"
            )
        }
    };
    Ok(base.join("slipway"))
}

/// Where keys are kept unless a flag says otherwise.
pub(crate) fn keys_dir() -> anyhow::Result<Utf8PathBuf> {
    match get("SLIPWAY_KEYS") {
        Some(dir) => Ok(dir.into()),
        None => Ok(data_dir()?.join("keys")),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
