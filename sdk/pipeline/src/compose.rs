//! Composing an image's tree: `/usr` as a tar archive, or an initrd.

use std::{io, sync::Arc};

use camino::Utf8Path;
use futures::future::BoxFuture;
use slipway_build::{Outputs, RunContext, RunError, Runner};
use slipway_image::{Composed, PackageTree, compose, write_cpio};
use slipway_packages_manifest::PathFilter;
use slipway_store::{
    Ingest,
    archive::{self, Compress, HardLinks, Owner, TarOptions},
};

use crate::{
    Shared,
    package::{blocking, tree},
    shared::WorkDir,
};

/// What stands before the name of a package among the inputs.
pub(crate) const PACKAGE: &str = "package/";

/// What is made of the composed tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// `usr.tar` and `sizes.json`.
    Usr,
    /// `initrd`, a compressed cpio archive.
    Initrd,
}

/// Composes packages.
pub(crate) struct ComposeRunner {
    pub(crate) product: Product,
    pub(crate) filter: PathFilter,
    /// Files that the image has beside those of packages, by their paths.
    pub(crate) files: Vec<(String, String)>,
    pub(crate) shared: Arc<Shared>,
}

impl Runner for ComposeRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (product, filter, files, shared) =
            (self.product, self.filter.clone(), self.files.clone(), self.shared.clone());
        Box::pin(async move {
            blocking("compose the image", move || {
                let work = WorkDir::create(&shared.work, &format!("compose-{}", cx.key))
                    .map_err(failed)?;
                let packages = cx
                    .inputs
                    .keys()
                    .filter_map(|input| Some((input, input.strip_prefix(PACKAGE)?)));
                let packages: Result<Vec<_>, RunError> = packages
                    .map(|(input, name)| {
                        Ok(PackageTree { package: name.to_owned(), dir: tree(&cx, input)? })
                    })
                    .collect();
                let dest = work.path().join("tree");
                let composed = compose(&packages?, &filter, &dest)
                    .map_err(|e| RunError::failed("compose the image", e))?;
                for (path, text) in &files {
                    replace(&dest.join(path), text).map_err(failed)?;
                }
                match product {
                    Product::Usr => usr(&cx, &work, &dest, &composed, shared.target.epoch),
                    Product::Initrd => initrd(&cx, &work, &dest, shared.target.epoch),
                }
            })
            .await
        })
    }
}

fn failed(error: io::Error) -> RunError {
    RunError::failed("compose the image", error)
}

/// Writes a file of its own: what is there is shared with the store and must not be written through.
fn replace(path: &Utf8Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if path.exists() {
        fs_err::remove_file(path)?;
    }
    fs_err::write(path, text)
}

fn usr(
    cx: &RunContext,
    work: &WorkDir,
    dest: &Utf8Path,
    composed: &Composed,
    epoch: u64,
) -> Result<Outputs, RunError> {
    let options = TarOptions {
        mtime_clamp: i64::try_from(epoch).unwrap_or(i64::MAX),
        owner: Owner::Keep,
        hard_links: HardLinks::AsFiles,
        compress: Compress::None,
        filter: None,
    };
    let path = work.path().join("usr.tar");
    let out = fs_err::File::create(&path).map_err(failed)?;
    archive::write_tree(&dest.join("usr"), out, &options)
        .map_err(|e| RunError::failed("pack `/usr`", e))?;
    let sizes = serde_json::to_vec_pretty(&composed.sizes)
        .map_err(|e| RunError::failed("write the table of sizes", e))?;
    let store = |e| RunError::failed("store `/usr`", e);
    let usr = cx.store.put_file(&path, Ingest::Move).map_err(store)?;
    let sizes = cx.store.put_bytes(&sizes).map_err(store)?;
    Ok([("usr.tar".to_owned(), usr), ("sizes.json".to_owned(), sizes)].into())
}

/// Folders and links that the first process of an initrd expects.
fn initrd(
    cx: &RunContext,
    work: &WorkDir,
    dest: &Utf8Path,
    epoch: u64,
) -> Result<Outputs, RunError> {
    for dir in ["dev", "etc", "proc", "root", "run", "sys", "sysroot", "tmp", "var"] {
        fs_err::create_dir_all(dest.join(dir)).map_err(failed)?;
    }
    let links = [
        ("bin", "usr/bin"),
        ("sbin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib"),
        ("init", "usr/lib/systemd/systemd"),
    ];
    for (name, target) in links {
        fs_err::os::unix::fs::symlink(target, dest.join(name)).map_err(failed)?;
    }
    let path = work.path().join("initrd");
    let out = fs_err::File::create(&path).map_err(failed)?;
    // Level 12 takes two seconds for 50 MB and saves a fifth over the default; every machine reads it at every boot.
    let mut out = zstd::Encoder::new(out, 12).map_err(failed)?;
    write_cpio(dest, &mut out, epoch).map_err(|e| RunError::failed("pack the initrd", e))?;
    out.finish().and_then(|file| file.sync_all()).map_err(failed)?;
    let digest = cx
        .store
        .put_file(&path, Ingest::Move)
        .map_err(|e| RunError::failed("store the initrd", e))?;
    Ok([("initrd".to_owned(), digest)].into())
}
