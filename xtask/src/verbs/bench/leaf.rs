//! What a change of one small package costs: a new disk, and the package itself beside the bare `emerge`.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use slipway_build::{Event, NodeId, NodeStates};
use slipway_packages_manifest::DiskFormat;
use slipway_pipeline::{CONTAINER_PHASE, DISTFILE, STORE_PHASE, SYSROOT, lay_out_root};
use slipway_store::{LinkMode, LinkOptions, link_tree};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::{Line, itself, itself_in, spread, timed, watched};
use crate::{cli::BenchArgs, context::Context, environment};

/// A small package that nothing else needs.
const LEAF: &str = "sys-apps/less";
/// What is beside the sources in a repository.
const BUILT: &str = "target";
/// The goal of what a package costs beyond its bare build.
const ADDED: &str = "≤ 1.5 s";

/// A copy of the repository in which [`LEAF`] can be changed.
struct Changing {
    dir: TempDir,
    ebuild: Utf8PathBuf,
    text: String,
    changes: u64,
}

impl Changing {
    fn new(context: &Context) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let copy = utf8(&dir)?;
        copy_sources(context.project.root(), copy)?;
        let ebuilds = WalkDir::new(copy.join("overlays/slipway").join(LEAF));
        let mut ebuilds = ebuilds.into_iter().filter_map(Result::ok);
        let ebuild = ebuilds.find(|entry| entry.path().extension().is_some_and(|e| e == "ebuild"));
        let ebuild = ebuild.with_context(|| format!("`{LEAF}` has no ebuild"))?.into_path();
        let ebuild = Utf8PathBuf::try_from(ebuild)?;
        let text = fs_err::read_to_string(&ebuild)?;
        Ok(Self { dir, ebuild, text, changes: 0 })
    }

    fn root(&self) -> anyhow::Result<&Utf8Path> {
        utf8(&self.dir)
    }

    /// A line that changes what is installed, and never the same.
    fn change(&mut self) -> anyhow::Result<()> {
        self.changes += 1;
        let mark = format!("{}-{}", environment::now(), self.changes);
        let install = format!(
            "src_install() {{\n\tdefault\n\techo {mark} > \"${{T}}\"/mark\n\tinsinto /usr/share/less\n\tdoins \"${{T}}\"/mark\n}}\n"
        );
        Ok(fs_err::write(&self.ebuild, format!("{}\n{install}", self.text))?)
    }

    /// Builds something in it, and says how long all of it took, in seconds.
    fn build(
        &self,
        context: &Context,
        what: &[&str],
        times: &mut PackageTimes,
    ) -> anyhow::Result<f64> {
        let mut command = itself_in(context, self.root()?)?;
        let took = watched(command.arg("--json").args(what), &mut |event| times.see(&event))?;
        Ok(took.as_secs_f64())
    }
}

/// From a change in the package to a new disk.
pub(super) fn measure(context: &Context, args: &BenchArgs) -> anyhow::Result<Vec<Line>> {
    let mut copy = Changing::new(context)?;
    let image = &["build-image", "--image", args.image.as_str()];
    copy.build(context, image, &mut PackageTimes::default())?;
    let mut seconds = Vec::new();
    let mut own = Vec::new();
    let mut added = Vec::new();
    for _ in 0..args.runs {
        copy.change()?;
        let mut times = PackageTimes::default();
        let took = copy.build(context, image, &mut times)?;
        let (package, outside) = times.done()?;
        seconds.push(took - package);
        own.push(package);
        added.push(outside);
    }
    let mean = own.iter().sum::<f64>() / own.len() as f64;
    Ok(vec![
        Line::new(
            format!(
                "one-line change in `{LEAF}` → new disk of {}, beyond the package's own build of {mean:.1} s",
                args.image,
            ),
            spread(seconds, 2, " s"),
            "≤ 10 s",
        ),
        Line::new(
            format!("of `{LEAF}`'s own build: outside its container (sysroot, packing, store)"),
            spread(added, 2, " s"),
            "≤ 1.5 s with the next row",
        ),
        start(context, args)?,
    ])
}

/// The package built by this program and by `emerge`, by turns: the same sources, ebuild, compiler and sysroot.
pub(super) async fn beside_emerge(
    context: &Context,
    args: &BenchArgs,
) -> anyhow::Result<Vec<Line>> {
    let mut copy = Changing::new(context)?;
    let what = &["build-packages", LEAF];
    copy.build(context, what, &mut PackageTimes::default())?;
    let bare = Bare::new(context, &args.image).await?;
    let (mut ours, mut theirs, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.runs {
        copy.change()?;
        let mut times = PackageTimes::default();
        copy.build(context, what, &mut times)?;
        let (our, _) = times.done()?;
        let their = bare.build(context, copy.root()?)?;
        ours.push(our);
        theirs.push(their);
        added.push(our - their);
    }
    Ok(vec![
        Line::new(format!("`{LEAF}`, its whole action"), spread(ours, 2, " s"), "–"),
        Line::new(
            format!(
                "`{LEAF}` by the bare `emerge` in the SDK root, the start of its container included"
            ),
            spread(theirs, 2, " s"),
            "–",
        ),
        Line::new("what its action adds to that, pair by pair", spread(added, 2, " s"), ADDED),
    ])
}

/// What `emerge` builds in: the sysroot and the sources of the last build.
struct Bare {
    dir: TempDir,
    ebuild: String,
    jobs: String,
}

impl Bare {
    async fn new(context: &Context, image: &str) -> anyhow::Result<Self> {
        let plan = context.image(&context.project.image(image)?, DiskFormat::Raw).await?;
        let action = plan.graph.iter().find(|action| is_leaf(&action.id));
        let id = &action.with_context(|| format!("`{LEAF}` is not part of {image}"))?.id;
        let state = NodeStates::of(&context.store).load(id)?;
        let state = state.with_context(|| format!("`{id}` was never built"))?;
        // Beside the store, so that files are links.
        let dir = tempfile::Builder::new().prefix("bench-emerge-").tempdir_in(&context.cache)?;
        let (sysroot, distfiles) = (utf8(&dir)?.join("sysroot"), utf8(&dir)?.join("distfiles"));
        fs_err::create_dir_all(&distfiles)?;
        lay_out_root(&sysroot)?;
        let options = LinkOptions { mode: LinkMode::HardLink };
        for (input, digest) in &state.inputs {
            if let Some(name) = input.strip_prefix(DISTFILE) {
                let source = context.store.blob(digest)?.context("the store lost a source")?;
                fs_err::copy(source, distfiles.join(name))?;
            } else if input.starts_with(SYSROOT) {
                link_tree(&context.store.tree(digest)?, &sysroot, &options)?;
            }
        }
        let name = id.to_string();
        let package = name.strip_prefix("package:").unwrap_or(&name);
        let jobs = std::thread::available_parallelism()?;
        Ok(Self { dir, ebuild: format!("={package}"), jobs: format!("-j{jobs}") })
    }

    /// How long `emerge` takes, in seconds, the start of its container included.
    fn build(&self, context: &Context, repository: &Utf8Path) -> anyhow::Result<f64> {
        // `emerge` wants to keep books in the root that it installs to, even if it installs nothing. The compiler's sysroot is fixed.
        const EMERGE: &str = "ROOT=/ SYSROOT=/ MAKEOPTS=$2 emerge --nodeps --oneshot --buildpkgonly \"$1\" && ls /out/sys-apps/*";
        let dir = utf8(&self.dir)?;
        let mount = |from: &Utf8Path, to: &str| format!("--mount={from}={to}");
        let mut command = itself(context)?;
        command.arg("shell").args([
            mount(&repository.join("overlays/slipway"), "/repos/slipway"),
            mount(&dir.join("sysroot"), "/sysroot"),
            mount(&dir.join("distfiles"), "/distfiles"),
        ]);
        command.args(["--", "/bin/bash", "-c", EMERGE, "emerge", &self.ebuild, &self.jobs]);
        Ok(timed(&mut command)?.as_secs_f64())
    }
}

fn is_leaf(id: &NodeId) -> bool {
    id.to_string().starts_with(&format!("package:{LEAF}-"))
}

/// When the parts of the build of [`LEAF`] began and ended, in seconds.
#[derive(Default)]
struct PackageTimes {
    begin: Option<f64>,
    container: Option<f64>,
    store: Option<f64>,
    end: Option<f64>,
}

impl PackageTimes {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Started { id, at, .. } if is_leaf(id) => self.begin = Some(*at),
            Event::Phase { id, phase, at } if is_leaf(id) && phase == CONTAINER_PHASE => {
                self.container = Some(*at);
            }
            Event::Phase { id, phase, at } if is_leaf(id) && phase == STORE_PHASE => {
                self.store = Some(*at);
            }
            Event::Finished { id, end, .. } if is_leaf(id) => self.end = Some(*end),
            _ => {}
        }
    }

    /// How long the whole action took, and how much of that was outside of its container.
    fn done(&self) -> anyhow::Result<(f64, f64)> {
        let done = || {
            let (begin, end) = (self.begin?, self.end?);
            Some((end - begin, self.container? - begin + end - self.store?))
        };
        done().with_context(|| format!("`{LEAF}` was not built; the image may not have it"))
    }
}

/// What a container costs by itself.
fn start(context: &Context, args: &BenchArgs) -> anyhow::Result<Line> {
    let seconds: Vec<f64> = (0..args.runs)
        .map(|_| Ok(timed(itself(context)?.args(["shell", "--", "true"]))?.as_secs_f64()))
        .collect::<anyhow::Result<_>>()?;
    Ok(Line::new(
        "a container that does nothing (`xtask shell -- true`)",
        spread(seconds, 2, " s"),
        "–",
    ))
}

fn utf8(dir: &TempDir) -> anyhow::Result<&Utf8Path> {
    Utf8Path::from_path(dir.path()).context("the temporary folder is not UTF-8")
}

fn copy_sources(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    let is_source = |entry: &walkdir::DirEntry| {
        entry.depth() != 1 || (entry.file_name() != BUILT && entry.file_name() != ".git")
    };
    for entry in WalkDir::new(from).into_iter().filter_entry(is_source) {
        let entry = entry?;
        let path = to.as_std_path().join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(path)?;
        } else {
            fs_err::copy(entry.path(), path)?;
        }
    }
    Ok(())
}
