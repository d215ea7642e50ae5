//! The actions that ask Portage: what has to be built for atoms, and where their sources can be had.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use slipway_build::{Action, Input, Kind, NodeId, Outputs, RunContext, RunError, Runner};
use slipway_portage::{Question, ResolveDirs, parse_resolution, parse_sources, resolve_spec};
use slipway_store::{Digest, FileDigests, Store};

use crate::{PipelineError, Project, Shared, container, shared::WorkDir};

/// Resolves `atoms` against the whole ebuild repository: any of its files can change the answer. Gives `graph.json`.
///
/// # Errors
/// When the repository cannot be read.
pub fn resolve_action(
    project: &Project,
    shared: &Arc<Shared>,
    digests: &FileDigests,
    store: &Store,
    atoms: Vec<String>,
) -> Result<Action, PipelineError> {
    question_action(project, shared, digests, store, Question::Graph, atoms)
}

/// Asks for the sources of all versions of `atoms`, of all packages if there are none. Gives `sources.json`.
///
/// # Errors
/// When the repository cannot be read.
pub fn sources_action(
    project: &Project,
    shared: &Arc<Shared>,
    digests: &FileDigests,
    store: &Store,
    atoms: Vec<String>,
) -> Result<Action, PipelineError> {
    question_action(project, shared, digests, store, Question::Sources, atoms)
}

fn question_action(
    project: &Project,
    shared: &Arc<Shared>,
    digests: &FileDigests,
    store: &Store,
    question: Question,
    atoms: Vec<String>,
) -> Result<Action, PipelineError> {
    let (id, output) = names(question);
    // What lies in `files/` is seen by builds alone.
    let overlay = listing(project, digests, store, |name| !name.contains("/files/"))?;
    let sdk = put(store, shared.target.sdk.id.as_bytes())?;
    Ok(Action {
        id: NodeId::new(id).map_err(|source| PipelineError::Node { source })?,
        kind: Kind::Resolve,
        argv: [question.script().to_owned()].into_iter().chain(atoms).collect(),
        env: BTreeMap::new(),
        inputs: [
            ("overlay".to_owned(), Input::Digest(overlay)),
            ("sdk".to_owned(), Input::Digest(sdk)),
        ]
        .into(),
        outputs: [output.to_owned()].into(),
        memory_bytes: 512 << 20,
        guess_seconds: None,
        runner: Arc::new(ResolveRunner {
            overlay: project.overlay().dir().to_owned(),
            question,
            shared: shared.clone(),
        }),
    })
}

/// The action that asks, and what it gives.
fn names(question: Question) -> (&'static str, &'static str) {
    match question {
        Question::Graph => ("resolve", "graph.json"),
        Question::Sources => ("sources", "sources.json"),
    }
}

/// The files of the ebuild repository that `wanted` names, with their digests, as one text in the store.
pub(crate) fn listing(
    project: &Project,
    digests: &FileDigests,
    store: &Store,
    wanted: impl Fn(&str) -> bool,
) -> Result<Digest, PipelineError> {
    let mut listing = String::new();
    for file in project.overlay().files().map_err(|source| PipelineError::Portage { source })? {
        if wanted(&file.name) {
            let digest =
                digests.digest_of(&file.path).map_err(|source| PipelineError::Store { source })?;
            listing.push_str(&file.name);
            listing.push(' ');
            listing.push_str(&digest.to_string());
            listing.push('\n');
        }
    }
    put(store, listing.as_bytes())
}

/// Puts a few bytes into the store, without writing them when they are there.
pub(crate) fn put(store: &Store, bytes: &[u8]) -> Result<Digest, PipelineError> {
    let digest = Digest::of_bytes(bytes);
    if !store.has_blob(&digest) {
        store.put_bytes(bytes).map_err(|source| PipelineError::Store { source })?;
    }
    Ok(digest)
}

struct ResolveRunner {
    overlay: camino::Utf8PathBuf,
    question: Question,
    shared: Arc<Shared>,
}

impl Runner for ResolveRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (overlay, question, shared) =
            (self.overlay.clone(), self.question, self.shared.clone());
        Box::pin(async move {
            let work = WorkDir::create(&shared.work, &format!("resolve-{}", cx.key))
                .map_err(|e| RunError::failed("make a work folder", e))?;
            let dirs = ResolveDirs {
                overlay,
                sysroot: work
                    .dir("sysroot")
                    .map_err(|e| RunError::failed("make a work folder", e))?,
                // It goes when the SDK goes.
                metadata: shared.target.sdk.dir.with_file_name("ebuild-metadata"),
            };
            fs_err::create_dir_all(&dirs.metadata)
                .map_err(|e| RunError::failed("make a folder for what ebuilds say", e))?;
            let atoms = &cx.action.argv[1..];
            let spec = resolve_spec(&shared.target, &dirs, question, atoms);
            let answer = container::run(&shared, &cx, spec, true).await?;
            // An answer that is not what was asked for is an error now, and never stored.
            match question {
                Question::Graph => parse_resolution(&answer).map(drop),
                Question::Sources => parse_sources(&answer).map(drop),
            }
            .map_err(|e| RunError::failed("ask Portage", e))?;
            let digest =
                cx.store.put_bytes(&answer).map_err(|e| RunError::failed("store the answer", e))?;
            Ok([(names(question).1.to_owned(), digest)].into())
        })
    }
}
