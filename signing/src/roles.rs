//! `roles.toml`: who may sign what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU64,
    str::FromStr,
};

use serde::Deserialize;

use crate::{BootRole, SigningError, TokenUri};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
                    return Err(format!(
                        "`{text}` is no name of {}: up to 64 of a to z, 0 to 9 and -", $what
                    ));
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    };
}

name!(
    /// The name of a key in `roles.toml`.
    KeyName,
    "a key"
);
name!(
    /// The name of a channel, such as `stable`; also of the delegated role that signs for it.
    ChannelName,
    "a channel"
);

/// A role of TUF.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// Says which keys the other roles have.
    Root,
    /// Says which channels there are, and who signs for them.
    Targets,
    /// Ties the versions of all metadata together.
    Snapshot,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Signs the releases of a channel.
    Channel(ChannelName),
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Channel(name) => name.as_str(),
        })
    }
}

impl FromStr for RoleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "root" => Self::Root,
            "targets" => Self::Targets,
            "snapshot" => Self::Snapshot,
            "timestamp" => Self::Timestamp,
            other => Self::Channel(other.parse()?),
        })
    }
}

/// Where a private key is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum KeySource {
    /// A PKCS#8 file (RFC 5958) in the key folder.
    File(String),
    /// A variable with the text of such a file.
    Environment(String),
    /// A key on a token (RFC 7512).
    Token(TokenUri),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => write!(f, "file:{name}"),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Token(uri) => uri.fmt(f),
        }
    }
}

impl TryFrom<String> for KeySource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |name: &str| !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        match text.split_once(':') {
            Some(("file", name)) if plain(name) => Ok(Self::File(name.to_owned())),
            Some(("file", name)) => Err(format!(
                "`{name}` is no file name; key files lie in the key folder, without a path"
            )),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("pkcs11", _)) => text.parse().map(Self::Token),
            _ => Err(format!(
                "`{text}` is no key source; it can be file:NAME, env:VARIABLE or pkcs11:token=TOKEN;object=KEY"
            )),
        }
    }
}

/// How long a signature holds, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Lifetime {
    /// Days; at least one, at most ten years.
    pub days: u32,
}

/// Ten years.
const LONGEST_DAYS: u32 = 3653;

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        match days {
            Some(days) if (1..=LONGEST_DAYS).contains(&days) => Ok(Self { days }),
            _ => Err(format!("`{text}` is no lifetime: days, from 1d to {LONGEST_DAYS}d")),
        }
    }
}

/// Who signs for a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The keys; none of them belongs to another role.
    pub keys: BTreeSet<KeyName>,
    /// How many of them must sign.
    pub threshold: NonZeroU64,
    /// How long a signature holds.
    pub expires: Lifetime,
}

/// `roles.toml`, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Where each key is.
    pub keys: BTreeMap<KeyName, KeySource>,
    /// All roles; root, targets, snapshot and timestamp are among them.
    pub roles: BTreeMap<RoleName, Role>,
    /// Where the keys of Secure Boot are, if programs are signed at all.
    pub secure_boot: Option<BootSources>,
}

/// Where the keys of Secure Boot are; none of them is on a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootSources {
    pk: KeySource,
    kek: KeySource,
    db: KeySource,
}

impl BootSources {
    /// Where the key of a role is.
    pub fn get(&self, role: BootRole) -> &KeySource {
        match role {
            BootRole::Pk => &self.pk,
            BootRole::Kek => &self.kek,
            BootRole::Db => &self.db,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    keys: BTreeMap<KeyName, KeySource>,
    #[serde(rename = "secure-boot")]
    secure_boot: Option<BootSources>,
    roles: RawTopLevel,
    channels: BTreeMap<ChannelName, RawRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTopLevel {
    root: RawRole,
    targets: RawRole,
    snapshot: RawRole,
    timestamp: RawRole,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    keys: Vec<KeyName>,
    threshold: u64,
    expires: Lifetime,
}

impl Roles {
    /// Parses and validates `roles.toml`; `file` is how errors call it.
    ///
    /// # Errors
    /// When it is no TOML, a key is unknown, unused or in two roles, or a threshold cannot be reached.
    pub fn parse(file: &str, text: &str) -> Result<Self, SigningError> {
        let raw: RawRoles = toml::from_str(text).map_err(|source| SigningError::Parse {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let RawTopLevel { root, targets, snapshot, timestamp } = raw.roles;
        let top = [
            (RoleName::Root, root),
            (RoleName::Targets, targets),
            (RoleName::Snapshot, snapshot),
            (RoleName::Timestamp, timestamp),
        ];
        let mut roles = BTreeMap::new();
        let channels = raw.channels.into_iter().map(|(name, role)| (RoleName::Channel(name), role));
        for (name, role) in top.into_iter().chain(channels) {
            if let RoleName::Channel(channel) = &name
                && matches!(channel.as_str(), "root" | "targets" | "snapshot" | "timestamp")
            {
                return Err(SigningError::invalid(file, format!("a channel cannot be `{name}`")));
            }
            let role = validate(file, &name, role)?;
            roles.insert(name, role);
        }
        check_keys(file, &raw.keys, &roles)?;
        if let Some(sources) = &raw.secure_boot {
            check_boot(file, &raw.keys, sources)?;
        }
        Ok(Self { keys: raw.keys, roles, secure_boot: raw.secure_boot })
    }

    /// A role by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn role(&self, name: &RoleName) -> Result<&Role, SigningError> {
        self.roles.get(name).ok_or_else(|| {
            let known: Vec<String> = self.roles.keys().map(ToString::to_string).collect();
            SigningError::NoRole { role: name.to_string(), known: known.join(", ") }
        })
    }

    /// The channels, by name.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, &Role)> {
        self.roles.iter().filter_map(|(name, role)| match name {
            RoleName::Channel(channel) => Some((channel, role)),
            _ => None,
        })
    }
}

fn validate(file: &str, name: &RoleName, raw: RawRole) -> Result<Role, SigningError> {
    let count = raw.keys.len();
    let keys: BTreeSet<KeyName> = raw.keys.into_iter().collect();
    if keys.len() != count {
        return Err(SigningError::invalid(file, format!("`{name}` names a key twice")));
    }
    let threshold = NonZeroU64::new(raw.threshold).filter(|n| n.get() <= count as u64);
    let threshold = threshold.ok_or_else(|| {
        let given = raw.threshold;
        SigningError::invalid(
            file,
            format!("the threshold of `{name}` is {given}, and it has {count} keys"),
        )
    })?;
    Ok(Role { keys, threshold, expires: raw.expires })
}

/// Each key exists, is used once, and each source too: a threshold that counts one holder twice is none.
fn check_keys(
    file: &str,
    keys: &BTreeMap<KeyName, KeySource>,
    roles: &BTreeMap<RoleName, Role>,
) -> Result<(), SigningError> {
    let invalid = |problem: String| Err(SigningError::invalid(file, problem));
    let mut owner: BTreeMap<&KeyName, &RoleName> = BTreeMap::new();
    for (name, role) in roles {
        for key in &role.keys {
            if !keys.contains_key(key) {
                return invalid(format!("`{name}` has the key `{key}`, which `[keys]` lacks"));
            }
            if let Some(other) = owner.insert(key, name) {
                return invalid(format!("the key `{key}` signs for `{other}` and for `{name}`"));
            }
        }
    }
    if let Some(key) = keys.keys().find(|key| !owner.contains_key(key)) {
        return invalid(format!("no role has the key `{key}`"));
    }
    let mut sources = BTreeMap::new();
    for (key, source) in keys {
        if let Some(other) = sources.insert(source, key) {
            return invalid(format!("the keys `{other}` and `{key}` are both `{source}`"));
        }
    }
    Ok(())
}

/// The keys of Secure Boot are others than those of the roles, and have names of their own.
fn check_boot(
    file: &str,
    keys: &BTreeMap<KeyName, KeySource>,
    boot: &BootSources,
) -> Result<(), SigningError> {
    let invalid = |problem: String| Err(SigningError::invalid(file, problem));
    let mut sources: BTreeMap<&KeySource, KeyName> =
        keys.iter().map(|(key, source)| (source, key.clone())).collect();
    for role in BootRole::ALL {
        let (name, source) = (role.key_name(), boot.get(role));
        if keys.contains_key(&name) {
            return invalid(format!("`{name}` is a key of Secure Boot, and not one of `[keys]`"));
        }
        if matches!(source, KeySource::Token(_)) {
            return invalid(format!(
                "`{name}` cannot be on a token yet; it can be file:NAME or env:VARIABLE"
            ));
        }
        if let Some(other) = sources.insert(source, name.clone()) {
            return invalid(format!("the keys `{other}` and `{name}` are both `{source}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../roles.toml");

    #[test]
    fn ours_is_valid_and_asks_two_of_three_for_stable() {
        let roles = Roles::parse("roles.toml", OURS).unwrap();
        let stable = roles.role(&"stable".parse().unwrap()).unwrap();
        assert_eq!((stable.threshold.get(), stable.keys.len()), (2, 3));
        assert_eq!(roles.channels().count(), 3);
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        #[track_caller]
        fn check(from: &str, to: &str, expected: &str) {
            let text = OURS.replacen(from, to, 1);
            assert_ne!(text, OURS, "`{from}` is not there");
            let error = Roles::parse("roles.toml", &text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error} {}", source.unwrap_or_default());
            assert!(text.contains(expected), "{text}");
        }
        check("threshold = 2", "threshold = 4", "the threshold of `root` is 4, and it has 3 keys");
        check("threshold = 2", "threshold = 0", "the threshold of `root` is 0");
        check("keys = [\"alpha\"]", "keys = [\"beta\"]", "signs for `alpha` and for `beta`");
        check("keys = [\"alpha\"]", "keys = [\"gamma\"]", "which `[keys]` lacks");
        check("\"root-2\", \"root-3\"]", "\"root-2\", \"root-2\"]", "`root` names a key twice");
        check("\"root-2\", \"root-3\"]", "\"root-2\"]", "no role has the key `root-3`");
        check("file:root-2.pem", "file:root-1.pem", "are both `file:root-1.pem`");
        check("file:root-2.pem", "file:../root-2.pem", "is no file name");
        check("file:root-2.pem", "root-2.pem", "is no key source");
        check("file:root-2.pem", "pkcs11:token=a", "it has no `object=`");
        check(
            "root-2 = \"file:root-2.pem\"\nroot-3 = \"file:root-3.pem\"",
            "root-2 = \"pkcs11:token=a;object=b\"\nroot-3 = \"pkcs11:object=b;token=a\"",
            "are both `pkcs11:token=a;object=b`",
        );
        check("file:secure-boot-pk.pem", "file:alpha.pem", "the keys `alpha` and `secure-boot-pk`");
        check(
            "file:secure-boot-db.pem",
            "file:secure-boot-pk.pem",
            "are both `file:secure-boot-pk.pem`",
        );
        check("file:secure-boot-db.pem", "pkcs11:token=a;object=b", "cannot be on a token yet");
        check("[secure-boot]", "[secure-boot]\ndbx = \"file:dbx.pem\"", "unknown field `dbx`");
        check(
            "alpha = \"file:alpha.pem\"",
            "secure-boot-db = \"file:alpha.pem\"",
            "the key `alpha`",
        );
        check("expires = \"365d\"", "expires = \"1y\"", "is no lifetime");
        check("expires = \"365d\"", "expires = \"0d\"", "is no lifetime");
        check("[channels.alpha]", "[channels.targets]", "a channel cannot be `targets`");
        check("[channels.alpha]", "[channels.Alpha]", "is no name of a channel");
        check("[roles.root]", "[roles.mirrors]", "mirrors");
    }
}
