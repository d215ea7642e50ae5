//! The package lists of a suite, as the dependency resolver needs them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use crate::{
    control::{Paragraph, paragraphs},
    depends::{Group, parse_groups},
    lock::{LockedPackage, is_pool_path},
    types::{Architecture, PackageName, Sha256Digest},
    version::DebVersion,
};

/// One package of the suite.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: PackageName,
    pub(crate) version: DebVersion,
    pub(crate) architecture: Architecture,
    pub(crate) path: Utf8PathBuf,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256Digest,
    pub(crate) essential: bool,
    /// 0 is `required`, 4 is `extra`.
    pub(crate) priority: u8,
    /// `Pre-Depends`, then `Depends`.
    pub(crate) depends: Vec<Group>,
    /// `Conflicts`, then `Breaks`.
    pub(crate) excludes: Vec<Group>,
    /// Names that it stands for, with a version if it says one.
    pub(crate) provides: Vec<(PackageName, Option<DebVersion>)>,
}

impl Entry {
    pub(crate) fn locked(&self) -> LockedPackage {
        LockedPackage {
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: self.architecture.clone(),
            path: self.path.clone(),
            size: self.size,
            sha256: self.sha256,
        }
    }
}

/// All packages of the suite, the newest version of each.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: BTreeMap<PackageName, Entry>,
    providers: BTreeMap<PackageName, Vec<PackageName>>,
}

impl Index {
    /// Adds a package list. The error says which package is malformed, and how.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        for paragraph in paragraphs(text) {
            let name = paragraph.get("Package").unwrap_or("?");
            let entry =
                parse_entry(&paragraph).map_err(|why| format!("package `{name}`: {why}"))?;
            if self.entries.get(&entry.name).is_some_and(|known| known.version >= entry.version) {
                continue;
            }
            for (name, _) in &entry.provides {
                let providers = self.providers.entry(name.clone()).or_default();
                if !providers.contains(&entry.name) {
                    providers.push(entry.name.clone());
                }
            }
            self.entries.insert(entry.name.clone(), entry);
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &PackageName) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The packages that provide this name, the most important first, then by name.
    pub(crate) fn providers(&self, name: &PackageName) -> Vec<&Entry> {
        let names = self.providers.get(name).map_or(&[][..], Vec::as_slice);
        let mut entries: Vec<_> = names.iter().filter_map(|name| self.entries.get(name)).collect();
        entries.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        entries
    }
}

fn parse_entry(paragraph: &Paragraph<'_>) -> Result<Entry, String> {
    let field = |name: &str| paragraph.get(name).ok_or_else(|| format!("no field `{name}`"));
    let groups = |name: &str| {
        parse_groups(paragraph.get(name).unwrap_or(""))
            .map_err(|part| format!("`{part}` in `{name}` is no relation"))
    };
    let path = Utf8PathBuf::from(field("Filename")?);
    if !is_pool_path(&path) {
        return Err(format!("`{path}` is not a path below the mirror"));
    }
    let provides = groups("Provides")?.into_iter().flatten();
    Ok(Entry {
        name: field("Package")?.parse().map_err(|error| format!("{error}"))?,
        version: field("Version")?.parse().map_err(|error| format!("{error}"))?,
        architecture: field("Architecture")?.parse().map_err(|error| format!("{error}"))?,
        path,
        size: field("Size")?.parse().map_err(|_| "`Size` is no number".to_owned())?,
        sha256: field("SHA256")?.parse().map_err(|error| format!("{error}"))?,
        essential: paragraph.get("Essential") == Some("yes"),
        priority: match paragraph.get("Priority") {
            Some("required") => 0,
            Some("important") => 1,
            Some("standard") => 2,
            Some("extra") => 4,
            _ => 3,
        },
        depends: [groups("Pre-Depends")?, groups("Depends")?].concat(),
        excludes: [groups("Conflicts")?, groups("Breaks")?].concat(),
        provides: provides
            .map(|relation| (relation.name, relation.bound.map(|(_, version)| version)))
            .collect(),
    })
}
