//! The arguments of the verbs around releases.

use clap::{Args, Subcommand};

/// Where releases are, and what is trusted.
#[derive(Clone, Debug, Args)]
pub(crate) struct Releases {
    /// Where releases are published to: a folder, or s3://BUCKET/PREFIX [default: `slipway/releases` in the data folder]
    #[arg(long, value_name = "PLACE")]
    pub(crate) releases: Option<slipway_store::RemoteAddress>,
    /// The folder of key files [default: `slipway/keys` in the data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<camino::Utf8PathBuf>,
    /// The root metadata to trust [default: `root.json` beside the keys]
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<camino::Utf8PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make the keys of signing/roles.toml that are not there, and a repository with empty channels
    Init {
        #[command(flatten)]
        releases: Releases,
        /// Make keys without a passphrase, marked as unfit for stable
        #[arg(long)]
        development: bool,
    },
    /// Replace keys that are here by new ones, and tell the repository; clients follow. Machines that have enrolled a key of Secure
    /// Boot do not: they have to be told
    Rotate {
        #[command(flatten)]
        releases: Releases,
        /// The keys, by their names in signing/roles.toml, or secure-boot-pk, -kek, -db; none if the file alone has changed
        #[arg(value_name = "KEY")]
        names: Vec<slipway_signing::KeyName>,
        /// Make keys without a passphrase, marked as unfit for stable
        #[arg(long)]
        development: bool,
    },
    /// Make the key of somebody who rebuilds releases, and print its public half for the file of a channel
    Attest {
        #[command(flatten)]
        releases: Releases,
        /// The name of the key
        #[arg(value_name = "KEY")]
        name: slipway_signing::KeyName,
    },
    /// Show which keys each role has, and which are here
    List {
        #[command(flatten)]
        releases: Releases,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChannelVerb {
    /// Show what each channel points to, how many signed, and when that expires
    Status {
        #[command(flatten)]
        releases: Releases,
    },
    /// Publish the floors and the revoked versions of channels/CHANNEL.toml
    Policy {
        #[command(flatten)]
        releases: Releases,
        /// The channel
        channel: slipway_signing::ChannelName,
        /// Say what would be signed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(crate) releases: Releases,
    /// The channel
    #[arg(long, default_value = "alpha")]
    pub(crate) channel: slipway_signing::ChannelName,
    /// The image, a file of packages-manifest/images
    #[arg(long, default_value = "production")]
    pub(crate) image: String,
    /// Boot the image in QEMU before it is published, and say in the record that it passed
    #[arg(long)]
    pub(crate) test: bool,
    /// Publish the packages for builds elsewhere too, which take them with `--binhost`
    #[arg(long)]
    pub(crate) share: bool,
    /// Build, and say what would be published
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    pub(crate) releases: Releases,
    /// The channel that has the release
    #[arg(long)]
    pub(crate) from: slipway_signing::ChannelName,
    /// The channel that gets it
    #[arg(long)]
    pub(crate) to: slipway_signing::ChannelName,
    /// The release, such as `4.2.0`
    pub(crate) version: String,
    /// Permit a release that is older than the channel's newest
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
    /// Say what would be signed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    pub(crate) releases: Releases,
    /// The channel whose signers are wanted
    #[arg(long)]
    pub(crate) role: slipway_signing::ChannelName,
    /// Show what would be signed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    pub(crate) releases: Releases,
    /// The channel that has the release
    #[arg(long, default_value = "alpha")]
    pub(crate) from: slipway_signing::ChannelName,
    /// The key that signs, by its name in the file of a channel; `cargo xtask key attest` makes it
    #[arg(long)]
    pub(crate) key: slipway_signing::KeyName,
    /// Build in this folder, which shares nothing with the cache [default: build with what the cache has]
    #[arg(long, value_name = "DIR")]
    pub(crate) second: Option<camino::Utf8PathBuf>,
    /// The release, such as `4.2.0`; its sources must be checked out
    pub(crate) version: String,
    /// Build and compare, and sign nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Ci {
    /// The pipeline: a file of ci/ without `.toml`, or the path of another file
    pub(crate) pipeline: camino::Utf8PathBuf,
    /// Give a parameter of the pipeline a value
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    /// Keep what each stage did in this folder [default: `ci/PIPELINE` in the cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) records: Option<camino::Utf8PathBuf>,
    /// Say which stages would run, and why
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}
