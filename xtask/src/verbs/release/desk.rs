//! Where releases go, what signs them, and what a client would see of them.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use jiff::Timestamp as Time;
use slipway_channels::{Change, Channel, Progress, RemoteTransport, Repository, State};
use slipway_signing::{ChannelName, ClientConfig, RoleName, Roles, Verified};
use slipway_store::RemoteAddress;

use super::{holders::Holders, programs::ProgramSigner};
use crate::{cli::Releases, context::Context, environment, place, report::say};

pub(super) struct Desk {
    pub(super) repository: Repository,
    pub(super) address: RemoteAddress,
    pub(super) holders: Holders,
    /// Signs programs, if `roles.toml` says that they are signed.
    pub(super) programs: Option<ProgramSigner>,
    /// The file of the root that this machine trusts.
    pub(super) root: Utf8PathBuf,
    pub(super) now: Time,
}

/// The roles of the repository.
pub(super) fn roles(context: &Context) -> anyhow::Result<Roles> {
    let file = context.project.root().join("signing/roles.toml");
    Ok(Roles::parse("signing/roles.toml", &fs_err::read_to_string(file)?)?)
}

/// Where keys are: the flag, else the variable, else the user's data.
pub(super) fn key_folder(flag: Option<&Utf8PathBuf>) -> anyhow::Result<Utf8PathBuf> {
    flag.cloned().map_or_else(environment::keys_dir, Ok)
}

/// The time of this machine.
pub(super) fn now() -> anyhow::Result<Time> {
    Ok(Time::from_second(i64::try_from(environment::now())?)?)
}

impl Desk {
    pub(super) fn open(context: &Context, args: &Releases) -> anyhow::Result<Self> {
        let address = match args.releases.clone() {
            Some(address) => address,
            None => match environment::get("SLIPWAY_RELEASES") {
                Some(text) => text.parse()?,
                None => RemoteAddress::Folder(environment::data_dir()?.join("releases")),
            },
        };
        let (roles, keys, now) = (roles(context)?, key_folder(args.keys.as_ref())?, now()?);
        let root = args.root.clone().unwrap_or_else(|| keys.join("root.json"));
        let repository = Repository::new(place::open(&address)?);
        let programs = ProgramSigner::new(&roles, &keys);
        Ok(Self { repository, address, holders: Holders::new(roles, keys), programs, root, now })
    }

    /// The root that this machine trusts.
    pub(super) fn trusted(&self) -> anyhow::Result<Vec<u8>> {
        fs_err::read(&self.root).with_context(|| {
            format!("the root that is trusted should be `{}`; `cargo xtask key init` makes one, `--root` names another", self.root)
        })
    }

    pub(super) async fn state(&self) -> anyhow::Result<State> {
        Ok(self.repository.load(&self.trusted()?).await?)
    }

    /// What a client sees that knows only the trusted root.
    pub(super) async fn look(&self) -> anyhow::Result<(Verified, tempfile::TempDir)> {
        let memory = tempfile::tempdir()?;
        let config = ClientConfig {
            root: self.trusted()?,
            metadata: RemoteTransport::metadata(),
            targets: RemoteTransport::targets(),
            memory: Utf8PathBuf::try_from(memory.path().to_owned())?,
        };
        let transport = RemoteTransport::new(self.repository.remote().clone());
        let seen = slipway_signing::verify(config, transport).await;
        let seen = seen.map_err(|error| match error.expired() {
            Some(role) => {
                let remedy = remedy(&role);
                anyhow::Error::new(error)
                    .context(format!("clients refuse what has expired; {remedy}"))
            }
            None => error.into(),
        })?;
        Ok((seen, memory))
    }

    /// Applies a change, or says what it would be.
    pub(super) async fn apply(
        &mut self,
        state: State,
        change: Change,
        dry_run: bool,
    ) -> anyhow::Result<()> {
        for line in &change.summary {
            say(line);
        }
        if dry_run {
            say("nothing was done (--dry-run)");
            return Ok(());
        }
        let now = self.now;
        let progress = self.repository.apply(state, change, &mut self.holders, now).await?;
        tell(&progress);
        Ok(())
    }
}

/// What renews the metadata of a role.
pub(super) fn remedy(role: &RoleName) -> &'static str {
    match role {
        RoleName::Timestamp | RoleName::Snapshot => "`cargo xtask refresh` renews it",
        RoleName::Channel(_) => "the next release or promotion renews it",
        RoleName::Targets | RoleName::Root => "`cargo xtask key rotate` renews it",
    }
}

/// Says how far something has come.
pub(super) fn tell(progress: &Progress) {
    match progress {
        Progress::Unchanged => say("the channel says so already"),
        Progress::Waiting { role, valid, threshold } => say(format_args!(
            "{valid} of {threshold} signatures; another holder runs: cargo xtask sign --role {role}"
        )),
        Progress::Signed { role } => say(format_args!(
            "enough have signed; who has the keys of snapshot and timestamp publishes it: cargo xtask sign --role {role}"
        )),
        Progress::Published { snapshot } => say(format_args!("published as snapshot {snapshot}")),
    }
}

/// A channel, as its file says.
pub(super) fn channel(context: &Context, name: &ChannelName) -> anyhow::Result<Channel> {
    let file = format!("channels/{name}.toml");
    let text = fs_err::read_to_string(context.project.root().join(&file))
        .with_context(|| format!("there is no channel `{name}`"))?;
    Ok(Channel::parse(name.clone(), &file, &text)?)
}
