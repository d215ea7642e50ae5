//! The action that resolves atoms with Portage.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use slipway_build::{Action, Input, Kind, NodeId, Outputs, RunContext, RunError, Runner};
use slipway_portage::{RESOLVE_SCRIPT, ResolveDirs, parse_resolution, resolve_spec};
use slipway_store::{Digest, FileDigests};

use crate::{PipelineError, Project, Shared, container, shared::WorkDir};

/// Resolves `atoms` against the whole ebuild repository: any of its files can change the answer.
///
/// # Errors
/// When the repository cannot be read.
pub fn resolve_action(
    project: &Project,
    shared: &Arc<Shared>,
    digests: &FileDigests,
    store: &slipway_store::Store,
    atoms: Vec<String>,
) -> Result<Action, PipelineError> {
    let store_error = |source| PipelineError::Store { source };
    let mut listing = String::new();
    for file in project.overlay().files().map_err(|source| PipelineError::Portage { source })? {
        // What lies in `files/` is seen by builds alone.
        if !file.name.contains("/files/") {
            let digest = digests.digest_of(&file.path).map_err(store_error)?;
            listing.push_str(&file.name);
            listing.push(' ');
            listing.push_str(&digest.to_string());
            listing.push('\n');
        }
    }
    let overlay = put(store, listing.as_bytes())?;
    let sdk = put(store, shared.target.sdk.id.as_bytes())?;
    Ok(Action {
        id: NodeId::new("resolve").map_err(|source| PipelineError::Node { source })?,
        kind: Kind::Resolve,
        argv: [RESOLVE_SCRIPT.to_owned()].into_iter().chain(atoms).collect(),
        env: BTreeMap::new(),
        inputs: [
            ("overlay".to_owned(), Input::Digest(overlay)),
            ("sdk".to_owned(), Input::Digest(sdk)),
        ]
        .into(),
        outputs: ["graph.json".to_owned()].into(),
        memory_bytes: 512 << 20,
        guess_seconds: None,
        runner: Arc::new(ResolveRunner {
            overlay: project.overlay().dir().to_owned(),
            shared: shared.clone(),
        }),
    })
}

/// Puts a few bytes into the store, without writing them when they are there.
pub(crate) fn put(store: &slipway_store::Store, bytes: &[u8]) -> Result<Digest, PipelineError> {
    let digest = Digest::of_bytes(bytes);
    if !store.has_blob(&digest) {
        store.put_bytes(bytes).map_err(|source| PipelineError::Store { source })?;
    }
    Ok(digest)
}

struct ResolveRunner {
    overlay: camino::Utf8PathBuf,
    shared: Arc<Shared>,
}

impl Runner for ResolveRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (overlay, shared) = (self.overlay.clone(), self.shared.clone());
        Box::pin(async move {
            let work = WorkDir::create(&shared.work, &format!("resolve-{}", cx.key))
                .map_err(|e| RunError::failed("make a work folder", e))?;
            let dirs = ResolveDirs {
                overlay,
                sysroot: work
                    .dir("sysroot")
                    .map_err(|e| RunError::failed("make a work folder", e))?,
            };
            let atoms = &cx.action.argv[1..];
            let answer =
                container::run(&shared, &cx, resolve_spec(&shared.target, &dirs, atoms), true)
                    .await?;
            // An answer that is no graph is an error now, and never stored.
            parse_resolution(&answer).map_err(|e| RunError::failed("resolve the packages", e))?;
            let digest =
                cx.store.put_bytes(&answer).map_err(|e| RunError::failed("store the graph", e))?;
            Ok([("graph.json".to_owned(), digest)].into())
        })
    }
}
