//! The errors of this crate.

use slipway_packages_manifest::Version;
use slipway_signing::{ChannelName, RoleName, SigningError};
use slipway_store::{RemoteError, StoreError};

/// Why something cannot be published or promoted.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("cannot read `{file}`")]
    Parse {
        /// The file, as the caller named it.
        file: String,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value of a channel's file that breaks a rule.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// The file, as the caller named it.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Keys or signatures.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The object store.
    #[error("the repository cannot be reached")]
    Remote {
        /// Why not.
        #[source]
        source: RemoteError,
    },
    /// The local store.
    #[error("the local store failed")]
    Store {
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A repository that nobody has made yet.
    #[error("there is no repository here; `cargo xtask key init` makes one")]
    NoRepository,
    /// A repository that is there already.
    #[error("there is a repository here already")]
    IsRepository,
    /// A repository that others began.
    #[error(
        "a repository with other keys is here, or was begun here; use its keys, or publish to another place"
    )]
    OtherKeys,
    /// Metadata that is not there though other metadata speaks of it.
    #[error("`{name}` is not in the repository")]
    Lost {
        /// The object.
        name: String,
    },
    /// Metadata with other bytes than other metadata says.
    #[error("`{name}` is not what the snapshot says")]
    Mixed {
        /// The object.
        name: String,
    },
    /// Two at the same time.
    #[error(
        "somebody else published to this repository meanwhile; nothing is lost, run the command again"
    )]
    Conflict,
    /// A record that cannot be read or written.
    #[error(transparent)]
    Record(#[from] slipway_payload::RecordError),
    /// A record whose version is none.
    #[error("the release record cannot be used")]
    RecordVersion(#[source] slipway_packages_manifest::VersionError),
    /// A version that the channel has.
    #[error("`{channel}` has {version} already, with other content; a release never changes")]
    Exists {
        /// The channel.
        channel: ChannelName,
        /// The version.
        version: Version,
    },
    /// A version that the channel does not have.
    #[error("`{channel}` has no release {version}; it has {known}")]
    NoRelease {
        /// The channel.
        channel: ChannelName,
        /// The version.
        version: Version,
        /// All its releases.
        known: String,
    },
    /// A channel that takes its releases from elsewhere.
    #[error("`{to}` takes its releases from {expected}, not from {given}")]
    Skips {
        /// The channel.
        to: ChannelName,
        /// Where its releases come from.
        expected: String,
        /// Where this one would come from.
        given: String,
    },
    /// An older release than the channel's newest.
    #[error(
        "`{channel}` is at {newest}; {version} would take its machines back (`--allow-downgrade` permits it)"
    )]
    Downgrade {
        /// The channel.
        channel: ChannelName,
        /// Its newest release.
        newest: Version,
        /// The release that was asked for.
        version: Version,
    },
    /// A release that has not been long enough where it comes from.
    #[error("{version} came to `{from}` {hours} hours ago; `{to}` wants {wanted}")]
    NotSoaked {
        /// The release.
        version: Version,
        /// Where it is.
        from: ChannelName,
        /// Where it would go.
        to: ChannelName,
        /// How long it has been there.
        hours: i64,
        /// How long it must be, in hours.
        wanted: i64,
    },
    /// A test that must have passed.
    #[error("{version} has no record that the test `{test}` passed, and `{channel}` wants one")]
    Untested {
        /// The release.
        version: Version,
        /// The channel.
        channel: ChannelName,
        /// The test.
        test: String,
    },
    /// A release that nobody shall install.
    #[error("`{channel}` has revoked {version}: {reason}")]
    Revoked {
        /// The channel.
        channel: ChannelName,
        /// The release.
        version: Version,
        /// Why.
        reason: String,
    },
    /// A version that machines must not skip, and cannot install.
    #[error(
        "{version} is a floor of `{channel}`, which has no such release (it has {known}): machines below it could never go on; promote it first"
    )]
    FloorMissing {
        /// The channel.
        channel: ChannelName,
        /// The floor.
        version: Version,
        /// All releases of the channel.
        known: String,
    },
    /// A policy that cannot be read or written.
    #[error(transparent)]
    Policy(#[from] slipway_payload::PolicyError),
    /// Too few who built it again and found the same.
    #[error(
        "{version} was rebuilt by {valid} of the {threshold} that `{channel}` wants; missing are some of {missing}, who run `cargo xtask attest {version}`"
    )]
    NotRebuilt {
        /// The release.
        version: Version,
        /// The channel.
        channel: ChannelName,
        /// How many have.
        valid: usize,
        /// How many must.
        threshold: usize,
        /// Who has not.
        missing: String,
    },
    /// A rebuild that came out otherwise.
    #[error("the rebuild of {version} is not what was released: {files} differ")]
    Differs {
        /// The release.
        version: String,
        /// The files.
        files: String,
    },
    /// A release whose images trust a root that does not follow from the one that is trusted here.
    #[error(
        "the images of {version} trust the root {sha256}, which is neither the one that is trusted here nor one that came after it; if it came before and you know it to be genuine, name it with `--root`"
    )]
    OtherRoot {
        /// The release.
        version: String,
        /// The digest of that root.
        sha256: String,
    },
    /// Something waits for signatures that the channel has left behind.
    #[error(
        "what waits for signatures of `{role}` is older than what the channel says now; start again from the promotion"
    )]
    Outdated {
        /// The role.
        role: RoleName,
    },
    /// Metadata that gives away what only the channel's keys may do.
    #[error(
        "what waits for signatures of `{role}` delegates to other keys; do not sign it, and start again from the promotion"
    )]
    Delegates {
        /// The role.
        role: RoleName,
    },
    /// A role that nobody asked to sign.
    #[error("nothing waits for signatures of `{role}`")]
    NothingPending {
        /// The role.
        role: RoleName,
    },
}

impl ChannelError {
    pub(crate) fn remote(source: RemoteError) -> Self {
        Self::Remote { source }
    }
}
