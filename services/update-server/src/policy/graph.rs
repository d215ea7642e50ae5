//! The versions of a channel, and which one comes next.

use std::collections::BTreeMap;

use semver::Version;

/// The versions that a channel may give. Versions that differ in nothing but build metadata are one.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    target: Option<Version>,
    floors: Vec<(Version, String)>,
    releases: BTreeMap<Version, Allowed>,
}

/// Whether a version may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// It may.
    Yes,
    /// It is blacklisted.
    Never,
}

impl Graph {
    /// A graph of these versions, without target and floors.
    pub fn new(releases: impl IntoIterator<Item = (Version, Allowed)>) -> Self {
        let releases =
            releases.into_iter().map(|(version, allowed)| (bare(version), allowed)).collect();
        Self { target: None, floors: Vec::new(), releases }
    }

    /// Sets what the channel points to.
    #[must_use]
    pub fn with_target(mut self, target: Version) -> Self {
        self.target = Some(bare(target));
        self
    }

    /// Adds a version that may not be skipped.
    #[must_use]
    pub fn with_floor(mut self, version: Version, reason: &str) -> Self {
        self.floors.push((bare(version), reason.to_owned()));
        self.floors.sort();
        self
    }

    /// What the channel points to.
    pub fn target(&self) -> Option<&Version> {
        self.target.as_ref()
    }

    /// Whether a version is known, and may be given.
    pub fn allowed(&self, version: &Version) -> Option<Allowed> {
        self.releases.get(&bare(version.clone())).copied()
    }

    /// The lowest floor between two versions, the lower one and the upper one themselves left out.
    pub fn floor_between(&self, from: &Version, to: &Version) -> Option<(&Version, &str)> {
        let between = |(floor, _): &&(Version, String)| {
            floor.cmp_precedence(from).is_gt() && floor.cmp_precedence(to).is_lt()
        };
        self.floors.iter().find(between).map(|(version, reason)| (version, reason.as_str()))
    }

    /// All floors between two versions, the lowest first.
    pub fn floors_between<'a>(
        &'a self,
        from: &'a Version,
        to: &'a Version,
    ) -> impl Iterator<Item = &'a Version> {
        let between = move |floor: &&Version| {
            floor.cmp_precedence(from).is_gt() && floor.cmp_precedence(to).is_lt()
        };
        self.floors.iter().map(|(version, _)| version).filter(between)
    }
}

/// Build metadata does not order versions (Semantic Versioning 2.0.0, section 10).
pub(super) fn bare(mut version: Version) -> Version {
    version.build = semver::BuildMetadata::EMPTY;
    version
}
