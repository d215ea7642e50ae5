//! Bringing Manifests up to date: what no Manifest knows yet is downloaded, and its digests written down.

use camino::Utf8Path;
use slipway_portage::{Manifest, Overlay, PackageSources};

use crate::{Network, PipelineError, fetch_unknown, shared::WorkDir};

/// What changed in a Manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestChange {
    /// A source was downloaded for the first time.
    Added {
        /// The source.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The address that gave it.
        url: String,
    },
    /// No ebuild names the source any more.
    Dropped {
        /// The source.
        name: String,
    },
}

/// Makes the Manifest of a package name exactly its sources. What is known of a source stays: a server whose bytes have changed
/// since is found by the next build, and not believed here. Downloads lie in a folder below `work` meanwhile.
///
/// # Errors
/// When the Manifest cannot be read or written, or a source cannot be had; then nothing is written.
pub async fn update_manifest(
    overlay: &Overlay,
    package: &PackageSources,
    network: &Network,
    work: &Utf8Path,
) -> Result<Vec<ManifestChange>, PipelineError> {
    let portage = |source| PipelineError::Portage { source };
    let path = overlay.dir().join(&package.name).join("Manifest");
    let plan = Manifest::load(&path).map_err(portage)?.plan(&package.files);
    if plan.is_done() {
        return Ok(Vec::new());
    }
    let folder = format!("manifest-{}", package.name.replace('/', "-"));
    let folder = WorkDir::create(work, &folder).map_err(|source| PipelineError::Work { source })?;
    let (mut manifest, mut changes) = (plan.kept, Vec::new());
    for source in &plan.missing {
        let (entry, url) = fetch_unknown(source, network, &folder.path().join("file")).await?;
        let (name, size) = (source.name.clone(), entry.size);
        manifest.insert(&name, entry);
        changes.push(ManifestChange::Added { name, size, url });
    }
    changes.extend(plan.unused.into_iter().map(|name| ManifestChange::Dropped { name }));
    manifest.save(&path).map_err(portage)?;
    Ok(changes)
}
