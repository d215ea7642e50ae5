//! The actions that run pkgcheck on the ebuild repository: one downloads it, one lets it look.

use std::{collections::BTreeMap, io, sync::Arc};

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use slipway_build::{
    Action, Input, Kind, NodeId, NodeIdError, Outputs, RunContext, RunError, Runner,
};
use slipway_portage::{
    PKGCHECK_REQUIREMENTS, PKGCHECK_SCRIPT, PkgcheckDirs, WHEELS_SCRIPT, findings, pkgcheck_spec,
    wheels_spec,
};
use slipway_store::{FileDigests, Ingest, Store};

use crate::{
    PipelineError, Project, Shared, container,
    package::blob,
    resolve::{listing, put},
    shared::WorkDir,
};

/// The output of the last action: what pkgcheck found, a JSON document per line.
pub const FINDINGS: &str = "findings.json";

const WHEELS: &str = "wheels.tar";

/// Where Python packages come from. No part of any key: digests say what they are.
#[derive(Clone, Debug, Default)]
pub struct PackageIndex {
    /// Settings of the host's client (`PIP_INDEX_URL` and the like).
    pub pip: Vec<(String, String)>,
}

/// The actions, the one that is wanted last. It runs again when any file of the repository changes.
///
/// # Errors
/// When the repository cannot be read.
pub fn pkgcheck_actions(
    project: &Project,
    shared: &Arc<Shared>,
    digests: &FileDigests,
    store: &Store,
    index: PackageIndex,
) -> Result<[Action; 2], PipelineError> {
    let node = |source: NodeIdError| PipelineError::Node { source };
    let sdk = put(store, shared.target.sdk.id.as_bytes())?;
    let requirements = put(store, PKGCHECK_REQUIREMENTS.as_bytes())?;
    let common = BTreeMap::from([
        ("requirements".to_owned(), Input::Digest(requirements)),
        ("sdk".to_owned(), Input::Digest(sdk)),
    ]);
    let wheels = Action {
        id: NodeId::new("fetch:pkgcheck").map_err(node)?,
        kind: Kind::Fetch,
        argv: vec![WHEELS_SCRIPT.to_owned()],
        env: BTreeMap::new(),
        inputs: common.clone(),
        outputs: [WHEELS.to_owned()].into(),
        memory_bytes: 128 << 20,
        guess_seconds: Some(20.0),
        runner: Arc::new(WheelsRunner { index, shared: shared.clone() }),
    };
    let mut inputs = common;
    let overlay = listing(project, digests, store, |_| true)?;
    inputs.insert("overlay".to_owned(), Input::Digest(overlay));
    let output = Input::Output { node: wheels.id.clone(), output: WHEELS.to_owned() };
    inputs.insert(WHEELS.to_owned(), output);
    let check = Action {
        id: NodeId::new("pkgcheck").map_err(node)?,
        kind: Kind::Resolve,
        argv: vec![PKGCHECK_SCRIPT.to_owned()],
        env: BTreeMap::new(),
        inputs,
        outputs: [FINDINGS.to_owned()].into(),
        memory_bytes: 512 << 20,
        guess_seconds: Some(20.0),
        runner: Arc::new(PkgcheckRunner {
            overlay: project.overlay().dir().to_owned(),
            shared: shared.clone(),
        }),
    };
    Ok([wheels, check])
}

struct WheelsRunner {
    index: PackageIndex,
    shared: Arc<Shared>,
}

impl Runner for WheelsRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (index, shared) = (self.index.clone(), self.shared.clone());
        Box::pin(async move {
            let failed = |error: io::Error| RunError::failed("prepare the download", error);
            let (work, dirs) = dirs(&shared, &cx, "wheels", |_, out| Ok(out)).map_err(failed)?;
            let mut pip = index.pip;
            if let Some(ca_bundle) = &shared.network.ca_bundle {
                fs_err::copy(ca_bundle, dirs.input.join("ca.pem")).map_err(failed)?;
                pip.push(("PIP_CERT".to_owned(), "/in/ca.pem".to_owned()));
            }
            let spec = wheels_spec(&shared.target, &dirs, &pip);
            container::run(&shared, &cx, spec, false).await?;
            let archive = work.path().join("out").join(WHEELS);
            let digest = cx
                .store
                .put_file(&archive, Ingest::Move)
                .map_err(|error| RunError::failed("store the wheels", error))?;
            Ok([(WHEELS.to_owned(), digest)].into())
        })
    }
}

struct PkgcheckRunner {
    overlay: Utf8PathBuf,
    shared: Arc<Shared>,
}

impl Runner for PkgcheckRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (overlay, shared) = (self.overlay.clone(), self.shared.clone());
        Box::pin(async move {
            let wheels = blob(&cx, WHEELS)?;
            let (_work, dirs) = dirs(&shared, &cx, "pkgcheck", |input, _| {
                fs_err::copy(&wheels, input.join(WHEELS))?;
                Ok(overlay)
            })
            .map_err(|error| RunError::failed("prepare pkgcheck", error))?;
            let spec = pkgcheck_spec(&shared.target, &dirs);
            let answer = container::run(&shared, &cx, spec, true).await?;
            let text = String::from_utf8_lossy(&answer);
            // An answer that cannot be read is an error now, and never stored.
            findings(&text).map_err(|error| RunError::failed("read what pkgcheck found", error))?;
            let digest = cx
                .store
                .put_bytes(&answer)
                .map_err(|error| RunError::failed("store what pkgcheck found", error))?;
            Ok([(FINDINGS.to_owned(), digest)].into())
        })
    }
}

/// A work folder with what both containers see; `other` says what the second mount is, given the folders `in` and `out`.
fn dirs(
    shared: &Shared,
    cx: &RunContext,
    name: &str,
    other: impl FnOnce(&Utf8PathBuf, Utf8PathBuf) -> io::Result<Utf8PathBuf>,
) -> io::Result<(WorkDir, PkgcheckDirs)> {
    let work = WorkDir::create(&shared.work, &format!("{name}-{}", cx.key))?;
    let (input, out) = (work.dir("in")?, work.dir("out")?);
    fs_err::write(input.join("requirements.txt"), PKGCHECK_REQUIREMENTS)?;
    let other = other(&input, out)?;
    Ok((work, PkgcheckDirs { input, other }))
}
