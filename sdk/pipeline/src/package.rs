//! Building one package.

use std::{collections::BTreeMap, io, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use slipway_build::{Outputs, RunContext, RunError, Runner};
use slipway_portage::{BuildDirs, Package, RecipeFile, build_spec, normalise};
use slipway_store::{Ingest, LinkMode, LinkOptions, Store, link_tree};

use crate::{Shared, container, shared::WorkDir};

/// Input names: what stands before the path of a recipe file …
pub(crate) const RECIPE: &str = "recipe/";
/// … before the name of a source …
pub const DISTFILE: &str = "distfile/";
/// … and before a package of the sysroot.
pub const SYSROOT: &str = "sysroot/";
/// Of a package of this repository: the path in its part of the workspace, and the archive of a crate.
pub(crate) const WORKSPACE: &str = "workspace/";
pub(crate) const CRATE: &str = "crate/";

/// The phase of a package's action in which its container starts; before it lies the making of the sysroot.
pub const CONTAINER_PHASE: &str = "start";
/// The phase of a package's action after its container: packing and storing.
pub const STORE_PHASE: &str = "store";

/// Builds one package in a container of its own.
pub(crate) struct PackageRunner {
    pub(crate) package: Package,
    /// Files that Portage wants to see but that do not change the result.
    pub(crate) frame: Vec<RecipeFile>,
    pub(crate) shared: Arc<Shared>,
}

impl Runner for PackageRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (package, frame, shared) =
            (self.package.clone(), self.frame.clone(), self.shared.clone());
        Box::pin(async move {
            let (prepare_cx, prepare_shared) = (cx.clone(), shared.clone());
            let (work, dirs) = blocking("compose the sysroot", move || {
                prepare(&prepare_shared, &prepare_cx, &frame)
            })
            .await?;
            cx.progress.phase(CONTAINER_PHASE);
            let spec = build_spec(&shared.target, &package, &dirs, cx.jobs, shared.keep);
            container::run(&shared, &cx, spec, false).await?;
            cx.progress.phase(STORE_PHASE);
            let epoch = shared.target.epoch;
            blocking("pack the package", move || store_package(&cx.store, &work, &dirs, epoch))
                .await
        })
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| RunError::failed(operation, error))?
}

/// The bytes of an input.
pub(crate) fn blob(cx: &RunContext, input: &str) -> Result<Utf8PathBuf, RunError> {
    let lost = || RunError::InputLost { input: input.to_owned() };
    let digest = cx.inputs.get(input).ok_or_else(lost)?;
    cx.store
        .blob(digest)
        .map_err(|error| RunError::failed("read the store", error))?
        .ok_or_else(lost)
}

/// The unpacked tree of an input.
pub(crate) fn tree(cx: &RunContext, input: &str) -> Result<Utf8PathBuf, RunError> {
    blob(cx, input)?;
    let digest =
        cx.inputs.get(input).ok_or_else(|| RunError::InputLost { input: input.to_owned() })?;
    cx.store.tree(digest).map_err(|error| RunError::failed("unpack an input", error))
}

fn prepare(
    shared: &Shared,
    cx: &RunContext,
    frame: &[RecipeFile],
) -> Result<(WorkDir, BuildDirs), RunError> {
    let failed = |error: io::Error| RunError::failed("prepare the build", error);
    let work = WorkDir::create(&shared.work, &format!("package-{}", cx.key)).map_err(failed)?;
    let dir = |name: &str| work.dir(name).map_err(failed);
    let dirs = BuildDirs {
        repository: dir("repository")?,
        sysroot: dir("sysroot")?,
        distfiles: dir("distfiles")?,
        source: source(&work, cx)?,
        out: dir("out")?,
    };
    for file in frame {
        place(&file.path, &dirs.repository.join(&file.name)).map_err(failed)?;
    }
    lay_out_root(&dirs.sysroot).map_err(failed)?;
    for input in cx.inputs.keys() {
        if let Some(name) = input.strip_prefix(RECIPE) {
            place(&blob(cx, input)?, &dirs.repository.join(name)).map_err(failed)?;
        } else if let Some(name) = input.strip_prefix(DISTFILE) {
            link(&blob(cx, input)?, &dirs.distfiles.join(name)).map_err(failed)?;
        } else if input.starts_with(SYSROOT) {
            let options = LinkOptions { mode: LinkMode::HardLink };
            link_tree(&tree(cx, input)?, &dirs.sysroot, &options)
                .map_err(|e| RunError::failed("compose the sysroot", e))?;
        }
    }
    Ok((work, dirs))
}

/// The part of the workspace and the crates that a package of this repository is built from.
fn source(work: &WorkDir, cx: &RunContext) -> Result<Option<Utf8PathBuf>, RunError> {
    let failed = |error: io::Error| RunError::failed("lay out the workspace", error);
    if !cx.inputs.keys().any(|input| input.starts_with(WORKSPACE)) {
        return Ok(None);
    }
    let source = work.dir("source").map_err(failed)?;
    let crates = work.dir("source/crates").map_err(failed)?;
    for input in cx.inputs.keys() {
        if input.starts_with(WORKSPACE) {
            place(&blob(cx, input)?, &source.join(input)).map_err(failed)?;
        } else if let Some(name) = input.strip_prefix(CRATE) {
            link(&blob(cx, input)?, &crates.join(name)).map_err(failed)?;
        }
    }
    Ok(Some(source))
}

/// A file of the repository; copied, because its mode and owner are the store's.
fn place(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if to.exists() {
        fs_err::remove_file(to)?;
    }
    let executable = from.extension() == Some("sh");
    fs_err::write(to, fs_err::read(from)?)?;
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

fn link(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    match fs_err::hard_link(from, to) {
        Err(_) => fs_err::copy(from, to).map(drop),
        Ok(()) => Ok(()),
    }
}

/// Makes the root of a target: the links that merge the historic folders into `/usr`, which no package owns.
///
/// # Errors
/// When a folder or link cannot be made.
pub fn lay_out_root(root: &Utf8Path) -> io::Result<()> {
    for dir in ["usr/bin", "usr/lib"] {
        fs_err::create_dir_all(root.join(dir))?;
    }
    let links = [
        ("bin", "usr/bin"),
        ("sbin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib"),
        ("usr/lib64", "lib"),
        ("usr/sbin", "bin"),
    ];
    for (name, target) in links {
        fs_err::os::unix::fs::symlink(target, root.join(name))?;
    }
    Ok(())
}

fn store_package(
    store: &Store,
    work: &WorkDir,
    dirs: &BuildDirs,
    epoch: u64,
) -> Result<Outputs, RunError> {
    let failed = |error: io::Error| RunError::failed("pack the package", error);
    let normal = work.dir("normal").map_err(failed)?;
    let files = normalise(&dirs.out.join("package.gpkg.tar"), &normal, epoch)
        .map_err(|e| RunError::failed("pack the package", e))?;
    let mut outputs = BTreeMap::new();
    for (name, path) in [("gpkg", files.gpkg), ("image", files.image), ("metadata", files.metadata)]
    {
        let digest = store
            .put_file(&path, Ingest::Move)
            .map_err(|e| RunError::failed("store the package", e))?;
        outputs.insert(name.to_owned(), digest);
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests;
