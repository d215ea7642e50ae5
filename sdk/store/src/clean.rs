//! Cleaning: first a plan of what goes, then its execution.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::digest::{Digest, Key};
use crate::dir;
use crate::error::StoreError;
use crate::store::Store;

/// What is to be kept. Both ways may be combined: what either keeps, stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanPolicy {
    /// Keep what was stored, linked or found by a lookup at this time or later, in seconds since 1970.
    pub used_since: Option<u64>,
    /// Keep these blobs.
    pub keep: BTreeSet<Digest>,
}

/// What would go, or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanPlan {
    /// The entries, records before the blobs that they name.
    pub items: Vec<CleanItem>,
}

/// One entry of the store that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanItem {
    /// What it is.
    pub kind: CleanKind,
    /// Where it is.
    pub path: Utf8PathBuf,
    /// How much space it takes.
    pub bytes: u64,
}

/// What an entry of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanKind {
    /// The record of an action.
    Record,
    /// An unpacked archive.
    Tree,
    /// Content.
    Blob,
    /// Content that was found to be damaged.
    Quarantined,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CleanReport {
    /// How many entries were removed.
    pub removed: u64,
    /// How much space they took.
    pub bytes: u64,
}

impl CleanPlan {
    /// How much space all of it takes.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

impl Store {
    /// Says what would go. Changes nothing.
    pub fn plan_clean(&self, policy: &CleanPolicy) -> Result<CleanPlan, StoreError> {
        let recent = |time: i64| {
            policy.used_since.is_some_and(|since| u64::try_from(time).is_ok_and(|t| t >= since))
        };
        let mut kept = policy.keep.clone();
        let mut items = Vec::new();
        for key in self.keys()? {
            self.plan_record(&key, &recent, &mut kept, &mut items)?;
        }
        for digest in self.blob_digests()? {
            let path = self.blob_path(&digest);
            let Some(metadata) = metadata(&path)? else { continue };
            // A blob's modification time is fixed; its change time moves when it is stored or linked.
            if !kept.contains(&digest) && !recent(metadata.ctime()) {
                items.push(CleanItem { kind: CleanKind::Blob, path, bytes: allocated(&metadata) });
            } else {
                kept.insert(digest);
            }
        }
        for path in children(&self.root().join("trees"))? {
            let digest = path.file_name().and_then(|name| name.parse::<Digest>().ok());
            if !digest.is_some_and(|digest| kept.contains(&digest)) {
                items.push(CleanItem { kind: CleanKind::Tree, bytes: size_of_tree(&path)?, path });
            }
        }
        for path in children(&self.root().join("quarantine"))? {
            items.push(CleanItem {
                kind: CleanKind::Quarantined,
                bytes: size_of_tree(&path)?,
                path,
            });
        }
        items.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
        Ok(CleanPlan { items })
    }

    /// The blobs that were used last, as far as they take no more than so many bytes with what is unpacked of them: for
    /// [`CleanPolicy::keep`].
    pub fn used_last(&self, bytes: u64) -> Result<BTreeSet<Digest>, StoreError> {
        let mut used = BTreeMap::new();
        for key in self.keys()? {
            let Some(metadata) = metadata(&self.record_path(&key))? else { continue };
            let at = (metadata.mtime(), metadata.mtime_nsec());
            let outputs =
                self.recorded(&key)?.into_iter().flat_map(|one| one.outputs.into_values());
            for digest in outputs {
                let known = used.entry(digest).or_insert(at);
                *known = at.max(*known);
            }
        }
        let mut blobs = Vec::new();
        for digest in self.blob_digests()? {
            let Some(metadata) = metadata(&self.blob_path(&digest))? else { continue };
            let stored = (metadata.ctime(), metadata.ctime_nsec());
            let at = used.get(&digest).copied().unwrap_or(stored).max(stored);
            blobs.push((
                at,
                digest,
                allocated(&metadata) + size_of_tree(&self.tree_path(&digest))?,
            ));
        }
        blobs.sort_unstable_by(|one, other| other.cmp(one));
        let mut left = bytes;
        let fits =
            |&(_, _, size): &(_, _, u64)| left.checked_sub(size).map(|less| left = less).is_some();
        Ok(blobs.into_iter().take_while(fits).map(|(_, digest, _)| digest).collect())
    }

    /// Removes what a plan names. Nobody else should use the store meanwhile: hold the lock that builds take.
    pub fn clean(&self, plan: &CleanPlan) -> Result<CleanReport, StoreError> {
        let mut report = CleanReport::default();
        for item in &plan.items {
            let clean = |source| StoreError::Clean { path: item.path.clone(), source };
            if !item.path.starts_with(self.root()) {
                return Err(clean(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not in this store",
                )));
            }
            dir::remove(&item.path).map_err(clean)?;
            report.removed += 1;
            report.bytes += item.bytes;
        }
        Ok(report)
    }

    /// A record of late use keeps its outputs; another stays only if all of them stay for other reasons.
    fn plan_record(
        &self,
        key: &Key,
        recent: &impl Fn(i64) -> bool,
        kept: &mut BTreeSet<Digest>,
        items: &mut Vec<CleanItem>,
    ) -> Result<(), StoreError> {
        let path = self.record_path(key);
        let Some(metadata) = metadata(&path)? else { return Ok(()) };
        let outputs = self.recorded(key)?.map(|record| record.outputs);
        match outputs {
            Some(outputs) if recent(metadata.mtime()) => kept.extend(outputs.into_values()),
            Some(outputs)
                if !outputs.is_empty() && outputs.values().all(|digest| kept.contains(digest)) => {}
            _ => {
                items.push(CleanItem {
                    kind: CleanKind::Record,
                    path,
                    bytes: allocated(&metadata),
                });
            }
        }
        Ok(())
    }
}

fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.blocks() * 512
}

fn metadata(path: &Utf8Path) -> Result<Option<std::fs::Metadata>, StoreError> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Clean { path: path.to_owned(), source }),
    }
}

fn children(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, StoreError> {
    let failed = |source| StoreError::Clean { path: path.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs_err::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        found.extend(name.to_str().map(|name| path.join(name)));
    }
    Ok(found)
}

fn size_of_tree(path: &Utf8Path) -> Result<u64, StoreError> {
    let Some(metadata) = metadata(path)? else { return Ok(0) };
    let mut bytes = allocated(&metadata);
    if metadata.is_dir() {
        for child in children(path)? {
            bytes += size_of_tree(&child)?;
        }
    }
    Ok(bytes)
}
