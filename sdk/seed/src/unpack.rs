//! Unpacks packages into the tree. The result does not depend on their order: files never overlap, links of the merged
//! `/usr` are there first, and what several packages say of one directory is decided at the end.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use camino::{Utf8Path, Utf8PathBuf};
use tar::{Archive, Entry, EntryType};

use crate::{
    deb::{self, Member},
    dpkg::{self, Record},
    error::{SeedError, file},
    fetch::FetchedPackage,
    tree::{Meta, Tree, TreePath},
    types::PackageName,
};

/// Files below these are not written: nobody reads them in a build container.
const UNWANTED: [&str; 6] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/doc-base/",
];

/// The directories that live in `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// A tree in which every file is in place and no package is configured.
#[derive(Debug)]
pub struct UnpackedTree {
    pub(crate) root: Utf8PathBuf,
    pub(crate) preinst_script: String,
    /// The names of the essential packages and of all that these need.
    pub(crate) essential: Vec<String>,
}

/// One package whose files are in the tree.
#[derive(Debug)]
pub(crate) struct UnpackedPackage {
    record: Record,
    directories: Vec<(TreePath, Meta)>,
}

impl UnpackedPackage {
    pub(crate) fn name(&self) -> &PackageName {
        &self.record.name
    }
}

/// A tree under construction.
#[derive(Debug)]
pub(crate) struct Unpacker {
    tree: Tree,
    root: Utf8PathBuf,
}

impl Unpacker {
    /// Makes the root directory and the links of the merged `/usr`.
    pub(crate) fn create(root: &Utf8Path, epoch: u64) -> Result<Self, SeedError> {
        fs_err::create_dir_all(root).map_err(file("make the directory", root))?;
        let tree = Tree::open(root).map_err(file("open", root))?;
        let meta = Meta { mtime: epoch, ..Meta::root(0o777) };
        for name in MERGED {
            let (link, target) = (TreePath::parse(name), format!("usr/{name}"));
            let (Some(link), Some(directory)) = (link, TreePath::parse(&target)) else { continue };
            let made =
                tree.directory(&directory).and_then(|()| tree.symlink(&link, &meta, &target));
            made.map_err(file("make the link", root.join(name)))?;
        }
        Ok(Self { tree, root: root.to_owned() })
    }

    /// Unpacks one package.
    pub(crate) fn unpack(&self, fetched: &FetchedPackage) -> Result<UnpackedPackage, SeedError> {
        let (control, data) = deb::open(fetched)?;
        let files = control_files(control).map_err(|error| fetched.malformed(error))?;
        let mut record = Record::new(files).map_err(|why| fetched.malformed(why))?;
        if record.name != fetched.package.name {
            return Err(fetched.malformed(format!("it is the package `{}`", record.name)));
        }
        let mut job = Job { tree: &self.tree, record: &mut record, directories: Vec::new() };
        let mut archive = Archive::new(data);
        for entry in archive.entries().map_err(|error| fetched.malformed(error))? {
            let mut entry = entry.map_err(|error| fetched.malformed(error))?;
            job.unpack(&mut entry).map_err(|source| SeedError::Unpack {
                package: fetched.package.name.clone(),
                path: fetched.path.clone(),
                entry: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
                source,
            })?;
        }
        let directories = job.directories;
        Ok(UnpackedPackage { record, directories })
    }

    /// Settles the directories and writes dpkg's database.
    pub(crate) fn finish(
        self,
        mut packages: Vec<UnpackedPackage>,
        epoch: u64,
    ) -> Result<UnpackedTree, SeedError> {
        packages.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        for (path, meta) in settle_directories(&packages) {
            self.tree
                .set_directory(path, meta)
                .map_err(file("set the owner of", self.root.join(path.as_str())))?;
        }
        let records: Vec<_> = packages.into_iter().map(|package| package.record).collect();
        let database = self.root.join("var/lib/dpkg");
        dpkg::write_database(&self.tree, &records, epoch).map_err(file("write", database))?;
        let (preinst_script, essential) =
            (dpkg::preinst_script(&records), dpkg::essential(&records));
        Ok(UnpackedTree { root: self.root, preinst_script, essential })
    }
}

/// `base-files` decides, else the first package by name.
fn settle_directories(packages: &[UnpackedPackage]) -> BTreeMap<&TreePath, &Meta> {
    let is_base = |name: &PackageName| name.as_str() == "base-files";
    let (base, others): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| is_base(&package.record.name));
    let mut settled = BTreeMap::new();
    for (path, meta) in base.into_iter().chain(others).flat_map(|package| &package.directories) {
        settled.entry(path).or_insert(meta);
    }
    settled
}

/// The unpacking of one data archive.
struct Job<'a> {
    tree: &'a Tree,
    record: &'a mut Record,
    directories: Vec<(TreePath, Meta)>,
}

impl Job<'_> {
    fn unpack(&mut self, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = tree_path(&entry.path_bytes())?;
        let header = entry.header();
        let meta = Meta {
            mode: header.mode()?,
            uid: u32::try_from(header.uid()?).map_err(io::Error::other)?,
            gid: u32::try_from(header.gid()?).map_err(io::Error::other)?,
            mtime: header.mtime()?,
        };
        self.record.list.push(if path.is_root() {
            "/.".to_owned()
        } else {
            format!("/{}", path.as_str())
        });
        if kind != EntryType::Directory
            && UNWANTED.iter().any(|unwanted| path.as_str().starts_with(unwanted))
        {
            return Ok(());
        }
        let place = self.place_of(&path)?;
        match kind {
            EntryType::Directory => {
                self.tree.directory(&path)?;
                self.directories.push((path, meta));
                Ok(())
            }
            EntryType::Regular | EntryType::Continuous => self.tree.file(&place, &meta, entry),
            EntryType::Symlink => {
                let target = entry.link_name_bytes().ok_or(io::ErrorKind::InvalidData)?;
                let target = std::str::from_utf8(&target).map_err(io::Error::other)?;
                self.tree.symlink(&path, &meta, target)
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().ok_or(io::ErrorKind::InvalidData)?;
                let target = self.place_of(&tree_path(&target)?)?;
                self.tree.hard_link(&place, &target)
            }
            other => {
                Err(io::Error::other(format!("an entry of the type {other:?} is not accepted")))
            }
        }
    }

    /// A configuration file waits beside its place, where dpkg looks for it.
    fn place_of(&self, path: &TreePath) -> io::Result<TreePath> {
        let is_conffile = self
            .record
            .conffiles()
            .any(|conffile| conffile.trim_start_matches('/') == path.as_str());
        if !is_conffile {
            return Ok(path.clone());
        }
        TreePath::parse(&format!("{}.dpkg-new", path.as_str()))
            .ok_or(io::ErrorKind::InvalidFilename.into())
    }
}

fn tree_path(bytes: &[u8]) -> io::Result<TreePath> {
    let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
    TreePath::parse(text).ok_or_else(|| io::Error::other("the path leads out of the tree"))
}

fn control_files(control: Member) -> io::Result<Vec<(String, u32, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in Archive::new(control).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let path = tree_path(&entry.path_bytes())?;
        if path.as_str().contains('/') {
            return Err(io::Error::other("its control archive has directories"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.push((path.as_str().to_owned(), entry.header().mode()? & 0o755, bytes));
    }
    Ok(files)
}
