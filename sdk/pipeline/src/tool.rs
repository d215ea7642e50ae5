//! Running an image tool in a container.

use std::{collections::BTreeMap, io, sync::Arc};

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use slipway_build::{Outputs, RunContext, RunError, Runner};
use slipway_engine::{Access, Mount};
use slipway_image::{PackageSize, Tool, ToolInput, check_budget};
use slipway_packages_manifest::Size;
use slipway_portage::base_spec;
use slipway_store::Ingest;

use crate::{
    Shared, container,
    package::{blob, blocking, tree},
    shared::WorkDir,
};

/// A limit on an output of a tool.
#[derive(Clone, Debug)]
pub(crate) struct OutputBudget {
    pub(crate) output: String,
    pub(crate) partition: String,
    pub(crate) budget: Option<Size>,
    /// The input that lists the sizes of packages.
    pub(crate) sizes: Option<String>,
}

/// Runs a [`Tool`].
pub(crate) struct ToolRunner {
    pub(crate) tool: Tool,
    /// How inputs are shown; those that are not named are part of the key only.
    pub(crate) inputs: BTreeMap<String, ToolInput>,
    pub(crate) budget: Option<OutputBudget>,
    pub(crate) shared: Arc<Shared>,
}

impl Runner for ToolRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (tool, inputs, budget, shared) =
            (self.tool.clone(), self.inputs.clone(), self.budget.clone(), self.shared.clone());
        Box::pin(async move {
            let (place_cx, place_tool, place_shared) = (cx.clone(), tool.clone(), shared.clone());
            let (work, mounts) = blocking("place the inputs", move || {
                place(&place_shared, &place_cx, &place_tool, &inputs)
            })
            .await?;
            let mut spec = base_spec(&shared.target, "tool");
            spec.argv = ["/bin/bash", "-c", tool.script, "tool"]
                .into_iter()
                .map(str::to_owned)
                .chain(tool.args)
                .collect();
            spec.mounts = mounts;
            spec.keep = shared.keep;
            container::run(&shared, &cx, spec, false).await?;
            blocking("store the outputs", move || {
                collect(&cx, &work, tool.outputs, budget.as_ref())
            })
            .await
        })
    }
}

fn place(
    shared: &Shared,
    cx: &RunContext,
    tool: &Tool,
    inputs: &BTreeMap<String, ToolInput>,
) -> Result<(WorkDir, Vec<Mount>), RunError> {
    let failed = |error: io::Error| RunError::failed("place the inputs", error);
    let work = WorkDir::create(&shared.work, &format!("tool-{}", cx.key)).map_err(failed)?;
    let (base, out) = (work.dir("in").map_err(failed)?, work.dir("out").map_err(failed)?);
    for (name, text) in &tool.files {
        let path = base.join(name);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).map_err(failed)?;
        }
        fs_err::write(path, text).map_err(failed)?;
    }
    let mount = |source: Utf8PathBuf, target: String, access| Mount {
        source,
        target: target.into(),
        access,
    };
    let mut mounts = vec![
        mount(base.clone(), "/in".to_owned(), Access::ReadOnly),
        mount(out, "/out".to_owned(), Access::ReadWrite),
    ];
    for (name, kind) in inputs {
        if let Some(parent) = base.join(name).parent() {
            fs_err::create_dir_all(parent).map_err(failed)?;
        }
        let (source, place) = match kind {
            ToolInput::File => (blob(cx, name)?, fs_err::write(base.join(name), "")),
            ToolInput::Tree => (tree(cx, name)?, fs_err::create_dir_all(base.join(name))),
        };
        // A mount needs something to lie on.
        place.map_err(failed)?;
        mounts.push(mount(source, format!("/in/{name}"), Access::ReadOnly));
    }
    Ok((work, mounts))
}

fn collect(
    cx: &RunContext,
    work: &WorkDir,
    names: &[&str],
    budget: Option<&OutputBudget>,
) -> Result<Outputs, RunError> {
    let mut outputs = BTreeMap::new();
    for &name in names {
        let path = work.path().join("out").join(name);
        if let Some(budget) = budget.filter(|budget| budget.output == name) {
            within_budget(cx, &path, budget)?;
        }
        let digest = cx
            .store
            .put_file(&path, Ingest::Move)
            .map_err(|e| RunError::failed("store an output", e))?;
        outputs.insert(name.to_owned(), digest);
    }
    Ok(outputs)
}

fn within_budget(
    cx: &RunContext,
    path: &Utf8PathBuf,
    budget: &OutputBudget,
) -> Result<(), RunError> {
    let failed = |error: io::Error| RunError::failed("read an output", error);
    let used = fs_err::metadata(path).map_err(failed)?.len();
    let sizes: Vec<PackageSize> = match &budget.sizes {
        Some(input) => {
            let text = fs_err::read(blob(cx, input)?).map_err(failed)?;
            serde_json::from_slice(&text)
                .map_err(|e| RunError::failed("read the table of sizes", e))?
        }
        None => Vec::new(),
    };
    check_budget(&budget.partition, used, budget.budget, &sizes)
        .map_err(|e| RunError::failed("keep the size budget", e))
}
