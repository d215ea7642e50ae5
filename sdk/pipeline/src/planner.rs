//! Turning resolved packages and images into actions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use slipway_build::{Action, Input, Kind, NodeId, Runner};
use slipway_image::{
    Programs, ToolInput, disk_tool, modules_tool, os_release, qcow2_tool, repart_on_device,
    uki_tool, usr_tool,
};
use slipway_packages_manifest::{Atom, DiskFormat, Image, Layout, PathFilter};
use slipway_portage::{Cpv, Package, RecipeFile, Resolution, build_argv, build_env};
use slipway_store::{Digest, FileDigests, Store};

use crate::{
    FetchRunner, Part, PipelineError, Project, Shared,
    component::Parts,
    compose::{ComposeRunner, PACKAGE, Product},
    package::{DISTFILE, PackageRunner, RECIPE, SYSROOT},
    programs::SignedPrograms,
    resolve::put,
    tool::{OutputBudget, ToolRunner},
};

/// Makes actions.
pub struct Planner<'a> {
    /// The repository.
    pub project: &'a Project,
    /// What Portage resolved.
    pub resolution: &'a Resolution,
    /// What runners need.
    pub shared: &'a Arc<Shared>,
    /// Where known files are put.
    pub store: &'a Store,
    /// What is known of the repository's files.
    pub digests: &'a FileDigests,
}

/// Where an image has the root metadata that it trusts.
pub(crate) const TRUSTED_ROOT: &str = "usr/share/slipway/root.json";

/// What an image has besides its packages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Additions<'a> {
    /// The text of the root metadata from which a system of this image learns whose releases to believe. It is a file of the
    /// image, not of a package, so that packages are the same for everybody.
    pub trusted: Option<&'a str>,
    /// Signed programs, which the disk has instead of those that are built; it is made of the same parts otherwise, and no
    /// action knows a key.
    pub programs: Option<&'a SignedPrograms>,
}

/// The actions of an image that others ask for.
#[derive(Clone, Debug)]
pub struct ImageNodes {
    /// Gives `usr.erofs`, `usr.verity` and `roothash`.
    pub usr: NodeId,
    /// Gives `slipway.efi`, without a signature.
    pub uki: NodeId,
    /// Gives the image of systemd, and in it the boot loader.
    pub systemd: NodeId,
    /// Gives `disk.raw`.
    pub disk: NodeId,
    /// Gives `disk.qcow2`, when that is the format.
    pub format: Option<NodeId>,
    /// Gives `usr.tar` and `sizes.json`.
    pub root: NodeId,
}

/// The action that builds a package.
///
/// # Errors
/// When the name is too long.
pub fn package_node(cpv: &Cpv) -> Result<NodeId, PipelineError> {
    node("package", &cpv.to_string())
}

pub(crate) fn node(kind: &str, name: &str) -> Result<NodeId, PipelineError> {
    NodeId::new(format!("{kind}:{name}")).map_err(|source| PipelineError::Node { source })
}

impl Planner<'_> {
    /// The actions for all resolved packages and their sources.
    ///
    /// # Errors
    /// When a file of the repository cannot be read.
    pub fn packages(&self) -> Result<Vec<Action>, PipelineError> {
        let mut actions = Vec::new();
        let mut fetched = BTreeSet::new();
        let mut parts = Parts::default();
        for package in self.resolution.packages() {
            for distfile in &package.distfiles {
                // Two packages may share a source.
                if fetched.insert(distfile.name.clone()) {
                    actions.push(self.fetch(distfile)?);
                }
            }
            let part = parts.of(self, package)?;
            for wanted in part.iter().flat_map(|part| &part.crates) {
                if fetched.insert(wanted.file_name()) {
                    actions.push(self.fetch_crate(wanted)?);
                }
            }
            actions.push(self.package(package, part.as_ref())?);
        }
        Ok(actions)
    }

    fn fetch(&self, distfile: &slipway_portage::Distfile) -> Result<Action, PipelineError> {
        // Where the bytes come from is not part of the key: the digests say what they are.
        let argv =
            [&distfile.name, &distfile.size.to_string(), &distfile.blake2b.0, &distfile.sha512.0];
        Ok(Action {
            id: node("fetch", &distfile.name)?,
            kind: Kind::Fetch,
            argv: argv.map(Clone::clone).to_vec(),
            env: BTreeMap::new(),
            inputs: BTreeMap::new(),
            outputs: ["file".to_owned()].into(),
            memory_bytes: 16 << 20,
            guess_seconds: None,
            runner: Arc::new(FetchRunner {
                distfile: distfile.clone(),
                shared: self.shared.clone(),
            }),
        })
    }

    fn package(&self, package: &Package, part: Option<&Part>) -> Result<Action, PipelineError> {
        let portage = |source| PipelineError::Portage { source };
        let overlay = self.project.overlay();
        let mut inputs = BTreeMap::from([self.sdk_input()?]);
        for file in overlay.recipe(package).map_err(portage)? {
            inputs.insert(format!("{RECIPE}{}", file.name), Input::Digest(self.known(&file)?));
        }
        for distfile in &package.distfiles {
            let output =
                Input::Output { node: node("fetch", &distfile.name)?, output: "file".to_owned() };
            inputs.insert(format!("{DISTFILE}{}", distfile.name), output);
        }
        for cpv in self.resolution.sysroot_of(package) {
            inputs.insert(
                format!("{SYSROOT}{cpv}"),
                Input::Output { node: package_node(&cpv)?, output: "image".to_owned() },
            );
        }
        if let Some(part) = part {
            inputs.extend(self.part_inputs(part)?);
        }
        let frame = overlay.frame(package).map_err(portage)?;
        Ok(Action {
            id: package_node(&package.cpv)?,
            kind: Kind::Package,
            argv: build_argv(package),
            env: build_env(package, self.shared.target.epoch),
            inputs,
            outputs: ["gpkg", "image", "metadata"].map(str::to_owned).into(),
            memory_bytes: 1 << 30,
            guess_seconds: Some(guess(package, part)),
            runner: Arc::new(PackageRunner {
                package: package.clone(),
                frame,
                shared: self.shared.clone(),
            }),
        })
    }

    /// The digest of a file of the repository, whose bytes are in the store from now on.
    pub(crate) fn known(&self, file: &RecipeFile) -> Result<Digest, PipelineError> {
        let failed = |source| PipelineError::Store { source };
        let digest = self.digests.digest_of(&file.path).map_err(failed)?;
        if self.store.has_blob(&digest) {
            return Ok(digest);
        }
        self.store.put_file(&file.path, slipway_store::Ingest::Copy).map_err(failed)
    }

    fn sdk_input(&self) -> Result<(String, Input), PipelineError> {
        Ok((
            "sdk".to_owned(),
            Input::Digest(put(self.store, self.shared.target.sdk.id.as_bytes())?),
        ))
    }

    /// The actions that make a disk of `image`, besides those of its packages.
    ///
    /// # Errors
    /// When the image has no layout or initrd, or one of its packages was not resolved.
    pub fn image(
        &self,
        image: &Image,
        format: DiskFormat,
        additions: Additions<'_>,
    ) -> Result<(Vec<Action>, ImageNodes), PipelineError> {
        let Additions { trusted, programs } = additions;
        let problem = |problem: &str| PipelineError::Image {
            image: image.name.to_string(),
            problem: problem.to_owned(),
        };
        let layout = self.project.layout(
            image.layout.as_deref().ok_or_else(|| problem("it has no layout, so it is no disk"))?,
        )?;
        let initrd = image.initrd.as_ref().ok_or_else(|| problem("it names no initrd"))?;
        let initrd = self.project.image(initrd.as_str())?;
        let release = self.project.release();
        let identity = os_release(release, &image.name);
        let files = image_files(&layout, &identity, trusted);

        let name = image.name.as_str();
        let modules = self.modules(image)?;
        let mut root = self.compose(Kind::Root, name, image, Product::Usr, files)?;
        let index = Input::Output { node: modules.id.clone(), output: "modules.tar".to_owned() };
        root.inputs.insert(format!("{PACKAGE}index of kernel modules"), index);
        let initrd =
            self.compose(Kind::Initrd, name, &initrd, Product::Initrd, initrd_files(&identity))?;
        let budget = OutputBudget {
            output: "usr.erofs".to_owned(),
            partition: "usr".to_owned(),
            budget: image.budget.usr,
            sizes: Some("sizes.json".to_owned()),
        };
        let usr = self.tool(
            Kind::Usr,
            name,
            usr_tool(release),
            &[file(&root, "usr.tar"), hidden(&root, "sizes.json")],
            Some(budget),
        )?;
        let kernel = self.installed(image, "sys-kernel/slipway-kernel", "kernel")?;
        let systemd = self.installed(image, SYSTEMD, "systemd")?;
        let budget = OutputBudget {
            output: "slipway.efi".to_owned(),
            partition: "esp".to_owned(),
            budget: image.budget.esp,
            sizes: None,
        };
        let inputs = [kernel, systemd.clone(), file(&initrd, "initrd"), file(&usr, "roothash")];
        let uki = self.tool(Kind::Uki, name, uki_tool(&identity), &inputs, Some(budget))?;
        let parts = ["usr.erofs", "usr.verity", "roothash"].map(|output| file(&usr, output));
        let built = vec![systemd, file(&uki, "slipway.efi")];
        let disk = self.disk(name, &layout, parts.to_vec(), built, programs)?;
        let qcow2 = match format {
            DiskFormat::Raw => None,
            DiskFormat::Qcow2 => {
                let name = programs.map_or(name.to_owned(), |_| signed_name(name));
                let input = [file(&disk, "disk.raw")];
                Some(self.tool(Kind::Format, &name, qcow2_tool(), &input, None)?)
            }
        };
        let id = |action: &Action| action.id.clone();
        let nodes = ImageNodes {
            usr: id(&usr),
            uki: id(&uki),
            systemd: package_node(self.chosen(image, SYSTEMD)?)?,
            disk: id(&disk),
            format: qcow2.as_ref().map(id),
            root: id(&root),
        };
        Ok((vec![modules, root, initrd, usr, uki, disk].into_iter().chain(qcow2).collect(), nodes))
    }

    /// The index of the modules of all packages of the kernel.
    fn modules(&self, image: &Image) -> Result<Action, PipelineError> {
        let packages = self.resolution.installed(self.roots(image)?).into_iter();
        let kernels = packages.filter(|cpv| cpv.to_string().starts_with(KERNELS));
        let trees: Result<Vec<Named>, _> = kernels.map(|cpv| tree(&cpv, cpv.to_string())).collect();
        let tool = modules_tool(self.project.release());
        self.tool(Kind::Modules, image.name.as_str(), tool, &trees?, None)
    }

    /// The disk: `inputs`, and either the programs that were built or signed ones.
    fn disk(
        &self,
        name: &str,
        layout: &Layout,
        mut inputs: Vec<Named>,
        built: Vec<Named>,
        signed: Option<&SignedPrograms>,
    ) -> Result<Action, PipelineError> {
        let (name, programs) = match signed {
            None => {
                inputs.extend(built);
                (name.to_owned(), Programs::Unsigned)
            }
            Some(signed) => {
                inputs.extend(signed_inputs(signed));
                (signed_name(name), Programs::Signed(signed.enrol))
            }
        };
        let tool = disk_tool(layout, self.project.release(), programs);
        self.tool(Kind::Disk, &name, tool, &inputs, None)
    }

    fn chosen(&self, image: &Image, atom: &str) -> Result<&Cpv, PipelineError> {
        let problem = || PipelineError::Image {
            image: image.name.to_string(),
            problem: format!("the package `{atom}` was not resolved"),
        };
        self.resolution.requested(atom).ok_or_else(problem)
    }

    /// The packages that an image names.
    fn roots(&self, image: &Image) -> Result<Vec<&Cpv>, PipelineError> {
        image.packages.iter().map(Atom::as_str).map(|atom| self.chosen(image, atom)).collect()
    }

    fn installed(&self, image: &Image, atom: &str, name: &str) -> Result<Named, PipelineError> {
        tree(self.chosen(image, atom)?, name.to_owned())
    }

    fn compose(
        &self,
        kind: Kind,
        name: &str,
        image: &Image,
        product: Product,
        files: Vec<(String, String)>,
    ) -> Result<Action, PipelineError> {
        let mut inputs = BTreeMap::new();
        for cpv in self.resolution.installed(self.roots(image)?) {
            inputs.insert(
                format!("{PACKAGE}{cpv}"),
                Input::Output { node: package_node(&cpv)?, output: "image".to_owned() },
            );
        }
        let outputs: &[&str] = match product {
            Product::Usr => &["usr.tar", "sizes.json"],
            Product::Initrd => &["initrd"],
        };
        let mut argv =
            vec![format!("{product:?}"), "2".to_owned(), self.shared.target.epoch.to_string()];
        argv.extend(filter_arguments(&image.filter));
        argv.extend(files.iter().flat_map(|(path, text)| [path.clone(), text.clone()]));
        Ok(Action {
            id: node(kind.as_str(), name)?,
            kind,
            argv,
            env: BTreeMap::new(),
            inputs,
            outputs: outputs.iter().map(|&name| name.to_owned()).collect(),
            memory_bytes: 256 << 20,
            guess_seconds: None,
            runner: Arc::new(ComposeRunner {
                product,
                filter: image.filter.clone(),
                files,
                shared: self.shared.clone(),
            }),
        })
    }

    fn tool(
        &self,
        kind: Kind,
        name: &str,
        tool: slipway_image::Tool,
        named: &[Named],
        budget: Option<OutputBudget>,
    ) -> Result<Action, PipelineError> {
        let mut argv = vec![tool.script.to_owned()];
        argv.extend(tool.args.iter().cloned());
        argv.extend(tool.files.iter().flat_map(|(path, text)| [path.clone(), text.clone()]));
        argv.extend(budget.iter().filter_map(|budget| budget.budget.map(|size| size.to_string())));
        let mut inputs = BTreeMap::from([self.sdk_input()?]);
        inputs.extend(named.iter().map(|named| (named.name.clone(), named.input.clone())));
        let shown =
            named.iter().filter_map(|named| Some((named.name.clone(), named.shown?))).collect();
        let outputs = tool.outputs.iter().map(|&output| output.to_owned()).collect();
        let runner: Arc<dyn Runner> =
            Arc::new(ToolRunner { tool, inputs: shown, budget, shared: self.shared.clone() });
        let env = [("SOURCE_DATE_EPOCH".to_owned(), self.shared.target.epoch.to_string())].into();
        Ok(Action {
            id: node(kind.as_str(), name)?,
            kind,
            argv,
            env,
            inputs,
            outputs,
            memory_bytes: 1 << 30,
            guess_seconds: None,
            runner,
        })
    }
}

/// What the names of the packages with kernel modules begin with.
const KERNELS: &str = "sys-kernel/";
/// The package with the boot loader.
const SYSTEMD: &str = "sys-apps/systemd";

/// The name of an action for signed programs, so that the state of the other one is not forgotten.
fn signed_name(name: &str) -> String {
    format!("{name}-signed")
}

/// Signed programs come by their digests: that is all that an action knows of a signature.
fn signed_inputs(programs: &SignedPrograms) -> impl Iterator<Item = Named> {
    programs.files().into_iter().map(|(name, digest)| Named {
        name,
        input: Input::Digest(digest),
        shown: Some(ToolInput::File),
    })
}

/// How long a package may take that was never built here: the more source, the longer. What it is for is the order: a first
/// build must not leave the kernel for its end.
fn guess(package: &Package, part: Option<&Part>) -> f64 {
    const BASE: f64 = 15.0;
    const PER_MEGABYTE: f64 = 15.0;
    const PER_CRATE: f64 = 1.5;
    let bytes: u64 = package.distfiles.iter().map(|distfile| distfile.size).sum();
    let crates = part.map_or(0, |part| part.crates.len());
    BASE + PER_MEGABYTE * bytes as f64 / 1e6 + PER_CRATE * crates as f64
}

/// An input with its name, and how a tool sees it.
#[derive(Clone)]
struct Named {
    name: String,
    input: Input,
    shown: Option<ToolInput>,
}

/// The files of a package.
fn tree(cpv: &Cpv, name: String) -> Result<Named, PipelineError> {
    let input = Input::Output { node: package_node(cpv)?, output: "image".to_owned() };
    Ok(Named { name, input, shown: Some(ToolInput::Tree) })
}

fn file(action: &Action, output: &str) -> Named {
    Named { shown: Some(ToolInput::File), ..hidden(action, output) }
}

fn hidden(action: &Action, output: &str) -> Named {
    let input = Input::Output { node: action.id.clone(), output: output.to_owned() };
    Named { name: output.to_owned(), input, shown: None }
}

fn filter_arguments(filter: &PathFilter) -> impl Iterator<Item = String> {
    let exclude = filter.exclude.iter().map(|glob| format!("exclude {glob}"));
    let include = filter.include.iter().map(|glob| format!("include {glob}"));
    exclude.chain(include).collect::<Vec<_>>().into_iter()
}

/// What an image has beside the files of its packages.
fn image_files(layout: &Layout, os_release: &str, trusted: Option<&str>) -> Vec<(String, String)> {
    let mut files = vec![("usr/lib/os-release".to_owned(), os_release.to_owned())];
    let partitions = repart_on_device(layout).into_iter();
    files.extend(partitions.map(|(name, text)| (format!("usr/lib/repart.d/{name}"), text)));
    files.extend(trusted.map(|text| (TRUSTED_ROOT.to_owned(), text.to_owned())));
    files
}

/// What makes a tree an initrd, and the users and groups that device rules name.
fn initrd_files(os_release: &str) -> Vec<(String, String)> {
    let groups = [
        "root",
        "tty:5",
        "disk:6",
        "kmem:9",
        "dialout:20",
        "cdrom:24",
        "tape:26",
        "audio:29",
        "video:44",
        "input:100",
        "lp:7",
        "sgx:101",
        "kvm:102",
        "render:103",
    ];
    let mut group = String::new();
    for name in groups {
        let (name, id) = name.split_once(':').unwrap_or((name, "0"));
        group.push_str(&[name, ":x:", id, ":\n"].concat());
    }
    [
        ("etc/initrd-release", os_release.to_owned()),
        ("usr/lib/os-release", os_release.to_owned()),
        ("etc/passwd", "root:x:0:0:root:/root:/usr/bin/bash\n".to_owned()),
        ("etc/group", group),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .to_vec()
}

#[cfg(test)]
mod tests;
