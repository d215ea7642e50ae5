//! Makes the SDK root of a lock, or finds it ready.

use std::{collections::BTreeMap, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Notify, mpsc},
    task::{JoinError, JoinSet},
};

use crate::{
    configure::{RunInRoot, SetupStep, configure},
    error::{SeedError, blocking, file},
    event::{Events, SeedEvent},
    fetch::{FetchedPackage, fetch_all},
    http::Http,
    lock::{LockedPackage, SeedLock},
    mirrors::Mirror,
    place::{self, BuildLock, Place, SdkRoot},
    resolve,
    spec::SeedSpec,
    trim::trim,
    types::Sha256Digest,
    unpack::{UnpackedPackage, UnpackedTree, Unpacker},
    update::read_index,
};

/// Changes with every change of this crate that makes another tree of the same lock.
const VERSION: &str = "slipway-seed 1";

/// Unpacking is bound by the processor, and downloads go on meanwhile.
const UNPACK_AT_ONCE: usize = 2;

/// How to make the root.
#[derive(Debug, Clone)]
pub struct EnsureOptions {
    /// The cache directory; everything is kept below `sdk` in it.
    pub cache_dir: Utf8PathBuf,
    /// The mirror to fetch from.
    pub mirror: Mirror,
    /// Certificates to believe instead of the host's own.
    pub ca_bundle: Option<Utf8PathBuf>,
    /// Commands to run in the tree after dpkg is done.
    pub setup: Vec<SetupStep>,
    /// Whether a newer version from the mirror may stand in for a locked one that the mirror no longer has.
    pub allow_newer: bool,
    /// The present time in seconds since 1970, to tell expired keys when the mirror has to be asked for newer versions.
    pub now: u64,
}

/// Finds the root of this lock and setup in the cache, or makes it.
pub async fn ensure(
    spec: &SeedSpec,
    lock: &SeedLock,
    options: EnsureOptions,
    run: &dyn RunInRoot,
    events: &dyn Events,
) -> Result<SdkRoot, SeedError> {
    lock.check_made_from(spec)?;
    let (place, id) = (Place::new(&options.cache_dir), root_id(lock, &options.setup));
    if let Some(root) = find_ready(&place, &id, options.allow_newer) {
        return Ok(root);
    }
    place.create()?;
    let held = place.lock(events).await?;
    // Whoever held the lock before may have made it.
    if let Some(root) = find_ready(&place, &id, options.allow_newer) {
        return Ok(root);
    }
    place.sweep(&held, events)?;
    let http = Http::new(options.ca_bundle.as_deref())?;
    let builder =
        Builder { spec, options: &options, place: &place, http: &http, held: &held, run, events };
    let gone = match builder.build(lock, &id).await {
        Err(SeedError::VersionGone { package, locked, .. }) => (package, locked),
        result => return result,
    };
    let (package, locked) = gone;
    let newer = builder.newer_lock(lock).await?;
    if !options.allow_newer {
        let available = newer.get(&package).map(|package| package.version.to_string());
        return Err(SeedError::VersionGone { package, locked, available });
    }
    builder.build_newer(lock, &id, newer).await
}

/// The id of the root that this lock and setup make. No file of the cache is looked at.
pub fn root_id(lock: &SeedLock, setup: &[SetupStep]) -> String {
    let mut hasher = Sha256::new();
    // Lengths in front, so that no two different lists give the same bytes.
    let mut add = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    add(VERSION);
    add(&lock.to_text());
    for SetupStep { name, argv, env, network, mounts } in setup {
        add(name);
        add(&format!("{} {} {} {network}", argv.len(), env.len(), mounts.len()));
        argv.iter().for_each(|word| add(word));
        env.iter().for_each(|(name, value)| [name, value].into_iter().for_each(|text| add(text)));
        mounts.iter().for_each(|mount| {
            [mount.target.as_str(), &mount.digest].into_iter().for_each(&mut add);
        });
    }
    Sha256Digest::finish(hasher).to_string()
}

fn find_ready(place: &Place, id: &str, allow_newer: bool) -> Option<SdkRoot> {
    place.ready(id).or_else(|| {
        // Made with newer packages before: only for those who accept that.
        let newer = allow_newer.then(|| fs_err::read_to_string(place.newer(id)).ok())??;
        place.ready(newer.parse::<Sha256Digest>().ok()?.to_string().as_str())
    })
}

struct Builder<'a> {
    spec: &'a SeedSpec,
    options: &'a EnsureOptions,
    place: &'a Place,
    http: &'a Http,
    held: &'a BuildLock,
    run: &'a dyn RunInRoot,
    events: &'a dyn Events,
}

impl Builder<'_> {
    /// Builds aside, then makes it count by a rename. What fails is removed.
    async fn build(&self, lock: &SeedLock, id: &str) -> Result<SdkRoot, SeedError> {
        let building = self.place.create_building(self.held, id)?;
        let built = self.build_in(lock, &building).await;
        let (finished, held) = (self.place.finished(id), self.held.clone());
        if let Err(error) = built {
            // The first error is the one to tell; what could not be removed now is swept the next time.
            let _removed = blocking("removal", move || {
                let _held = held;
                place::remove_tree(&building)
            })
            .await;
            return Err(error);
        }
        blocking("finish", move || {
            let _held = held;
            // One that has no marker is none.
            place::remove_tree(&finished)?;
            fs_err::rename(&building, &finished).map_err(file("rename", &building))?;
            place::sync_dir(finished.parent().unwrap_or(&finished))
        })
        .await?;
        self.events.event(SeedEvent::Ready { id: id.to_owned() });
        Ok(SdkRoot { dir: self.place.finished(id).join("root"), id: id.to_owned() })
    }

    async fn build_in(&self, lock: &SeedLock, building: &Utf8Path) -> Result<(), SeedError> {
        let tree = self.fetch_and_unpack(lock, &building.join("root")).await?;
        let root =
            configure(tree, lock.epoch, &self.options.setup, self.run, self.held, self.events)
                .await?;
        let (epoch, ready, held) = (lock.epoch, building.join("ready"), self.held.clone());
        blocking("trim", move || {
            let _held = held;
            trim(&root, epoch)?;
            // The marker must never outlive what it speaks for.
            place::sync_file_system(&root)?;
            place::write_atomically(&ready, b"")
        })
        .await
    }

    /// Unpacks what has come while the rest is on its way.
    async fn fetch_and_unpack(
        &self,
        lock: &SeedLock,
        root: &Utf8Path,
    ) -> Result<UnpackedTree, SeedError> {
        let packages: Vec<LockedPackage> = lock.packages().cloned().collect();
        let bytes = packages.iter().map(|package| package.size).sum();
        self.events.event(SeedEvent::FetchStarted { packages: packages.len(), bytes });
        let unpacker = Arc::new(Unpacker::create(root, lock.epoch)?);
        let (sender, receiver) = mpsc::channel(packages.len().max(1));
        let failed = Notify::new();
        let fetched = async {
            let fetched = fetch_all(
                packages,
                self.place,
                &self.options.mirror,
                self.http,
                sender,
                self.events,
            )
            .await;
            fetched.inspect_err(|_| failed.notify_one())
        };
        let (fetched, unpacked) =
            futures::join!(fetched, self.unpack_all(&unpacker, receiver, &failed));
        let unpacked = unpacked?;
        fetched?;
        let (epoch, held) = (lock.epoch, self.held.clone());
        blocking("package database", move || {
            let _held = held;
            let unpacker = Arc::try_unwrap(unpacker).expect("all unpacking tasks were awaited");
            unpacker.finish(unpacked, epoch)
        })
        .await
    }

    /// Unpacks what arrives. It ends only when no unpacking runs any more, also after a failure, so that the tree can be
    /// removed then.
    async fn unpack_all(
        &self,
        unpacker: &Arc<Unpacker>,
        mut arriving: mpsc::Receiver<FetchedPackage>,
        failed: &Notify,
    ) -> Result<Vec<UnpackedPackage>, SeedError> {
        let (mut running, mut unpacked, mut result) = (JoinSet::new(), Vec::new(), Ok(()));
        let mut more = true;
        while more || !running.is_empty() {
            tokio::select! {
                () = failed.notified() => break,
                Some(done) = running.join_next() => match finished_unpacking(done) {
                    Ok(package) => {
                        self.events.event(SeedEvent::Unpacked { package: package.name().clone() });
                        unpacked.push(package);
                    }
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                },
                fetched = arriving.recv(), if more && running.len() < UNPACK_AT_ONCE => match fetched {
                    Some(fetched) => drop(running.spawn_blocking(self.unpacking(unpacker, fetched))),
                    None => more = false,
                },
            }
        }
        while running.join_next().await.is_some() {}
        result.map(|()| unpacked)
    }

    /// The work of unpacking one package. When its task is dropped it goes on for a moment, and keeps others out until then.
    fn unpacking(
        &self,
        unpacker: &Arc<Unpacker>,
        fetched: FetchedPackage,
    ) -> impl FnOnce() -> Result<UnpackedPackage, SeedError> + use<> {
        let (unpacker, held) = (Arc::clone(unpacker), self.held.clone());
        move || {
            let _held = held;
            unpacker.unpack(&fetched)
        }
    }

    /// What the mirror has now of the locked packages, where it differs.
    async fn newer_lock(
        &self,
        lock: &SeedLock,
    ) -> Result<BTreeMap<crate::PackageName, LockedPackage>, SeedError> {
        let Self { spec, options, http, events, .. } = self;
        let (_, index) = read_index(spec, &options.mirror, options.now, http, *events).await?;
        let newer = lock.packages().filter_map(|locked| {
            let entry = index.get(&locked.name)?;
            (entry.version > locked.version).then(|| (locked.name.clone(), entry.locked()))
        });
        let newer: BTreeMap<_, _> = newer.collect();
        if options.allow_newer {
            check_needs(lock, &newer, &index)?;
        }
        Ok(newer)
    }

    /// Builds with the mirror's newer versions, and remembers under which id.
    async fn build_newer(
        &self,
        lock: &SeedLock,
        locked_id: &str,
        newer: BTreeMap<crate::PackageName, LockedPackage>,
    ) -> Result<SdkRoot, SeedError> {
        let mut changed = lock.clone();
        for (name, package) in newer {
            let (locked, taken) =
                (lock.packages[&name].version.to_string(), package.version.to_string());
            self.events.event(SeedEvent::NewerTaken { package: name.clone(), locked, taken });
            changed.packages.insert(name, package);
        }
        let id = root_id(&changed, &self.options.setup);
        let root = match self.place.ready(&id) {
            Some(root) => root,
            None => self.build(&changed, &id).await?,
        };
        place::write_atomically(&self.place.newer(locked_id), id.as_bytes())?;
        Ok(root)
    }
}

fn finished_unpacking(
    done: Result<Result<UnpackedPackage, SeedError>, JoinError>,
) -> Result<UnpackedPackage, SeedError> {
    done.map_err(|source| SeedError::Task { what: "unpacking", source })?
}

/// Newer versions may need what nobody locked; dpkg would only say so at the very end.
fn check_needs(
    lock: &SeedLock,
    newer: &BTreeMap<crate::PackageName, LockedPackage>,
    index: &crate::index::Index,
) -> Result<(), SeedError> {
    let present: Vec<_> = lock.packages().filter_map(|locked| index.get(&locked.name)).collect();
    for name in newer.keys() {
        let Some(entry) = index.get(name) else { continue };
        for group in &entry.depends {
            if !group.iter().any(|relation| resolve::satisfied(relation, present.iter().copied())) {
                return Err(SeedError::NewerNeedsMore {
                    package: name.clone(),
                    version: entry.version.to_string(),
                    relation: resolve::shown(group),
                });
            }
        }
    }
    Ok(())
}
