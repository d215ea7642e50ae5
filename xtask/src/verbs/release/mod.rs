//! `key`, `release`, `promote`, `sign`, `refresh`, `channel` and `verify`: from an image to a channel that clients can trust.

mod holders;
mod programs;
mod record;

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use jiff::Timestamp as Time;
use slipway_channels::{
    Change, Channel, Progress, PromoteOptions, Repository, State, promote, release,
};
use slipway_packages_manifest::Version;
use slipway_signing::{
    BootRole, ChannelName, ClientConfig, KeyMark, KeyName, PublicKey, Roles, SigningError, Verified,
};
use slipway_store::Remote;

use crate::{
    cli::{ChannelVerb, KeyVerb, Promote, Release, Releases, Sign},
    context::Context,
    environment,
    report::{print, say},
};
use holders::Holders;
pub(crate) use programs::ProgramSigner;

/// Where releases go, and what signs them.
struct Desk {
    repository: Repository,
    folder: Utf8PathBuf,
    holders: Holders,
    /// Signs programs, if `roles.toml` says that they are signed.
    programs: Option<ProgramSigner>,
    root: Utf8PathBuf,
    now: Time,
}

/// The roles of the repository.
fn roles(context: &Context) -> anyhow::Result<Roles> {
    let file = context.project.root().join("signing/roles.toml");
    Ok(Roles::parse("signing/roles.toml", &fs_err::read_to_string(file)?)?)
}

/// Where keys are: the flag, else the variable, else the user's data.
fn key_folder(flag: Option<&Utf8PathBuf>) -> anyhow::Result<Utf8PathBuf> {
    flag.cloned().map_or_else(environment::keys_dir, Ok)
}

fn now() -> anyhow::Result<Time> {
    Ok(Time::from_second(i64::try_from(environment::now())?)?)
}

impl Desk {
    fn open(context: &Context, args: &Releases) -> anyhow::Result<Self> {
        let data = environment::data_dir()?;
        let given = |name: &str| environment::get(name).map(Utf8PathBuf::from);
        let folder = args.releases.clone().or_else(|| given("SLIPWAY_RELEASES"));
        let folder = std::path::absolute(folder.unwrap_or_else(|| data.join("releases")))?;
        let folder = Utf8PathBuf::try_from(folder)?;
        let (roles, keys, now) = (roles(context)?, key_folder(args.keys.as_ref())?, now()?);
        let root = args.root.clone().unwrap_or_else(|| keys.join("root.json"));
        let repository = Repository::new(Remote::local(&folder)?);
        let programs = ProgramSigner::new(&roles, &keys);
        Ok(Self { repository, folder, holders: Holders::new(roles, keys), programs, root, now })
    }

    /// The root that this machine trusts.
    fn trusted(&self) -> anyhow::Result<Vec<u8>> {
        fs_err::read(&self.root).with_context(|| {
            format!("the root that is trusted should be `{}`; `cargo xtask key init` makes one, `--root` names another", self.root)
        })
    }

    async fn state(&self) -> anyhow::Result<State> {
        Ok(self.repository.load(&self.trusted()?).await?)
    }

    /// What a client sees that knows only the trusted root.
    async fn look(&self) -> anyhow::Result<(Verified, tempfile::TempDir)> {
        let memory = tempfile::tempdir()?;
        let url = |name: &str| {
            url::Url::from_directory_path(self.folder.join(name))
                .map_err(|()| anyhow::anyhow!("`{}` is no absolute path", self.folder))
        };
        let config = ClientConfig {
            root: self.trusted()?,
            metadata: url("metadata")?,
            targets: url("targets")?,
            memory: Utf8PathBuf::try_from(memory.path().to_owned())?,
        };
        Ok((slipway_signing::verify(config, slipway_signing::FilesystemTransport).await?, memory))
    }

    /// Applies a change, or says what it would be.
    async fn apply(&mut self, state: State, change: Change, dry_run: bool) -> anyhow::Result<()> {
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

fn tell(progress: &Progress) {
    match progress {
        Progress::Unchanged => say("the channel says so already"),
        Progress::Waiting { role, valid, threshold } => say(format_args!(
            "{valid} of {threshold} signatures; another holder runs: cargo xtask sign --role {role}"
        )),
        Progress::Published { snapshot } => say(format_args!("published as snapshot {snapshot}")),
    }
}

fn channel(context: &Context, name: &ChannelName) -> anyhow::Result<Channel> {
    let file = format!("channels/{name}.toml");
    let text = fs_err::read_to_string(context.project.root().join(&file))
        .with_context(|| format!("there is no channel `{name}`"))?;
    Ok(Channel::parse(name.clone(), &file, &text)?)
}

/// `key`.
pub(crate) async fn key(context: &Context, verb: &KeyVerb) -> anyhow::Result<()> {
    match verb {
        KeyVerb::Init { releases, development } => {
            let mut desk = Desk::open(context, releases)?;
            let mark = if *development { KeyMark::Development } else { KeyMark::Release };
            init(&mut desk, mark).await
        }
        KeyVerb::Rotate { releases, names, development } => {
            let mut desk = Desk::open(context, releases)?;
            let mark = if *development { KeyMark::Development } else { KeyMark::Release };
            rotate(&mut desk, names, mark).await
        }
        KeyVerb::List { releases } => {
            let desk = Desk::open(context, releases)?;
            for (role, keys) in &desk.holders.roles().roles {
                let each: Vec<String> = keys
                    .keys
                    .iter()
                    .map(|key| {
                        let here = if desk.holders.has(key) { "here" } else { "elsewhere" };
                        format!("{key} ({here})")
                    })
                    .collect();
                print(format_args!(
                    "{role}: {} of {}: {}",
                    keys.threshold,
                    keys.keys.len(),
                    each.join(", ")
                ));
            }
            for (role, here) in desk.programs.iter().flat_map(ProgramSigner::list) {
                let here = if here { "here" } else { "elsewhere" };
                print(format_args!("Secure Boot {role}: {} ({here})", role.key_name()));
            }
            Ok(())
        }
    }
}

fn known(public: &BTreeMap<KeyName, PublicKey>, name: &KeyName) -> Result<PublicKey, SigningError> {
    public.get(name).copied().ok_or_else(|| SigningError::Key {
        key: name.clone(),
        problem: "`[keys]` of roles.toml does not have it".to_owned(),
    })
}

/// Replaces keys. The repository is told of all but those of Secure Boot, which it does not know.
async fn rotate(desk: &mut Desk, names: &[KeyName], mark: KeyMark) -> anyhow::Result<()> {
    let (boot, names): (Vec<KeyName>, Vec<KeyName>) =
        names.iter().cloned().partition(|name| BootRole::of_key(name).is_some());
    if !boot.is_empty() {
        let programs = desk.programs.as_ref();
        let programs = programs.context("signing/roles.toml has no `[secure-boot]`")?;
        programs.replace(&boot, mark, desk.now)?;
        if names.is_empty() {
            return Ok(());
        }
    }
    let state = desk.state().await?;
    for aside in desk.holders.replace(&names, mark)? {
        say(format_args!("the old key is `{aside}`"));
    }
    let public = desk.holders.public_keys()?;
    let now = desk.now;
    let lookup = |name: &KeyName| known(&public, name);
    tell(&desk.repository.rotate(state, &lookup, &mut desk.holders, now).await?);
    Ok(())
}

/// Makes the keys that are not there, and a repository with empty channels.
async fn init(desk: &mut Desk, mark: KeyMark) -> anyhow::Result<()> {
    let made = desk.holders.create_missing(mark)?;
    say(format_args!("{made} keys made in {}", desk.holders.dir()));
    if let Some(programs) = &desk.programs {
        let made = programs.create_missing(mark, desk.now)?;
        say(format_args!("{made} keys of Secure Boot made"));
    }
    let public = desk.holders.public_keys()?;
    let now = desk.now;
    desk.holders.for_empty_channels = true;
    let lookup = |name: &KeyName| known(&public, name);
    let root = desk.repository.init(&lookup, &mut desk.holders, now).await;
    desk.holders.for_empty_channels = false;
    fs_err::write(&desk.root, root?.bytes())?;
    say(format_args!("the repository is {}", desk.folder));
    print(&desk.root);
    Ok(())
}

/// `release`.
pub(crate) async fn release_verb(context: &Context, args: &Release) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    if !desk.root.exists() && !args.dry_run {
        say("there are no keys; making some for development");
        init(&mut desk, KeyMark::Development).await?;
    }
    let channel = channel(context, &args.channel)?;
    let state = desk.state().await?;
    let version = context.project.release().version;
    let known = state.releases(&channel.name).into_iter().map(|release| release.version);
    let previous = known.filter(|known| *known < version).max();
    let made = record::make(context, args, &desk.root, previous, desk.programs.as_ref()).await?;
    if made.program_mark == Some(KeyMark::Development) {
        let stable =
            slipway_signing::RoleName::Channel("stable".parse().map_err(anyhow::Error::msg)?);
        let releases = state.keys(&stable).is_ok_and(|keys| !keys.for_development());
        anyhow::ensure!(
            !releases,
            "the programs are signed with a key for development, and `stable` has keys for releases; new ones for programs: cargo xtask key rotate secure-boot-pk secure-boot-kek secure-boot-db"
        );
    }
    let change = release(&state, &channel, &made.record, desk.now)?;
    if !args.dry_run {
        let mut sent = 0;
        for (name, digest) in &made.blobs {
            if desk.repository.remote().push(&context.store, digest).await?
                == slipway_store::Pushed::Sent
            {
                let length = made.record.artefacts.get(name).map_or(0, |artefact| artefact.length);
                say(format_args!("{name}: {:.1} MB sent", length as f64 / 1e6));
                sent += length;
            }
        }
        say(format_args!("{:.1} MB of {} files sent", sent as f64 / 1e6, made.blobs.len()));
    }
    desk.apply(state, change, args.dry_run).await
}

/// `promote`.
pub(crate) async fn promote_verb(context: &Context, args: &Promote) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    let to = channel(context, &args.to)?;
    let state = desk.state().await?;
    let version: Version = args.version.parse()?;
    let found = state.release(&args.from, version, record::ARCH)?;
    let (record, bytes) = desk.repository.record(&args.from, &found).await?;
    let options = PromoteOptions { now: desk.now, allow_downgrade: args.allow_downgrade };
    let change = promote(&state, &args.from, &to, &found, (&record, &bytes), options)?;
    desk.apply(state, change, args.dry_run).await
}

/// `sign`.
pub(crate) async fn sign(context: &Context, args: &Sign) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, &args.releases)?;
    let state = desk.state().await?;
    let pending = desk.repository.pending(&state, &args.role).await?;
    say(format_args!("`{}` would list:", args.role));
    let mut names: Vec<&str> =
        pending.content().targets.keys().map(slipway_signing::TargetName::resolved).collect();
    names.sort_unstable();
    for name in names {
        say(format_args!("  {name}"));
    }
    if args.dry_run {
        say("nothing was signed (--dry-run)");
        return Ok(());
    }
    let now = desk.now;
    let role = args.role.clone();
    let progress = desk.repository.sign(state, role, &mut desk.holders, now).await?;
    tell(&progress);
    Ok(())
}

/// `refresh`.
pub(crate) async fn refresh(context: &Context, releases: &Releases) -> anyhow::Result<()> {
    let mut desk = Desk::open(context, releases)?;
    let state = desk.state().await?;
    let now = desk.now;
    tell(&desk.repository.refresh(state, &mut desk.holders, now).await?);
    Ok(())
}

/// `channel`.
pub(crate) async fn channel_verb(context: &Context, verb: &ChannelVerb) -> anyhow::Result<()> {
    let ChannelVerb::Status { releases } = verb;
    let desk = Desk::open(context, releases)?;
    let state = desk.state().await?;
    let mut rows = Vec::new();
    for (name, role) in &state.channels {
        let newest = state.releases(name).last().cloned();
        let content = role.content();
        let keys = state.keys(&slipway_signing::RoleName::Channel(name.clone()))?;
        let left = content.expires.duration_since(desk.now).as_hours();
        if context.global.json {
            rows.push(serde_json::json!({
                "channel": name.as_str(),
                "newest": newest.as_ref().map(|release| release.version.to_string()),
                "version": content.version,
                "signatures": role.signed().signatures.len(),
                "threshold": keys.threshold,
                "expires": content.expires.to_string(),
                "development": keys.for_development(),
            }));
            continue;
        }
        let newest = newest.map_or("nothing".to_owned(), |release| release.version.to_string());
        let mark = if keys.for_development() { ", keys for development" } else { "" };
        print(format_args!(
            "{name}: {newest}; {} of {} signatures; expires {} (in {} days){mark}",
            role.signed().signatures.len(),
            keys.threshold,
            content.expires,
            left / 24,
        ));
    }
    if context.global.json {
        print(serde_json::Value::from(rows));
        return Ok(());
    }
    let (seen, _memory) = desk.look().await?;
    if let Some(first) = seen.roles().first() {
        print(format_args!("first to expire: {} at {}", first.role, first.expires));
    }
    Ok(())
}

/// `verify`.
pub(crate) async fn verify(context: &Context, releases: &Releases) -> anyhow::Result<()> {
    let desk = Desk::open(context, releases)?;
    let (seen, _memory) = desk.look().await?;
    let mut names: Vec<String> = seen.targets().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    let mut blobs = BTreeMap::new();
    for name in &names {
        let bytes = seen.read(name).await?.with_context(|| format!("`{name}` is not there"))?;
        if name.ends_with("/channel.json") {
            slipway_channels::ChannelPolicy::from_bytes(&bytes)?;
            say(format_args!("{name}: good"));
            continue;
        }
        let record = slipway_channels::ReleaseRecord::from_bytes(&bytes)?;
        for (file, artefact) in record.artefacts {
            blobs.insert(artefact.sha256, (format!("{name}: {file}"), artefact.length));
        }
        say(format_args!("{name}: good"));
    }
    for (digest, (name, length)) in &blobs {
        let hex = digest.to_string();
        let path = desk.folder.join("blobs").join(&hex[..2]).join(&hex);
        let there = fs_err::metadata(&path).with_context(|| format!("{name} is not there"))?.len();
        anyhow::ensure!(there == *length, "{name} has {there} bytes, and should have {length}");
        let found = slipway_channels::record_digest(slipway_store::Digest::of_file(&path)?);
        anyhow::ensure!(found == *digest, "{name} is damaged: {found} instead of {digest}");
    }
    for role in seen.roles() {
        say(format_args!("{}: version {}, holds until {}", role.role, role.version, role.expires));
    }
    print(format_args!("{} releases and {} files are as signed", names.len(), blobs.len()));
    Ok(())
}
