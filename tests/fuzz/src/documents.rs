//! Documents: Debian's lists, the TOML manifests, TUF metadata, release records.

use serde::{Serialize, de::DeserializeOwned};
use slipway_channels::{Channel, ReleaseRecord};
use slipway_packages_manifest::{Images, Layout, Platform, Release};
use slipway_signing::{Pending, RoleName, Roles, root_version};
use tough::schema::{Root, Snapshot, Targets, Timestamp};

use crate::Verdict;

const FILE: &str = "fuzz.toml";

/// A list of packages, also as any control file.
pub(crate) fn packages(bytes: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(bytes);
    let paragraphs = slipway_seed::fuzz::control(&text);
    let packages = slipway_seed::fuzz::packages(&text);
    if let Ok(packages) = packages {
        // Of several versions one is kept.
        assert!(packages <= paragraphs, "{packages} packages in {paragraphs} paragraphs");
    }
    Verdict::of(&packages)
}

/// A release file whose signature was good.
pub(crate) fn release(bytes: &[u8]) -> Verdict {
    Verdict::of(&slipway_seed::fuzz::release(&String::from_utf8_lossy(bytes)))
}

/// Every TOML file of the repository that has a reader.
pub(crate) fn manifests(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let mut images = Images::default();
    let image = images.add("fuzz", FILE, text).and_then(|()| images.get("fuzz"));
    let channel = "alpha".parse().map(|name| Channel::parse(name, FILE, text));
    Verdict::any([
        Verdict::of(&image),
        Verdict::of(&Layout::parse(FILE, text)),
        Verdict::of(&Platform::parse(FILE, text)),
        Verdict::of(&Release::parse(FILE, text)),
        Verdict::of(&Roles::parse(FILE, text)),
        channel.map_or(Verdict::Refused, |channel| Verdict::of(&channel)),
    ])
}

/// Metadata of each role: what is read can be written, and reads as the same again.
pub(crate) fn tuf(bytes: &[u8]) -> Verdict {
    let root = role::<Root>(RoleName::Root, bytes);
    assert_eq!(root, Verdict::of(&root_version(bytes)));
    Verdict::any([
        root,
        role::<Targets>(RoleName::Targets, bytes),
        role::<Snapshot>(RoleName::Snapshot, bytes),
        role::<Timestamp>(RoleName::Timestamp, bytes),
    ])
}

fn role<T: Serialize + DeserializeOwned + PartialEq>(name: RoleName, bytes: &[u8]) -> Verdict {
    let Ok(read) = Pending::<T>::from_json(name.clone(), bytes) else { return Verdict::Refused };
    let written = read.to_json().unwrap();
    let again = Pending::<T>::from_json(name, &written).expect("what was written can be read");
    assert!(again.content() == read.content(), "the content differs");
    Verdict::Accepted
}

/// A release record: what is read can be written, and reads as the same again.
pub(crate) fn record(bytes: &[u8]) -> Verdict {
    let Ok(read) = ReleaseRecord::from_bytes(bytes) else { return Verdict::Refused };
    let written = read.to_bytes().unwrap();
    assert_eq!(ReleaseRecord::from_bytes(&written).unwrap(), read);
    Verdict::Accepted
}
