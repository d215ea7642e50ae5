//! Publishing: what never changes goes first, the pointer last.

use bytes::Bytes;
use jiff::Timestamp as Time;
use serde::{Serialize, de::DeserializeOwned};
use slipway_signing::{
    ChannelName, Complete, Expiry, KeyName, Lifetime, Pending, PublicKey, RoleKeys, RoleName,
    Roles, SecretKey, SigningError, new_channel, new_root, new_snapshot, new_targets,
    new_timestamp,
};
use slipway_store::Created;
use tough::schema::{Root, Snapshot, Targets, Timestamp};

use crate::{Change, ChannelError, Repository, State};

/// Gives the keys that are at hand.
pub trait Signers {
    /// The roles.
    fn roles(&self) -> &Roles;

    /// Those keys of a role that are here. None is no error: other holders may have theirs.
    ///
    /// # Errors
    /// When one is here and cannot be used.
    fn keys(&mut self, role: &RoleName) -> Result<Vec<SecretKey>, SigningError>;
}

/// How far a change has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The channel says so already.
    Unchanged,
    /// Other holders have to sign.
    Waiting {
        /// The role.
        role: RoleName,
        /// How many have signed.
        valid: u64,
        /// How many must.
        threshold: u64,
    },
    /// Enough holders have signed. Whoever has the keys of snapshot and timestamp publishes it.
    Signed {
        /// The role.
        role: RoleName,
    },
    /// Clients see it.
    Published {
        /// The version of the snapshot that has it.
        snapshot: u64,
    },
}

const TIMESTAMP: &str = "metadata/timestamp.json";
const FIRST_ROOT: &str = "metadata/1.root.json";

fn pending_object(channel: &ChannelName) -> String {
    format!("pending/{channel}.json")
}

impl Repository {
    /// Makes a repository whose channels are empty, and gives its first root, which clients trust from then on. Where one was
    /// begun with the same keys, it is ended; where one is whole, nothing is done.
    ///
    /// # Errors
    /// When there is one of other keys, or not enough keys are at hand.
    pub async fn init(
        &self,
        public: &dyn Fn(&KeyName) -> Result<PublicKey, SigningError>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Complete<Root>, ChannelError> {
        let role = RoleName::Root;
        let lifetime = signers.roles().role(&role)?.expires;
        let root = new_root(signers.roles(), public, Expiry::after(None, now, lifetime))?;
        let keys = RoleKeys::of_root(&root, &role)?;
        let begun = match self.read(FIRST_ROOT).await? {
            Some(bytes) => Some(ours(&bytes, &root, &keys)?),
            None => None,
        };
        let whole = self.read(TIMESTAMP).await?.is_some();
        let root = match begun {
            Some(root) if whole => return Ok(root),
            None if whole => return Err(ChannelError::IsRepository),
            Some(root) => root,
            None => sign(Pending::new(role, root), &keys, signers)?,
        };
        self.fill(&root, public, signers, now).await?;
        Ok(root)
    }

    /// Signs everything below a first root, and publishes it.
    async fn fill(
        &self,
        root: &Complete<Root>,
        public: &dyn Fn(&KeyName) -> Result<PublicKey, SigningError>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<(), ChannelError> {
        let role = RoleName::Targets;
        let at = self.first(&role, signers, now).await?;
        let targets = new_targets(signers.roles(), public, at)?;
        let keys = RoleKeys::of_root(root.content(), &role)?;
        let targets: Complete<Targets> = sign(Pending::new(role, targets), &keys, signers)?;

        let mut channels = Vec::new();
        let names: Vec<ChannelName> =
            signers.roles().channels().map(|(name, _)| name.clone()).collect();
        let delegations = targets.content().delegations.clone().unwrap_or_default();
        for name in names {
            let role = RoleName::Channel(name.clone());
            let keys = RoleKeys::of_delegation(&delegations, &role)?;
            let at = self.first(&role, signers, now).await?;
            let empty = new_channel(&name, Default::default(), at)?;
            channels.push((name, sign(Pending::new(role, empty), &keys, signers)?));
        }
        let role = RoleName::Snapshot;
        let at = self.first(&role, signers, now).await?;
        let snapshot = new_snapshot(&targets, &channels, at);
        let keys = RoleKeys::of_root(root.content(), &role)?;
        let snapshot: Complete<Snapshot> = sign(Pending::new(role, snapshot), &keys, signers)?;
        let role = RoleName::Timestamp;
        let at = Expiry::after(None, now, signers.roles().role(&role)?.expires);
        let timestamp = new_timestamp(&snapshot, at);
        let keys = RoleKeys::of_root(root.content(), &role)?;
        let timestamp: Complete<Timestamp> = sign(Pending::new(role, timestamp), &keys, signers)?;

        self.create(FIRST_ROOT, root.bytes()).await?;
        let version = targets.content().version;
        self.create(&format!("metadata/{version}.targets.json"), targets.bytes()).await?;
        for (name, channel) in &channels {
            let version = channel.content().version;
            self.create(&format!("metadata/{version}.{name}.json"), channel.bytes()).await?;
        }
        let version = snapshot.content().version;
        self.create(&format!("metadata/{version}.snapshot.json"), snapshot.bytes()).await?;
        self.switch_to(&timestamp, None).await
    }

    /// The first version of a role: one that nobody who died before has begun.
    async fn first(
        &self,
        role: &RoleName,
        signers: &dyn Signers,
        now: Time,
    ) -> Result<Expiry, ChannelError> {
        let mut at = Expiry::after(None, now, signers.roles().role(role)?.expires);
        at.version = self.free_version(&role.to_string(), at.version).await?;
        Ok(at)
    }

    /// Signs a change with the keys at hand, and publishes it if they suffice. Else it waits for other holders.
    ///
    /// # Errors
    /// When a key cannot be used, or somebody else publishes at the same time.
    pub async fn apply(
        &self,
        state: State,
        change: Change,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        if change.summary.is_empty() {
            return Ok(Progress::Unchanged);
        }
        for (name, bytes) in &change.objects {
            self.create(name, bytes).await?;
        }
        let role = RoleName::Channel(change.channel.clone());
        let old = state.channels.get(&change.channel).map(|role| role.content().version);
        let mut at = Expiry::after(old, now, signers.roles().role(&role)?.expires);
        at.version = self.free_version(change.channel.as_str(), at.version).await?;
        let content = new_channel(&change.channel, change.targets, at)?;
        self.advance(state, change.channel, Pending::new(role, content), signers, now).await
    }

    /// What waits for signatures of a channel.
    ///
    /// # Errors
    /// When nothing does, it is older than what the channel says now, or it delegates, as no channel does.
    pub async fn pending(
        &self,
        state: &State,
        channel: &ChannelName,
    ) -> Result<Pending<Targets>, ChannelError> {
        let role = RoleName::Channel(channel.clone());
        let bytes = self.read(&pending_object(channel)).await?;
        let bytes = bytes.ok_or_else(|| ChannelError::NothingPending { role: role.clone() })?;
        let pending: Pending<Targets> = Pending::from_json(role.clone(), &bytes)?;
        let now = state.channels.get(channel).map(|role| role.content().version);
        if now.is_some_and(|now| pending.content().version <= now) {
            return Err(ChannelError::Outdated { role });
        }
        if pending.content().delegations.is_some() {
            return Err(ChannelError::Delegates { role });
        }
        Ok(pending)
    }

    /// Adds the signatures of the keys at hand to `pending`, and publishes it if they suffice. It is what [`Self::pending`] gave
    /// and the holder has looked at: what waits in the repository may be something else by now.
    ///
    /// # Errors
    /// When a key cannot be used, or somebody else publishes at the same time.
    pub async fn sign(
        &self,
        state: State,
        channel: ChannelName,
        pending: Pending<Targets>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        self.advance(state, channel, pending, signers, now).await
    }

    /// Renews the timestamp, and the snapshot when half of its life is over. Needs no offline key.
    ///
    /// # Errors
    /// When a key cannot be used, or somebody else publishes at the same time.
    pub async fn refresh(
        &self,
        state: State,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        let lifetime = signers.roles().role(&RoleName::Snapshot)?.expires;
        if half_over(state.snapshot.content().expires, lifetime, now) {
            return self.publish(state, signers, now).await;
        }
        let timestamp = timestamp_of(&state, &state.snapshot, signers, now)?;
        self.switch_to(&timestamp, Some(&state)).await?;
        Ok(Progress::Published { snapshot: state.snapshot.content().version.get() })
    }

    /// Brings the keys of all roles to what `roles.toml` says and the key files have: a new root, new delegations, and new
    /// signatures where the old ones do not count any more, or half of their life is over. Clients follow, from any root that
    /// they trust.
    ///
    /// # Errors
    /// When too few keys are at hand, of the roles that change as they were and as they will be.
    pub async fn rotate(
        &self,
        mut state: State,
        public: &dyn Fn(&KeyName) -> Result<PublicKey, SigningError>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        let before = state.root.content().clone();
        let lifetime = signers.roles().role(&RoleName::Root)?.expires;
        let root =
            new_root(signers.roles(), public, Expiry::after(Some(before.version), now, lifetime))?;
        let mut changed = None;
        let old = half_over(before.expires, lifetime, now);
        if old || root.keys != before.keys || root.roles != before.roles {
            let sets = [
                RoleKeys::of_root(&before, &RoleName::Root)?,
                RoleKeys::of_root(&root, &RoleName::Root)?,
            ];
            let sets: Vec<&RoleKeys> = sets.iter().collect();
            let mut pending = Pending::new(RoleName::Root, root);
            for key in signers.keys(&RoleName::Root)? {
                pending.sign(&key, &sets)?;
            }
            state.root = pending.complete(&sets)?;
            changed = Some(state.root.clone());
        }
        let renewed = self.renew_targets(&mut state, public, signers, now).await?;
        let resigned = self.renew_channels(&mut state, signers, now).await?;
        if changed.is_none() && !renewed && !resigned && !state.behind {
            return Ok(Progress::Unchanged);
        }
        let root = changed
            .as_ref()
            .map(|root| (format!("metadata/{}.root.json", root.content().version), root.bytes()));
        self.publish_with(state, root.as_slice(), signers, now).await
    }

    async fn renew_targets(
        &self,
        state: &mut State,
        public: &dyn Fn(&KeyName) -> Result<PublicKey, SigningError>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<bool, ChannelError> {
        let role = RoleName::Targets;
        let lifetime = signers.roles().role(&role)?.expires;
        let mut at = Expiry::after(Some(state.targets.content().version), now, lifetime);
        at.version = self.free_version("targets", at.version).await?;
        let targets = new_targets(signers.roles(), public, at)?;
        let keys = state.keys(&role)?;
        let same = targets.delegations == state.targets.content().delegations;
        let old = half_over(state.targets.content().expires, lifetime, now);
        if same && !old && Self::holds(&state.targets, &keys) {
            return Ok(false);
        }
        state.targets = sign(Pending::new(role, targets), &keys, signers)?;
        self.create(&format!("metadata/{}.targets.json", at.version), state.targets.bytes())
            .await?;
        Ok(true)
    }

    /// Channels say the same again where too few of their signatures still count.
    async fn renew_channels(
        &self,
        state: &mut State,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<bool, ChannelError> {
        let names: Vec<ChannelName> =
            signers.roles().channels().map(|(name, _)| name.clone()).collect();
        state.channels.retain(|name, _| names.contains(name));
        let mut any = false;
        for name in names {
            let role = RoleName::Channel(name.clone());
            let keys = state.keys(&role)?;
            let old = state.channels.get(&name);
            let lifetime = signers.roles().role(&role)?.expires;
            let holds = old.is_some_and(|old| Self::holds(old, &keys));
            if holds && !old.is_some_and(|old| half_over(old.content().expires, lifetime, now)) {
                continue;
            }
            let mut at = Expiry::after(old.map(|old| old.content().version), now, lifetime);
            at.version = self.free_version(name.as_str(), at.version).await?;
            let targets = old.map(|old| old.content().targets.clone()).unwrap_or_default();
            let content = new_channel(&name, targets, at)?;
            let complete: Complete<Targets> =
                match sign(Pending::new(role, content), &keys, signers) {
                    // It would only have been nicer: what is there still counts.
                    Err(SigningError::Threshold { .. }) if holds => continue,
                    complete => complete?,
                };
            self.create(&format!("metadata/{}.{name}.json", at.version), complete.bytes()).await?;
            state.channels.insert(name, complete);
            any = true;
        }
        Ok(any)
    }

    async fn advance(
        &self,
        mut state: State,
        channel: ChannelName,
        mut pending: Pending<Targets>,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        let role = RoleName::Channel(channel.clone());
        let keys = state.keys(&role)?;
        for key in signers.keys(&role)? {
            pending.sign(&key, &[&keys])?;
        }
        let progress = match pending.clone().complete(&[&keys]) {
            Ok(complete) => {
                let file = format!("metadata/{}.{channel}.json", complete.content().version);
                state.channels.insert(channel.clone(), complete.clone());
                let files = [(file, complete.bytes())];
                match self.publish_with(state, &files, signers, now).await {
                    // A holder need not have the keys that publish.
                    Err(ChannelError::Signing(SigningError::Threshold {
                        role: RoleName::Snapshot | RoleName::Timestamp,
                        ..
                    })) => Progress::Signed { role },
                    progress => progress?,
                }
            }
            Err(SigningError::Threshold { role, valid, threshold, .. }) => {
                Progress::Waiting { role, valid, threshold }
            }
            Err(error) => return Err(error.into()),
        };
        let object = pending_object(&channel);
        let kept = match progress {
            Progress::Waiting { .. } | Progress::Signed { .. } => {
                self.remote.overwrite(&object, pending.to_json()?.into()).await
            }
            Progress::Unchanged | Progress::Published { .. } => self.remote.remove(&object).await,
        };
        kept.map_err(ChannelError::remote)?;
        Ok(progress)
    }

    /// A snapshot of the state, and the pointer to it.
    async fn publish(
        &self,
        state: State,
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        self.publish_with(state, &[], signers, now).await
    }

    /// The same with files that must be there before the pointer is; a new root holds from the moment that its file is there.
    async fn publish_with(
        &self,
        state: State,
        files: &[(String, &[u8])],
        signers: &mut dyn Signers,
        now: Time,
    ) -> Result<Progress, ChannelError> {
        let role = RoleName::Snapshot;
        let lifetime = signers.roles().role(&role)?.expires;
        let mut at = Expiry::after(Some(state.snapshot.content().version), now, lifetime);
        at.version = self.free_version("snapshot", at.version).await?;
        let channels: Vec<_> =
            state.channels.iter().map(|(name, role)| (name.clone(), role.clone())).collect();
        let snapshot = new_snapshot(&state.targets, &channels, at);
        let keys = state.keys(&role)?;
        let snapshot: Complete<Snapshot> = sign(Pending::new(role, snapshot), &keys, signers)?;
        // All signatures are there before anything is: a channel's file must have all that it will ever have, and once a new root
        // is there, only it counts.
        let timestamp = timestamp_of(&state, &snapshot, signers, now)?;
        self.create(&format!("metadata/{}.snapshot.json", at.version), snapshot.bytes()).await?;
        for (name, bytes) in files {
            self.create(name, bytes).await?;
        }
        self.switch_to(&timestamp, Some(&state)).await?;
        Ok(Progress::Published { snapshot: at.version.get() })
    }

    async fn switch_to(
        &self,
        timestamp: &Complete<Timestamp>,
        state: Option<&State>,
    ) -> Result<(), ChannelError> {
        let bytes = Bytes::copy_from_slice(timestamp.bytes());
        let generation = state.map(|state| &state.generation);
        let switched = self.remote.switch(TIMESTAMP, generation, bytes).await;
        if switched.map_err(ChannelError::remote)? { Ok(()) } else { Err(ChannelError::Conflict) }
    }

    async fn create(&self, name: &str, bytes: &[u8]) -> Result<(), ChannelError> {
        let bytes = Bytes::copy_from_slice(bytes);
        match self.remote.create(name, bytes).await.map_err(ChannelError::remote)? {
            Created::New | Created::Same => Ok(()),
            Created::Other => Err(ChannelError::Conflict),
        }
    }
}

/// Whether less than half of a lifetime is left.
fn half_over(expires: Time, lifetime: Lifetime, now: Time) -> bool {
    expires.duration_since(now) < jiff::SignedDuration::from_hours(i64::from(lifetime.days) * 12)
}

/// A first root that is there, if it has the keys that one of ours would have.
fn ours(bytes: &[u8], wanted: &Root, keys: &RoleKeys) -> Result<Complete<Root>, ChannelError> {
    let root = Complete::<Root>::read(&RoleName::Root, bytes, &[keys]);
    let root = root.map_err(|_| ChannelError::OtherKeys)?;
    let same = root.content().keys == wanted.keys && root.content().roles == wanted.roles;
    if same { Ok(root) } else { Err(ChannelError::OtherKeys) }
}

/// The next pointer to a snapshot.
fn timestamp_of(
    state: &State,
    snapshot: &Complete<Snapshot>,
    signers: &mut dyn Signers,
    now: Time,
) -> Result<Complete<Timestamp>, ChannelError> {
    let role = RoleName::Timestamp;
    let lifetime = signers.roles().role(&role)?.expires;
    let at = Expiry::after(Some(state.timestamp), now, lifetime);
    let keys = state.keys(&role)?;
    Ok(sign(Pending::new(role, new_timestamp(snapshot, at)), &keys, signers)?)
}

/// Signs with the keys at hand; fewer than the threshold is an error that says how many lack.
fn sign<T: Serialize + DeserializeOwned + Clone>(
    mut pending: Pending<T>,
    keys: &RoleKeys,
    signers: &mut dyn Signers,
) -> Result<Complete<T>, SigningError> {
    for key in signers.keys(&keys.role)? {
        pending.sign(&key, &[keys])?;
    }
    pending.complete(&[keys])
}
