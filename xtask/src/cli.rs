//! The arguments, and with them the help.

mod release;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use release::{Attest, ChannelVerb, Ci, KeyVerb, Promote, Release, Releases, Sign};
use slipway_packages_manifest::Size;

/// Build, run and test Slipway Linux
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Run containers with this engine [default: embedded for root, else Docker]
    #[arg(long, global = true, value_enum)]
    pub(crate) engine: Option<EngineChoice>,
    /// Take Debian packages and sources from this mirror [default: the first one of APT's configuration]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Run so many builds and make jobs side by side [default: the number of cores]
    #[arg(long, short, global = true, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Print events or results as JSON, one document per line, to standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Take packages, images and the SDK's lock file from this repository [default: the one of this program]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) repository: Option<camino::Utf8PathBuf>,
    /// Take packages that were built elsewhere from here: a folder, or s3://BUCKET/PREFIX; `release --share` puts them there
    #[arg(long, global = true, value_name = "PLACE")]
    pub(crate) binhost: Option<slipway_store::RemoteAddress>,
    /// Leave the container of a failed build in place; its log says how to enter it
    #[arg(long, global = true)]
    pub(crate) keep_failed: bool,
    /// After a failure, go on with what does not depend on it
    #[arg(long, global = true)]
    pub(crate) keep_going: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    Auto,
    Docker,
    Embedded,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Build a disk image from source
    BuildImage(BuildImage),
    /// Build packages and what they need
    BuildPackages(Atoms),
    /// Say what building an image would do, and why
    Plan(ImageArgs),
    /// Say why a package would be rebuilt
    Why(Why),
    /// Download the sources of an image
    Fetch(ImageArgs),
    /// Boot an image in QEMU
    Run(RunArgs),
    /// Open a shell in the SDK, or run a command as a build would: without network, on a read-only SDK
    Shell(ShellArgs),
    /// Run the project's tests
    Test(TestArgs),
    /// Check formatting, lints and the rules of this repository
    Tidy(Tidy),
    /// Write the digests of new sources into Manifests, and drop those of sources that no ebuild names
    Manifest(ManifestArgs),
    /// Measure the numbers of the design and print them as a table
    Bench(BenchArgs),
    /// Manage the SDK
    #[command(subcommand)]
    Sdk(Sdk),
    /// Remove what was not used for some days, or is too much
    Clean(Clean),
    /// Make and list the keys that sign releases
    #[command(subcommand)]
    Key(KeyVerb),
    /// Build an image, and publish it to a channel
    Release(Release),
    /// Take a release from one channel to the next: the same bits, signed by others
    Promote(Promote),
    /// Add this machine's signatures to what waits for them
    Sign(Sign),
    /// Build a release again, and sign that the same bits came out
    Attest(Attest),
    /// Renew what expires first, without offline keys
    Refresh(Releases),
    /// Show what the channels point to
    #[command(subcommand)]
    Channel(ChannelVerb),
    /// Check every signature, digest and expiry, as a client does
    Verify(Releases),
    /// Run a pipeline of ci/, and go on where the last run stopped
    Ci(Ci),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImageArgs {
    /// The image, a file of packages-manifest/images
    #[arg(long, default_value = "production")]
    pub(crate) image: String,
    /// The platform, a file of packages-manifest/platforms
    #[arg(long, default_value = "metal")]
    pub(crate) platform: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BuildImage {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The channel that the image is meant for; part of its file name, never of the image
    #[arg(long, value_enum, default_value = "alpha")]
    pub(crate) channel: Channel,
    /// The architecture
    #[arg(long, value_enum, default_value = "amd64")]
    pub(crate) arch: Arch,
    /// Sign the programs that the firmware starts; without keys, some for development are made. The value says when the boot loader
    /// enrols the certificates [default without a value: if-safe for qcow2, manual for raw disks]
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true)]
    pub(crate) secure_boot: Option<Option<Enrol>>,
}

/// When the boot loader hands the certificates to firmware that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Enrol {
    /// When somebody chooses so in its menu
    Manual,
    /// By itself in virtual machines
    IfSafe,
}

impl From<Enrol> for slipway_image::Enrol {
    fn from(enrol: Enrol) -> Self {
        match enrol {
            Enrol::Manual => Self::Manual,
            Enrol::IfSafe => Self::IfSafe,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Channel {
    Alpha,
    Beta,
    Stable,
}

impl Channel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Stable => "stable",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    Amd64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Atoms {
    /// Packages, such as `sys-apps/systemd`
    #[arg(required = true, value_name = "ATOM")]
    pub(crate) atoms: Vec<slipway_packages_manifest::Atom>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Tidy {
    /// Check the ebuilds instead, with Gentoo's pkgcheck
    #[arg(long)]
    pub(crate) ebuilds: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ManifestArgs {
    /// Packages, such as `sys-apps/systemd` [default: all]
    #[arg(value_name = "ATOM")]
    pub(crate) atoms: Vec<slipway_packages_manifest::Atom>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// A package or another action, or a part of its name
    pub(crate) name: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The port of this machine that leads to ssh in the guest
    #[arg(long, default_value_t = 2222)]
    pub(crate) ssh_port: u16,
    /// A public key that may log in as `core`, a file
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_key: Option<camino::Utf8PathBuf>,
    /// Megabytes of memory
    #[arg(long, default_value_t = 2048)]
    pub(crate) memory: u32,
    /// Emulated processors [default: 2, where this machine has them; 1 with --secure-boot, which cannot have more]. QEMU 10 rarely
    /// loses the timer of one after the first: then nothing follows "Loaded initrd", and the guest is to be started again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) cores: Option<u8>,
    /// Boot this raw disk image instead of building one; it is not written to
    #[arg(long, value_name = "FILE")]
    pub(crate) disk: Option<camino::Utf8PathBuf>,
    /// Give the guest a disk of so many gigabytes
    #[arg(long, default_value_t = 8)]
    pub(crate) disk_size: u32,
    /// Keep what the guest writes in this folder, and go on from there the next time, whatever was built since [default: forget it]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<camino::Utf8PathBuf>,
    /// Hand a systemd credential to the guest
    #[arg(long = "credential", value_name = "NAME=VALUE")]
    pub(crate) credentials: Vec<String>,
    /// Take firmware that can do Secure Boot: the first boot of a signed disk enrols its certificates and ends, if the disk may
    #[arg(long)]
    pub(crate) secure_boot: bool,
    /// Log each write and flush of the guest's disk in `writes.log` of the state folder, as Linux's dm-log-writes does
    #[arg(long, requires = "state")]
    pub(crate) log_writes: bool,
    /// Let the guest update itself from this server, on the channel alpha; this machine is 10.0.2.2 for it
    #[arg(long, value_name = "URL")]
    pub(crate) update_server: Option<url::Url>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShellArgs {
    /// Show this folder at this place, read-only
    #[arg(long = "mount", value_name = "DIR=PLACE", value_parser = mount)]
    pub(crate) mounts: Vec<(camino::Utf8PathBuf, camino::Utf8PathBuf)>,
    /// The command [default: an interactive bash]
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

fn mount(text: &str) -> Result<(camino::Utf8PathBuf, camino::Utf8PathBuf), String> {
    match text.split_once('=') {
        Some((dir, place)) if place.starts_with('/') => Ok((dir.into(), place.into())),
        _ => Err("it is not of the form DIR=/PLACE".to_owned()),
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TestArgs {
    /// What to test [default: units, then boot and update]
    #[command(subcommand)]
    pub(crate) suite: Option<Suite>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Suite {
    /// Test the crates and the command line
    Units(CargoArgs),
    /// Build `minimal`, and boot it in QEMU
    Boot(CargoArgs),
    /// Release several versions of `minimal`, and update a machine in QEMU from one to the next
    Update(CargoArgs),
    /// Update a machine in QEMU twenty times, or as often as SLIPWAY_TEST_UPDATES says, and look for what piles up
    Soak(CargoArgs),
    /// Build an image a second time, in another place, by another engine, with other jobs, and compare every digest
    Reproducible(Reproducible),
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CargoArgs {
    /// Arguments for `cargo test`, for example `-p slipway-store`
    #[arg(last = true, value_name = "ARG")]
    pub(crate) args: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Reproducible {
    /// The image
    #[arg(long, default_value = "minimal")]
    pub(crate) image: String,
    /// Compare only these packages, such as `sys-libs/zlib`, and what they need
    #[arg(value_name = "ATOM")]
    pub(crate) atoms: Vec<slipway_packages_manifest::Atom>,
    /// Where the second build is made; what is there is used [default: a folder in the cache that is removed afterwards]
    #[arg(long, value_name = "DIR")]
    pub(crate) second: Option<camino::Utf8PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure
    #[arg(value_enum, default_values_t = [Row::Noop, Row::Leaf, Row::Boot, Row::Size])]
    pub(crate) rows: Vec<Row>,
    /// The image
    #[arg(long, default_value = "minimal")]
    pub(crate) image: String,
    /// Measure each number so many times
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Keep what `cold` builds in this empty folder
    #[arg(long, value_name = "DIR")]
    pub(crate) cold_cache: Option<camino::Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `server` and `day` measure.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerArgs {
    /// An empty database of PostgreSQL for `server` and `day` [default: a fresh file of SQLite]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// How many instances the server knows, one measurement each, growing
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    pub(crate) instances: Vec<u64>,
    /// Seconds of load of each run of `server`
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
    /// Requests at once
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub(crate) connections: u16,
    /// Hosts of `day`
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) hosts: u64,
    /// Hours of `day`; the good release comes after a 24th of them, the bad one in the middle
    #[arg(long, default_value_t = 24)]
    pub(crate) hours: u32,
    /// Checks per second of `day`, from which follows how fast its clock goes
    #[arg(long, value_name = "COUNT", default_value_t = 4_000)]
    pub(crate) rate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// A build of an image when nothing has changed
    Noop,
    /// From a change in a small package to a new disk
    Leaf,
    /// A small package, beside the bare `emerge`
    Emerge,
    /// Boot time and memory of a guest
    Boot,
    /// The compressed size of `/usr`
    Size,
    /// Everything from nothing; takes an hour
    Cold,
    /// The update server under load; takes minutes for a million instances
    Server,
    /// A day of a fleet in compressed time, with a bad release
    Day,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Sdk {
    /// Lock the mirror's present versions
    Update,
    /// Make the SDK root and say where it is
    Path,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Clean {
    /// Keep what was used in so many days
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u64,
    /// Keep what was used last, so much of what was built and fetched (the SDK and logs not counted), whatever its age; 20G, 512M …
    #[arg(long, conflicts_with = "days")]
    pub(crate) max_size: Option<Size>,
    /// Say what would go, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn folders_of_a_shell_have_a_place() {
        #[track_caller]
        fn check(text: &str, expected: Option<(&str, &str)>) {
            let expected = expected.map(|(dir, place)| (dir.into(), place.into()));
            assert_eq!(mount(text).ok(), expected);
        }
        check("releases=/mnt", Some(("releases", "/mnt")));
        check("/a/b=/c/d", Some(("/a/b", "/c/d")));
        check("releases", None);
        check("releases=mnt", None);
    }

    #[test]
    fn secure_boot_is_asked_for() {
        #[track_caller]
        fn check(args: &[&str], expected: Option<Option<Enrol>>) {
            let all = ["cargo xtask", "build-image"].iter().chain(args);
            let Verb::BuildImage(build) = Cli::parse_from(all).verb else { unreachable!() };
            assert_eq!(build.secure_boot, expected);
        }
        check(&[], None);
        check(&["--secure-boot"], Some(None));
        check(&["--secure-boot", "--image", "minimal"], Some(None));
        check(&["--secure-boot=if-safe"], Some(Some(Enrol::IfSafe)));
        check(&["--secure-boot=manual"], Some(Some(Enrol::Manual)));
    }
}
