//! Applications, groups, channels and packages as one immutable value, for the many who ask and change nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Application, Arch, Channel, Floor, Group, Package, Store, StoreError,
    sql::{all, single, sql},
};
use crate::{
    ids::{AppId, ChannelId, GroupId, PackageId},
    policy::{Allowed, Graph},
};

/// Everything that decides about updates but the machines.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The state of the database that this is.
    pub generation: i64,
    /// Applications by id.
    pub apps: BTreeMap<AppId, CatalogApp>,
    /// Product ids.
    pub products: HashMap<String, AppId>,
}

/// An application with what it holds.
#[derive(Debug)]
pub struct CatalogApp {
    /// Its row.
    pub app: Application,
    /// Its groups by id.
    pub groups: BTreeMap<GroupId, Arc<CatalogGroup>>,
    /// Its channels by id.
    pub channels: BTreeMap<ChannelId, Arc<CatalogChannel>>,
    /// Its packages by id.
    pub packages: BTreeMap<PackageId, Arc<Package>>,
}

/// A group with its channel.
#[derive(Debug)]
pub struct CatalogGroup {
    /// Its row.
    pub group: Group,
    /// Where its version comes from.
    pub channel: Option<Arc<CatalogChannel>>,
}

/// A channel with the versions it gives.
#[derive(Debug)]
pub struct CatalogChannel {
    /// Its row.
    pub channel: Channel,
    /// What it points to.
    pub target: Option<Arc<Package>>,
    /// Versions that may not be skipped, the lowest first, with the reason.
    pub floors: Vec<(Arc<Package>, String)>,
    /// Packages that it never gives.
    pub blacklist: HashSet<PackageId>,
    /// The same, for decisions.
    pub graph: Graph,
}

/// The newest catalog that was read.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    newest: Mutex<Arc<Catalog>>,
    /// Held by whoever reads the next one. The others wait, and take what was read.
    reading: tokio::sync::Mutex<()>,
    /// How many looks at the generation have begun.
    looks: AtomicU64,
    /// The last look that ended. Held by whoever looks.
    last: tokio::sync::Mutex<Look>,
}

/// A look at the generation: its number, and what it came to.
#[derive(Debug, Default)]
struct Look {
    number: u64,
    found: Option<Result<Arc<Catalog>, Arc<StoreError>>>,
}

impl Cache {
    /// The newest catalog, if it is of a generation or a later one.
    fn since(&self, generation: i64) -> Option<Arc<Catalog>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        (newest.generation >= generation).then(|| Arc::clone(&newest))
    }
}

impl Catalog {
    /// An application by its id, with braces or without, or by its product id.
    pub fn app(&self, name: &str) -> Option<&CatalogApp> {
        let by_id = name.parse::<AppId>().ok().and_then(|id| self.apps.get(&id));
        by_id.or_else(|| self.apps.get(self.products.get(name)?))
    }
}

impl CatalogGroup {
    /// When the channel came to point to its package.
    pub fn changed_at(&self) -> jiff::Timestamp {
        self.channel
            .as_ref()
            .map_or(jiff::Timestamp::UNIX_EPOCH, |channel| channel.channel.changed_at)
    }
}

impl CatalogApp {
    /// The package of a version that suits a machine; one for exactly its architecture wins over one for all.
    pub fn package(&self, version: &str, arch: Arch) -> Option<&Arc<Package>> {
        let wanted = semver::Version::parse(version).ok()?;
        let same = |package: &&Arc<Package>| {
            package.arch.suits(arch)
                && semver::Version::parse(&package.version)
                    .is_ok_and(|version| version.cmp_precedence(&wanted).is_eq())
        };
        self.packages.values().filter(same).max_by_key(|package| package.arch == arch)
    }

    /// The group that a client means by its track: by id, or by track and architecture. A group whose channel is for another
    /// architecture is no answer.
    pub fn group(&self, track: &str, arch: Arch) -> Option<&Arc<CatalogGroup>> {
        let track = legacy_track(track).unwrap_or(track);
        let suits = |group: &Arc<CatalogGroup>| {
            group.channel.as_ref().is_none_or(|channel| channel.channel.arch.suits(arch))
        };
        if let Some(group) =
            self.groups.values().find(|group| group.group.id.as_str() == track && suits(group))
        {
            return Some(group);
        }
        let mut found =
            self.groups.values().filter(|group| group.group.track == track && suits(group));
        let first = found.next()?;
        // A group for exactly this architecture wins over one for all.
        let exact = |group: &&Arc<CatalogGroup>| {
            group.channel.as_ref().is_some_and(|channel| channel.channel.arch == arch)
        };
        Some([first].into_iter().chain(found).find(exact).unwrap_or(first))
    }
}

/// The group ids of CoreOS and Flatcar that old clients still send, as the tracks that they mean.
fn legacy_track(id: &str) -> Option<&'static str> {
    Some(match id.trim_start_matches('{').trim_end_matches('}') {
        "5b810680-e36a-4879-b98a-4f989e80b899" | "e641708d-fb48-4260-8bdf-ba2074a1147a" => "alpha",
        "3fe10490-dd73-4b49-b72a-28ac19acfcdc" | "d112ec01-ba34-4a9e-9d4b-9814a685f266" => "beta",
        "9a2deb70-37be-4026-853f-bfdd6b347bbe" | "11a585f6-9418-4df0-8863-78b2fd3240f8" => "stable",
        "72834a2b-ad86-4d6d-b498-e08a19ebe54e" | "b4b2fa22-c1ea-498c-a8ac-c1dc0b1d7c17" => "edge",
        _ => return None,
    })
}

impl Store {
    /// The catalog as the database has it now: from memory if nothing has changed. Whoever asks at the same time shares a
    /// look at the database, which began after each of them asked: so everybody sees what was changed before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let begun = self.cached.looks.load(Ordering::SeqCst);
        let mut last = self.cached.last.lock().await;
        if let (true, Some(found)) = (last.number > begun, &last.found) {
            return found.clone().map_err(StoreError::Shared);
        }
        let number = self.cached.looks.fetch_add(1, Ordering::SeqCst) + 1;
        let found = self.look().await.map_err(Arc::new);
        *last = Look { number, found: Some(found.clone()) };
        found.map_err(StoreError::Shared)
    }

    async fn look(&self) -> Result<Arc<Catalog>, StoreError> {
        let query = sql!("SELECT number FROM settings WHERE name = 'generation'");
        let generation =
            single(query, &self.pool, "read the generation").await?.number("number")?;
        self.catalog_of(generation).await
    }

    /// The catalog of a generation that was just read, or a later one.
    pub(crate) async fn catalog_of(&self, generation: i64) -> Result<Arc<Catalog>, StoreError> {
        if let Some(known) = self.cached.since(generation) {
            return Ok(known);
        }
        let _reading = self.cached.reading.lock().await;
        if let Some(known) = self.cached.since(generation) {
            return Ok(known);
        }
        let catalog = Arc::new(self.read_catalog(generation).await?);
        // Nobody else writes meanwhile, and what was there was older.
        *self.cached.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&catalog);
        Ok(catalog)
    }

    async fn read_catalog(&self, generation: i64) -> Result<Catalog, StoreError> {
        let mut catalog = Catalog { generation, ..Catalog::default() };
        for app in self.apps().await? {
            if let Some(product) = &app.product_id {
                catalog.products.insert(product.clone(), app.id.clone());
            }
            let read = self.read_app(app).await?;
            catalog.apps.insert(read.app.id.clone(), read);
        }
        Ok(catalog)
    }

    async fn read_app(&self, app: Application) -> Result<CatalogApp, StoreError> {
        let all_of = super::Page { skip: 0, limit: u64::MAX >> 1 };
        let packages = self.packages(&app.id, None, all_of).await?.items;
        let packages: BTreeMap<PackageId, Arc<Package>> =
            packages.into_iter().map(|package| (package.id.clone(), Arc::new(package))).collect();
        let floors = sql!(
            "SELECT * FROM channel_floors WHERE channel_id IN (SELECT id FROM channels WHERE app_id = $1)",
            app.id.as_str()
        );
        let floors: Vec<Floor> = all(floors, &self.pool, "list the floors")
            .await?
            .iter()
            .map(Floor::from_row)
            .collect::<Result<_, _>>()?;
        let mut channels = BTreeMap::new();
        for channel in self.channels(&app.id).await? {
            let blacklist: HashSet<PackageId> =
                self.blacklist(&channel.id).await?.into_iter().collect();
            let of_channel = floors.iter().filter(|floor| floor.channel == channel.id);
            let mut floors: Vec<(Arc<Package>, String)> = of_channel
                .filter_map(|floor| {
                    Some((Arc::clone(packages.get(&floor.package)?), floor.reason.clone()))
                })
                .collect();
            floors.sort_by_key(|(package, _)| semver::Version::parse(&package.version).ok());
            let target = channel.package.as_ref().and_then(|id| packages.get(id)).cloned();
            let graph = graph(&channel, target.as_deref(), &floors, &blacklist, &packages);
            let channel = CatalogChannel { channel, target, floors, blacklist, graph };
            channels.insert(channel.channel.id.clone(), Arc::new(channel));
        }
        let mut groups = BTreeMap::new();
        for group in self.groups(&app.id).await? {
            let channel = group.channel.as_ref().and_then(|id| channels.get(id)).cloned();
            groups.insert(group.id.clone(), Arc::new(CatalogGroup { group, channel }));
        }
        Ok(CatalogApp { app, groups, channels, packages })
    }
}

/// What decisions need of a channel. Versions that are none were refused when they were entered.
fn graph(
    channel: &Channel,
    target: Option<&Package>,
    floors: &[(Arc<Package>, String)],
    blacklist: &HashSet<PackageId>,
    packages: &BTreeMap<PackageId, Arc<Package>>,
) -> Graph {
    let parse = |package: &Package| semver::Version::parse(&package.version).ok();
    let suitable = packages.values().filter(|package| package.arch.suits(channel.arch));
    let allowed = |package: &Package| match blacklist.contains(&package.id) {
        true => Allowed::Never,
        false => Allowed::Yes,
    };
    let releases = suitable.filter_map(|package| Some((parse(package)?, allowed(package))));
    let mut graph = Graph::new(releases);
    if let Some(target) = target.and_then(parse) {
        graph = graph.with_target(target);
    }
    for (package, reason) in floors {
        if let Some(version) = parse(package) {
            graph = graph.with_floor(version, reason);
        }
    }
    graph
}
