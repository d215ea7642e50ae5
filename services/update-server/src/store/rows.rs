//! What the tables hold, as typed values.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Row, StoreError};
use crate::{
    ids::{AppId, ChannelId, GroupId, MachineId, PackageId, UpstreamId},
    policy::Policy,
};

/// What is updated: an operating system, or anything else that speaks Omaha.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Application {
    /// Its GUID, lower case, without braces.
    pub id: AppId,
    /// A name by which it may be called too, such as `io.slipway.host`.
    pub product_id: Option<String>,
    /// Its name for people.
    pub label: String,
    /// What it is.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A processor architecture, with the numbers of Nebraska.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Any; CoreUpdate knows no architectures.
    #[default]
    All,
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
    /// 32-bit x86.
    X86,
}

/// A set of machines with one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Whose it is.
    pub app: AppId,
    /// Its id, unique in the application.
    pub id: GroupId,
    /// Its name for people.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// What clients say in `app/@track` to be in it, beside the id.
    pub track: String,
    /// Where its version comes from.
    pub channel: Option<ChannelId>,
    /// Who gets what, and when.
    pub policy: Policy,
    /// Why it stopped by itself; absent if it did not.
    pub stopped_reason: Option<String>,
    /// Attempts before this time do not count for the automatic stop.
    pub resumed_at: Timestamp,
    /// The version that is being rolled out now.
    pub rolling_version: Option<String>,
    /// Since when.
    pub rolling_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A name that points to a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Whose it is.
    pub app: AppId,
    /// Its name, unique per application and architecture.
    pub label: String,
    /// For which machines.
    pub arch: Arch,
    /// A colour for charts, such as `#1a6b8f`.
    pub color: String,
    /// What it points to.
    pub package: Option<PackageId>,
    /// Whether others may see it without an account (CoreUpdate's `publish`).
    pub publish: bool,
    /// The upstream that it follows, empty if none.
    pub upstream: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last came to point to something else; rollouts count from then.
    pub changed_at: Timestamp,
}

/// What a package is, with the numbers of Nebraska.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// A payload of update_engine (Flatcar, Container Linux), or a release of Slipway.
    #[default]
    Os,
    /// A container image.
    Container,
    /// An App Container Image.
    Rocket,
    /// Anything else.
    Other,
}

/// Where a package came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Somebody entered it.
    #[default]
    Manual,
    /// It is a signed release of a repository that was verified.
    Release,
    /// It was copied from an upstream server.
    Upstream,
}

/// A version that machines can get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// Whose it is.
    pub app: AppId,
    /// Its version, unique per application and architecture.
    pub version: String,
    /// For which machines.
    pub arch: Arch,
    /// What it is.
    pub kind: PackageKind,
    /// Where it came from.
    pub origin: Origin,
    /// The folder in which its files are (`codebase`). Relative ones (`repository/…`) are below the server's own address.
    pub url: String,
    /// The name of its first file.
    pub file: String,
    /// The length of that file, in bytes.
    pub size: u64,
    /// Its SHA-1, base64; empty if unknown.
    pub sha1: String,
    /// Its SHA-256, lower-case hexadecimal; empty if unknown.
    pub sha256: String,
    /// CoreUpdate's `metadataSize`, empty if none.
    pub metadata_size: String,
    /// CoreUpdate's `metadataSignatureRsa`, empty if none.
    pub metadata_signature: String,
    /// Where release notes are, or their text.
    pub release_notes: String,
    /// What it is.
    pub description: String,
    /// CoreUpdate's `required`.
    pub required: bool,
    /// Whether clients shall not wait longer after each failure (`DisablePayloadBackoff`).
    pub no_backoff: bool,
    /// Whether its file is a difference to another version (`IsDeltaPayload`).
    pub is_delta: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// More files, such as extensions.
    pub files: Vec<PackageFile>,
}

/// A file of a package beside the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Its name below the package's folder.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-1, base64.
    #[serde(default)]
    pub sha1: String,
    /// Its SHA-256, lower-case hexadecimal.
    #[serde(default)]
    pub sha256: String,
    /// Whether the update is incomplete without it.
    #[serde(default)]
    pub required: bool,
}

/// A version that a channel's machines may not skip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Floor {
    /// In which channel.
    pub channel: ChannelId,
    /// Which package.
    pub package: PackageId,
    /// Why.
    pub reason: String,
}

/// What a machine does, with the numbers of Nebraska.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing is known but that it asks.
    #[default]
    Undefined,
    /// It may update, and has not begun.
    Granted,
    /// Its last update failed.
    Error,
    /// It runs what it was granted.
    Complete,
    /// It has installed, and waits for its reboot.
    Installed,
    /// It has downloaded.
    Downloaded,
    /// It downloads.
    Downloading,
    /// There is an update for it, and it must wait.
    OnHold,
}

/// A machine, in one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Which application.
    pub app: AppId,
    /// Which machine.
    pub machine: MachineId,
    /// The group that it was in when it asked last.
    pub group: GroupId,
    /// What it said in `track`.
    pub track: String,
    /// The version that it runs.
    pub version: String,
    /// Its architecture.
    pub arch: Arch,
    /// Its platform, `qemu` or `ami`.
    pub oem: String,
    /// The version of that.
    pub oem_version: String,
    /// The version that was installed first.
    pub aleph_version: String,
    /// The alias that it gave itself (`machinealias`).
    pub alias: String,
    /// The alias that an operator gave it; it wins over its own.
    pub given_alias: String,
    /// The address that it asked from.
    pub ip: String,
    /// The id of its last boot.
    pub boot_id: String,
    /// Why it asked last: `scheduler` or `ondemandupdate`.
    pub install_source: String,
    /// What it does.
    pub status: Status,
    /// Since when.
    pub status_since: Timestamp,
    /// The version that it was granted last.
    pub update_version: Option<String>,
    /// When.
    pub granted_at: Option<Timestamp>,
    /// The error of its last update, without flag bits.
    pub error_code: Option<i64>,
    /// The type of its last event.
    pub event_type: Option<i64>,
    /// The result of its last event.
    pub event_result: Option<i64>,
    /// The version that an operator pinned it to.
    pub pin: Option<String>,
    /// When it asked first.
    pub first_seen: Timestamp,
    /// When it asked last.
    pub last_seen: Timestamp,
}

/// Something that happened to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number; later ones are higher.
    pub id: i64,
    /// Which application.
    pub app: AppId,
    /// Which group.
    pub group: GroupId,
    /// Which machine.
    pub machine: MachineId,
    /// When.
    pub at: Timestamp,
    /// `event` (the machine said so), `granted`, `expired` or `hold` (the server did).
    pub kind: String,
    /// The Omaha event type, if the machine said so.
    pub event_type: Option<i64>,
    /// The Omaha event result, if the machine said so.
    pub event_result: Option<i64>,
    /// The error, without flag bits.
    pub error_code: Option<i64>,
    /// What the machine does since.
    pub status: Status,
    /// The version that it ran.
    pub version: String,
    /// The version that it was granted.
    pub update_version: Option<String>,
    /// Its platform.
    pub oem: String,
    /// Why it asked.
    pub install_source: String,
}

/// A server that channels and packages are copied from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// Its address.
    pub url: String,
    /// Its name for people.
    pub label: String,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many to leave out.
    pub skip: u64,
    /// How many at most.
    pub limit: u64,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paged<T> {
    /// The part.
    pub items: Vec<T>,
    /// How long the list is.
    pub total: u64,
}

impl Page {
    /// The first `limit`.
    pub fn first(limit: u64) -> Self {
        Self { skip: 0, limit }
    }
}

macro_rules! numbered {
    ($name:ident, $what:literal, $($variant:ident = $number:literal $text:literal),+) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its number with Nebraska, and in the database.
            pub fn number(self) -> i64 {
                match self { $(Self::$variant => $number),+ }
            }

            /// By its number.
            pub fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// As text, as the API says it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, StoreError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(StoreError::Invalid { what: $what, value: text.chars().take(64).collect() }),
                }
            }
        }
    };
}

numbered!(Arch, "architecture", All = 0 "all", Amd64 = 1 "amd64", Arm64 = 2 "arm64", X86 = 3 "x86");
numbered!(PackageKind, "kind of package", Os = 1 "os", Container = 2 "container", Rocket = 3 "rocket", Other = 4 "other");
numbered!(Origin, "origin", Manual = 1 "manual", Release = 2 "release", Upstream = 3 "upstream");
numbered!(
    Status, "status", Undefined = 1 "undefined", Granted = 2 "granted", Error = 3 "error", Complete = 4 "complete",
    Installed = 5 "installed", Downloaded = 6 "downloaded", Downloading = 7 "downloading", OnHold = 8 "on-hold"
);

impl Status {
    /// Whether an update is under way.
    pub fn in_progress(self) -> bool {
        matches!(self, Self::Granted | Self::Downloading | Self::Downloaded | Self::Installed)
    }
}

impl Arch {
    /// Whether something for `self` suits a machine of `machine`.
    pub fn suits(self, machine: Self) -> bool {
        self == Self::All || machine == Self::All || self == machine
    }
}

impl Instance {
    /// The name that people know it by: the given alias, its own, or its id.
    pub fn name(&self) -> &str {
        [self.given_alias.as_str(), self.alias.as_str()]
            .into_iter()
            .find(|alias| !alias.is_empty())
            .unwrap_or(self.machine.as_str())
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            app: AppId::stored(row.text("app_id")?),
            machine: MachineId::stored(row.text("machine_id")?),
            group: GroupId::stored(row.text("group_id")?),
            track: row.text("track")?,
            version: row.text("version")?,
            arch: Arch::from_number(row.number("arch")?).unwrap_or_default(),
            oem: row.text("oem")?,
            oem_version: row.text("oem_version")?,
            aleph_version: row.text("aleph_version")?,
            alias: row.text("alias")?,
            given_alias: row.text("given_alias")?,
            ip: row.text("ip")?,
            boot_id: row.text("boot_id")?,
            install_source: row.text("install_source")?,
            status: Status::from_number(row.number("status")?).unwrap_or_default(),
            status_since: row.time("status_since")?,
            update_version: row.text_or_none("update_version")?,
            granted_at: row.time_or_none("granted_at")?,
            error_code: row.number_or_none("error_code")?,
            event_type: row.number_or_none("event_type")?,
            event_result: row.number_or_none("event_result")?,
            pin: row.text_or_none("pin")?,
            first_seen: row.time("first_seen")?,
            last_seen: row.time("last_seen")?,
        })
    }
}

impl Event {
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.number("id")?,
            app: AppId::stored(row.text("app_id")?),
            group: GroupId::stored(row.text("group_id")?),
            machine: MachineId::stored(row.text("machine_id")?),
            at: row.time("at")?,
            kind: row.text("kind")?,
            event_type: row.number_or_none("event_type")?,
            event_result: row.number_or_none("event_result")?,
            error_code: row.number_or_none("error_code")?,
            status: Status::from_number(row.number("status")?).unwrap_or_default(),
            version: row.text("version")?,
            update_version: row.text_or_none("update_version")?,
            oem: row.text("oem")?,
            install_source: row.text("install_source")?,
        })
    }
}
