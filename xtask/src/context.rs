//! What verbs start from: the repository, the store, the SDK and a resolved set of packages.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use slipway_build::{Action, Graph, Inventory, NodeId, NodeStates, Outcome, Plan, RunOptions};
use slipway_engine::{
    AutoConfig, ChildProgram, Choice, DockerConfig, DockerEndpoint, EmbeddedConfig, Keep, RootFs,
};
use slipway_packages_manifest::{Atom, DiskFormat, Image};
use slipway_pipeline::{
    Additions, Cargo, EngineInRoot, EngineSource, ImageNodes, Network, Planner, Project, Shared,
    package_node, read_through, resolve_action, setup_steps,
};
use slipway_portage::{Resolution, Target, parse_resolution};
use slipway_seed::mirrors::AptFile;
use slipway_seed::{EnsureOptions, SeedLock, SeedSpec};
use slipway_store::{FileDigests, Store};

use crate::{
    cli::{EngineChoice, Global},
    environment, place,
    report::{self, Reporter},
    results::Results,
};

/// The time between the polite and the hard end of a cancelled container.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) project: Project,
    pub(crate) cache: Utf8PathBuf,
    pub(crate) store: Arc<Store>,
    pub(crate) digests: FileDigests,
    pub(crate) engine: Arc<EngineSource>,
}

/// A resolved image, ready to be planned or run.
pub(crate) struct ImagePlan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) nodes: ImageNodes,
    pub(crate) resolution: Resolution,
    /// The root metadata that it trusts.
    pub(crate) trusted: Option<String>,
}

impl Context {
    pub(crate) fn new(global: Global) -> anyhow::Result<Self> {
        Self::at(environment::cache_dir()?, global)
    }

    /// A context that keeps everything in `cache`.
    pub(crate) fn at(cache: Utf8PathBuf, global: Global) -> anyhow::Result<Self> {
        let root = match &global.repository {
            Some(dir) => dir.clone(),
            None => repository()?,
        };
        let project = Project::load(&root)?;
        fs_err::create_dir_all(cache.join("scratch"))?;
        fs_err::create_dir_all(cache.join("work"))?;
        let store = Store::open(&cache.join("store"))?;
        let digests = FileDigests::open(&cache.join("file-digests"));
        let engine = Arc::new(EngineSource::new(choice(&global)?, engine_config(&cache)));
        Ok(Self { global, project, cache, store: Arc::new(store), digests, engine })
    }

    pub(crate) fn jobs(&self) -> usize {
        self.global
            .jobs
            .unwrap_or_else(|| {
                std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
            })
            .max(1)
    }

    pub(crate) fn network(&self) -> anyhow::Result<Network> {
        let debian = self.mirror().map(|mirror| mirror.to_string()).ok();
        Ok(Network { debian, ca_bundle: ca_bundle() })
    }

    /// The user's cargo, which knows where crates come from.
    fn cargo(&self) -> anyhow::Result<Cargo> {
        let program = environment::get("CARGO").unwrap_or_else(|| "cargo".to_owned());
        let root = self.project.root().canonicalize_utf8()?;
        Ok(Cargo::new(program.into(), environment::cargo_home(), root))
    }

    pub(crate) fn mirror(&self) -> anyhow::Result<slipway_seed::Mirror> {
        let explicit = self.global.mirror.clone().or_else(|| environment::get("SLIPWAY_MIRROR"));
        Ok(slipway_seed::mirrors::choose(explicit.as_deref(), &apt_files()?)?)
    }

    /// The host's settings for Python packages.
    pub(crate) fn pip(&self) -> Vec<(String, String)> {
        let url = environment::get("PIP_INDEX_URL");
        url.map(|url| ("PIP_INDEX_URL".to_owned(), url)).into_iter().collect()
    }

    /// The SDK root, made if it is not there.
    pub(crate) async fn sdk(&self) -> anyhow::Result<RootFs> {
        let dir = self.project.seed_dir();
        let spec = SeedSpec::load(&dir)?;
        let lock = SeedLock::load(&dir.join("seed.lock"))?;
        let pip = self.pip();
        let work = self.cache.join("work/seed");
        let ca_bundle = ca_bundle();
        let setup = setup_steps(&spec.portage, &work, &pip, ca_bundle.as_deref())?;
        let options = EnsureOptions {
            cache_dir: self.cache.clone(),
            mirror: self.mirror()?,
            ca_bundle,
            setup,
            allow_newer: false,
            now: environment::now(),
        };
        let run = EngineInRoot { engine: self.engine.clone(), work };
        let root = slipway_seed::ensure(&spec, &lock, options, &run, &report::seed_events).await?;
        Ok(RootFs { dir: root.dir, id: root.id })
    }

    pub(crate) async fn shared(&self) -> anyhow::Result<Arc<Shared>> {
        let sdk = self.sdk().await?;
        Ok(Arc::new(Shared {
            engine: self.engine.clone(),
            target: Target { sdk, epoch: self.project.release().epoch },
            work: self.cache.join("work"),
            network: self.network()?,
            cargo: self.cargo()?,
            keep: if self.global.keep_failed { Keep::OnFailure } else { Keep::Never },
        }))
    }

    /// Resolves atoms, from the cache if nothing changed.
    pub(crate) async fn resolve(
        &self,
        shared: &Arc<Shared>,
        atoms: Vec<String>,
    ) -> anyhow::Result<Resolution> {
        let action = resolve_action(&self.project, shared, &self.digests, &self.store, atoms)?;
        let id = action.id.clone();
        let path = self.output(Graph::new(vec![action])?, &id, "graph.json").await?;
        Ok(parse_resolution(&fs_err::read(path)?)?)
    }

    /// Brings one action up to date and says where one of its outputs is.
    pub(crate) async fn output(
        &self,
        graph: Graph,
        id: &NodeId,
        output: &str,
    ) -> anyhow::Result<Utf8PathBuf> {
        let outcome = self.run(&Arc::new(graph), std::slice::from_ref(id)).await?;
        let digest = outcome.outputs.get(id).and_then(|outputs| outputs.get(output));
        let digest = digest.with_context(|| format!("`{id}` left no `{output}`"))?;
        let damaged = || format!("`{output}` was damaged; run the command again");
        self.store.blob(digest)?.with_context(damaged)
    }

    /// The graph of packages and what they need, and the actions that build the packages themselves.
    pub(crate) async fn packages(
        &self,
        atoms: &[Atom],
    ) -> anyhow::Result<(Arc<Graph>, Vec<NodeId>)> {
        let shared = self.shared().await?;
        let atoms: Vec<String> = atoms.iter().map(ToString::to_string).collect();
        let resolution = self.resolve(&shared, atoms.clone()).await?;
        let planner = self.planner(&resolution, &shared);
        let graph = Arc::new(Graph::new(self.reading_through(planner.packages()?)?)?);
        self.digests.save()?;
        let chosen = atoms.iter().filter_map(|atom| resolution.requested(atom));
        let wanted = chosen.map(package_node).collect::<Result<_, _>>()?;
        Ok((graph, wanted))
    }

    fn planner<'a>(&'a self, resolution: &'a Resolution, shared: &'a Arc<Shared>) -> Planner<'a> {
        Planner {
            project: &self.project,
            resolution,
            shared,
            store: &self.store,
            digests: &self.digests,
        }
    }

    /// Actions that look for packages at the host that was named, before they build them.
    fn reading_through(&self, actions: Vec<Action>) -> anyhow::Result<Vec<Action>> {
        Ok(match &self.global.binhost {
            Some(address) => read_through(actions, &place::open(address)?),
            None => actions,
        })
    }

    /// The graph of an image in a format, which trusts the root metadata beside this user's keys, if there is one.
    pub(crate) async fn image(
        &self,
        image: &Image,
        format: DiskFormat,
    ) -> anyhow::Result<ImagePlan> {
        // Who has no place for keys has no root either.
        let trusted = environment::keys_dir().unwrap_or_default().join("root.json");
        let trusted = trusted.is_file().then(|| fs_err::read_to_string(trusted)).transpose()?;
        let additions = Additions { trusted: trusted.as_deref(), programs: None };
        self.image_with(image, format, additions).await
    }

    /// The graph of an image in a format, with what it has besides its packages.
    pub(crate) async fn image_with(
        &self,
        image: &Image,
        format: DiskFormat,
        additions: Additions<'_>,
    ) -> anyhow::Result<ImagePlan> {
        let shared = self.shared().await?;
        let initrd =
            image.initrd.as_ref().map(|name| self.project.image(name.as_str())).transpose()?;
        let packages =
            image.packages.iter().chain(initrd.iter().flat_map(|initrd| &initrd.packages));
        let mut atoms: Vec<_> = packages.map(ToString::to_string).collect();
        atoms.sort();
        atoms.dedup();
        let resolution = self.resolve(&shared, atoms).await?;
        let planner = self.planner(&resolution, &shared);
        let mut actions = self.reading_through(planner.packages()?)?;
        let (image_actions, nodes) = planner.image(image, format, additions)?;
        actions.extend(image_actions);
        let graph = Arc::new(Graph::new(actions)?);
        self.digests.save()?;
        let trusted = additions.trusted.map(str::to_owned);
        Ok(ImagePlan { graph, nodes, resolution, trusted })
    }

    /// What a run would do.
    pub(crate) fn plan(&self, graph: &Graph, wanted: &[NodeId]) -> anyhow::Result<Plan> {
        let inventory: Inventory = slipway_build::survey(
            graph,
            wanted,
            &Default::default(),
            &self.store,
            &NodeStates::of(&self.store),
        )?;
        Ok(slipway_build::plan(graph, wanted, &inventory)?)
    }

    /// What came out of the actions that were wanted, and of all that they need; they were run before.
    pub(crate) fn results(&self, graph: &Graph, wanted: &[NodeId]) -> anyhow::Result<Results> {
        Ok(Results::of(&self.plan(graph, wanted)?))
    }

    /// Brings actions up to date, showing what happens.
    pub(crate) async fn run(
        &self,
        graph: &Arc<Graph>,
        wanted: &[NodeId],
    ) -> anyhow::Result<Outcome> {
        let options = RunOptions {
            // One more than cores: while one package configures, which is serial, the others compile.
            slots: self.jobs() + 1,
            fetches: 4,
            memory_bytes: memory(),
            keep_going: self.global.keep_going,
            force: Default::default(),
            unix_time: environment::now(),
        };
        let cancel = slipway_build::Cancel::new();
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let reporter = tokio::spawn(Reporter::new(self.global.json).consume(events));
        let signals = tokio::spawn({
            let cancel = cancel.clone();
            async move {
                while tokio::signal::ctrl_c().await.is_ok() {
                    cancel.request();
                }
            }
        });
        let outcome =
            slipway_build::run(graph.clone(), wanted, options, self.store.clone(), sender, cancel)
                .await;
        signals.abort();
        reporter.await?;
        self.digests.save()?;
        self.store.save()?;
        Ok(outcome?)
    }
}

/// Three quarters of the memory for builds; the rest is for files that they read again.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64).saturating_mul(u64::from(info.mem_unit)) / 4 * 3
}

/// The work tree that this program was built from.
fn repository() -> anyhow::Result<Utf8PathBuf> {
    let dir = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the command line has no repository around it")?;
    anyhow::ensure!(
        dir.join("packages-manifest").is_dir(),
        "`{dir}` is no longer there; run `cargo xtask` in the repository"
    );
    Ok(dir.to_owned())
}

fn choice(global: &Global) -> anyhow::Result<Choice> {
    let named = match environment::get("SLIPWAY_ENGINE").as_deref() {
        None => EngineChoice::Auto,
        Some(text) => <EngineChoice as clap::ValueEnum>::from_str(text, true).map_err(|_| {
            anyhow::anyhow!("`SLIPWAY_ENGINE` is `{text}`; it can be auto, docker or embedded")
        })?,
    };
    Ok(match global.engine.unwrap_or(named) {
        EngineChoice::Auto => Choice::Auto,
        EngineChoice::Docker => Choice::Docker,
        EngineChoice::Embedded => Choice::Embedded,
    })
}

fn engine_config(cache: &Utf8Path) -> AutoConfig {
    let scratch_dir = cache.join("scratch");
    AutoConfig {
        docker: DockerConfig {
            endpoint: DockerEndpoint::Local,
            scratch_dir: scratch_dir.clone(),
            child: ChildProgram::CurrentExe,
            grace: GRACE,
        },
        embedded: EmbeddedConfig { scratch_dir, child: ChildProgram::CurrentExe, grace: GRACE },
    }
}

fn ca_bundle() -> Option<Utf8PathBuf> {
    environment::get("SSL_CERT_FILE").map(Utf8PathBuf::from).filter(|path| path.is_file())
}

/// APT's own files, in which the host says where its mirror is.
fn apt_files() -> anyhow::Result<Vec<AptFile>> {
    let mut files = Vec::new();
    let mut add = |path: &Utf8Path| -> anyhow::Result<()> {
        if path.is_file() && matches!(path.extension(), Some("list" | "sources")) {
            let name = path.file_name().unwrap_or_default().to_owned();
            files.push(AptFile { name, text: fs_err::read_to_string(path)? });
        }
        Ok(())
    };
    add(Utf8Path::new("/etc/apt/sources.list"))?;
    let dir = Utf8Path::new("/etc/apt/sources.list.d");
    if dir.is_dir() {
        for entry in dir.read_dir_utf8()? {
            add(entry?.path())?;
        }
    }
    Ok(files)
}
