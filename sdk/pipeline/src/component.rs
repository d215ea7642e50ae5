//! Planning packages of this repository: which files and crates are inputs of their actions.

use std::{collections::BTreeMap, sync::Arc};

use slipway_build::{Action, Input, Kind, NodeId};
use slipway_portage::Package;

use crate::{
    Part, PipelineError, Planner, RegistryCrate, Workspace, WorkspaceError,
    crates::CrateRunner,
    package::{CRATE, WORKSPACE},
    planner::node,
    resolve::put,
};

/// The cargo workspace, read when the first package asks for it: most plans have none that does.
#[derive(Default)]
pub(crate) struct Parts(Option<Workspace>);

impl Parts {
    /// What `package` is built from, if it is of this repository.
    pub(crate) fn of(
        &mut self,
        planner: &Planner<'_>,
        package: &Package,
    ) -> Result<Option<Part>, PipelineError> {
        let failed = |source: WorkspaceError| PipelineError::Workspace {
            package: package.cpv.to_string(),
            source,
        };
        let Some(name) = package.workspace_crate() else { return Ok(None) };
        let workspace = match &mut self.0 {
            Some(workspace) => workspace,
            unread => unread.insert(planner.project.workspace().map_err(failed)?),
        };
        workspace.part(&name).map(Some).map_err(failed)
    }
}

impl Planner<'_> {
    /// The action that fetches a crate.
    pub(crate) fn fetch_crate(&self, wanted: &RegistryCrate) -> Result<Action, PipelineError> {
        Ok(Action {
            id: crate_node(wanted)?,
            kind: Kind::Fetch,
            argv: vec![wanted.file_name(), wanted.sha256.to_string()],
            env: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: ["file".to_owned()].into(),
            memory_bytes: 16 << 20,
            guess_seconds: Some(0.1),
            runner: Arc::new(CrateRunner { wanted: wanted.clone(), shared: self.shared.clone() }),
        })
    }

    /// The inputs of a package of this repository, beside those that every package has: one for each file and each crate, so that
    /// the reason of a rebuild names it.
    pub(crate) fn part_inputs(
        &self,
        part: &Part,
    ) -> Result<BTreeMap<String, Input>, PipelineError> {
        let mut inputs = BTreeMap::new();
        for (name, text) in &part.texts {
            let digest = put(self.store, text.as_bytes())?;
            inputs.insert(format!("{WORKSPACE}{name}"), Input::Digest(digest));
        }
        for file in &part.files {
            let digest = self.known(file)?;
            inputs.insert(format!("{WORKSPACE}{}", file.name), Input::Digest(digest));
        }
        for wanted in &part.crates {
            let input = Input::Output { node: crate_node(wanted)?, output: "file".to_owned() };
            inputs.insert(format!("{CRATE}{}", wanted.file_name()), input);
        }
        Ok(inputs)
    }
}

fn crate_node(wanted: &RegistryCrate) -> Result<NodeId, PipelineError> {
    node("fetch", &wanted.file_name())
}
