//! The part of this repository's cargo workspace that one crate is built from.
//!
//! Concepts:
//! - [`Workspace`]: the manifests of all members and the lock file, read once.
//! - [`Part`]: the crate and the members that it uses, with manifests and a lock file reduced to them, and the crates of the
//!   registry that these need. What is not in a part cannot change what is built from it.
//!
//! A part has a little more than cargo will use: features are not resolved here, and crates for other platforms stay, because
//! cargo wants to know all that the lock file names. Tests, benchmarks and examples are left out.

mod error;
mod lock;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use slipway_portage::RecipeFile;
use slipway_store::Digest;

pub use error::WorkspaceError;
use lock::{Lock, Locked};
use manifest::{Member, Root};

/// Folders of a crate that are no part of what is built from it.
const LEFT_OUT: [&str; 4] = ["benches", "examples", "target", "tests"];

/// The cargo workspace of the repository.
#[derive(Clone, Debug)]
pub struct Workspace {
    dir: Utf8PathBuf,
    root: Root,
    members: BTreeMap<String, Member>,
    lock: Lock,
}

/// A crate of the registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistryCrate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its archive, from the lock file.
    pub sha256: Digest,
}

impl RegistryCrate {
    /// The name of its archive.
    pub fn file_name(&self) -> String {
        format!("{}-{}.crate", self.name, self.version)
    }
}

/// What one crate is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Files that were made for it, by their paths: manifests and the lock file.
    pub texts: Vec<(String, String)>,
    /// Files of the repository.
    pub files: Vec<RecipeFile>,
    /// What it takes from the registry.
    pub crates: Vec<RegistryCrate>,
}

impl Workspace {
    /// Reads the workspace in `dir`.
    ///
    /// # Errors
    /// When a manifest or the lock file is missing or not understood.
    pub fn load(dir: &Utf8Path) -> Result<Self, WorkspaceError> {
        let read = |path: Utf8PathBuf| {
            fs_err::read_to_string(path).map_err(|source| WorkspaceError::Read { source })
        };
        let root = Root::parse(&read(dir.join("Cargo.toml"))?)?;
        let mut members = BTreeMap::new();
        for folder in &root.members {
            let text = read(dir.join(folder).join("Cargo.toml"))?;
            let member = Member::parse(&root, folder, &text)?;
            members.insert(member.name.clone(), member);
        }
        let lock = lock::parse(&read(dir.join("Cargo.lock"))?)?;
        Ok(Self { dir: dir.to_owned(), root, members, lock })
    }

    /// The part that the member `name` is built from.
    ///
    /// # Errors
    /// When there is no such member, the lock file does not fit the manifests, or something comes from elsewhere than the registry.
    pub fn part(&self, name: &str) -> Result<Part, WorkspaceError> {
        if !self.members.contains_key(name) {
            return Err(WorkspaceError::NoCrate { name: name.to_owned() });
        }
        let lock = self.reduced_lock(name)?;
        let members: Vec<&Member> =
            lock.packages.iter().filter_map(|locked| self.member(locked)).collect();
        let mut texts = vec![
            ("Cargo.lock".to_owned(), lock::write(&lock)),
            ("Cargo.toml".to_owned(), self.root.reduced(&members)),
        ];
        let mut files = Vec::new();
        for member in members {
            texts.push((format!("{}/Cargo.toml", member.dir), member.reduced()));
            files.extend(self.files(member)?);
        }
        Ok(Part { texts, files, crates: registry_crates(&lock)? })
    }

    fn member(&self, locked: &Locked) -> Option<&Member> {
        if locked.source.is_some() { None } else { self.members.get(&locked.name) }
    }

    /// The lock file with what `name` is built with.
    fn reduced_lock(&self, name: &str) -> Result<Lock, WorkspaceError> {
        let find = |dependency: &str, package: &str| {
            self.lock.find(dependency).ok_or_else(|| WorkspaceError::NotLocked {
                dependency: dependency.to_owned(),
                package: package.to_owned(),
            })
        };
        let mut found = BTreeMap::new();
        let mut queue = vec![find(name, "the workspace")?];
        while let Some(index) = queue.pop() {
            if found.contains_key(&index) {
                continue;
            }
            let mut locked = self.lock.packages[index].clone();
            if let Some(member) = self.member(&locked) {
                // The lock file does not say what is for tests alone; the manifest does.
                let name =
                    |dependency: &str| dependency.split(' ').next().unwrap_or_default().to_owned();
                locked.dependencies.retain(|dependency| member.uses.contains(&name(dependency)));
            }
            for dependency in &locked.dependencies {
                queue.push(find(dependency, &locked.name)?);
            }
            found.insert(index, locked);
        }
        Ok(Lock { format: self.lock.format.clone(), packages: found.into_values().collect() })
    }

    /// The files of a member beside its manifest, in the order of their names.
    fn files(&self, member: &Member) -> Result<Vec<RecipeFile>, WorkspaceError> {
        let dir = &member.dir;
        let mut files = Vec::new();
        let mut folders = vec![(self.dir.join(dir), dir.to_owned())];
        while let Some((path, name)) = folders.pop() {
            let entries = path.read_dir_utf8().and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for entry in entries.map_err(|source| WorkspaceError::Read { source })? {
                let (path, name) = (entry.path(), name.join(entry.file_name()));
                let kind = entry.file_type().map_err(|source| WorkspaceError::Read { source })?;
                let inside = name.strip_prefix(dir).unwrap_or(&name);
                let is_hidden = entry.file_name().starts_with('.');
                if is_hidden || inside == "Cargo.toml" || !member.includes(inside) {
                    continue;
                }
                if kind.is_dir() {
                    let left_out = LEFT_OUT.iter().any(|out| name == dir.join(out));
                    // A crate inside of a crate is one of its own.
                    if !left_out && !path.join("Cargo.toml").exists() {
                        folders.push((path.to_owned(), name));
                    }
                } else if kind.is_file() {
                    files.push(RecipeFile { name: name.into_string(), path: path.to_owned() });
                } else {
                    let problem = "it is neither a file nor a folder".to_owned();
                    return Err(WorkspaceError::Unsupported { path: path.to_owned(), problem });
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

/// What of a lock file comes from the registry.
fn registry_crates(lock: &Lock) -> Result<Vec<RegistryCrate>, WorkspaceError> {
    let mut crates = Vec::new();
    let mut registries = BTreeSet::new();
    for locked in &lock.packages {
        let Some(source) = &locked.source else { continue };
        registries.insert(source);
        let sha256 = locked.checksum.as_ref().and_then(|checksum| checksum.parse().ok());
        let is_registry = source.starts_with("registry+") || source.starts_with("sparse+");
        let (Some(sha256), true, 1) = (sha256, is_registry, registries.len()) else {
            return Err(WorkspaceError::Origin {
                package: locked.name.clone(),
                origin: source.clone(),
            });
        };
        let (name, version) = (locked.name.clone(), locked.version.clone());
        crates.push(RegistryCrate { name, version, sha256 });
    }
    Ok(crates)
}

#[cfg(test)]
mod tests;
