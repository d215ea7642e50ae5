//! Disk layouts: versioned, typed data from which the partition table and everything that must agree with it is made.

use serde::Deserialize;

use crate::{ManifestError, Size, error::parse};

/// One of the two places for a version of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The slot that a new disk boots from.
    A,
    /// The slot that the first update goes to.
    B,
}

/// What a partition is for. The GUIDs are those of the Discoverable Partitions Specification, version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionType {
    /// The EFI system partition, with the boot loader and one UKI per slot.
    Esp,
    /// `/usr` of one slot.
    Usr,
    /// The dm-verity hash tree of one slot's `/usr`.
    UsrVerity,
    /// Files of a platform's vendor.
    Oem,
    /// The root file system: `/etc`, `/var`, `/home`.
    Root,
}

impl PartitionType {
    /// The name that `systemd-repart` gives the type on x86-64 machines (repart.d(5), `Type=`).
    pub fn repart_name(self) -> &'static str {
        match self {
            Self::Esp => "esp",
            Self::Usr => "usr-x86-64",
            Self::UsrVerity => "usr-x86-64-verity",
            Self::Oem => "linux-generic",
            Self::Root => "root-x86-64",
        }
    }
}

/// One partition of a [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The GPT partition name, at most 36 characters.
    pub label: String,
    /// What it is for.
    pub kind: PartitionType,
    /// The slot that it belongs to; given for `/usr` and its hash tree only.
    pub slot: Option<Slot>,
    /// Its size on a new disk.
    pub size: Size,
    /// Whether it grows to the end of the disk on first boot; true of the last partition only.
    pub grow: bool,
}

/// A validated disk layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The version; a published one never changes.
    pub version: u32,
    /// The partitions in the order of the disk.
    pub partitions: Vec<Partition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLayout {
    version: u32,
    partition: Vec<RawPartition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPartition {
    label: String,
    r#type: PartitionType,
    slot: Option<Slot>,
    size: String,
    #[serde(default)]
    grow: bool,
}

impl Layout {
    /// Parses and validates the text of `file`.
    ///
    /// # Errors
    /// When the text is not TOML of this form, a label is too long or used twice, a slot lacks one of its two partitions, or
    /// another partition than the last grows.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        let raw: RawLayout = parse(file, text)?;
        let mut partitions = Vec::new();
        for partition in raw.partition {
            partitions.push(validate_partition(file, partition, &partitions)?);
        }
        let layout = Self { version: raw.version, partitions };
        layout.check(file)?;
        Ok(layout)
    }

    /// The partition of a type, and of a slot where the type has slots.
    pub fn partition(&self, kind: PartitionType, slot: Option<Slot>) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.kind == kind && p.slot == slot)
    }

    fn check(&self, file: &str) -> Result<(), ManifestError> {
        let invalid = |problem: String| Err(ManifestError::invalid(file, problem));
        for (kind, slot) in [
            (PartitionType::Esp, None),
            (PartitionType::Usr, Some(Slot::A)),
            (PartitionType::UsrVerity, Some(Slot::A)),
            (PartitionType::Usr, Some(Slot::B)),
            (PartitionType::UsrVerity, Some(Slot::B)),
            (PartitionType::Root, None),
        ] {
            let count = self.partitions.iter().filter(|p| p.kind == kind && p.slot == slot).count();
            if count != 1 {
                return invalid(format!(
                    "a layout has one partition `{}` for slot {slot:?}, not {count}",
                    kind.repart_name()
                ));
            }
        }
        if let Some(other) = self.partitions.iter().rev().skip(1).find(|p| p.grow) {
            return invalid(format!(
                "partition `{}` cannot grow, because another one follows it",
                other.label
            ));
        }
        for kind in [PartitionType::Usr, PartitionType::UsrVerity] {
            let size = |slot| self.partition(kind, Some(slot)).map(|p| p.size);
            if size(Slot::A) != size(Slot::B) {
                return invalid("the two slots differ in size, so an update of one might not fit into the other".into());
            }
        }
        Ok(())
    }
}

fn validate_partition(
    file: &str,
    raw: RawPartition,
    before: &[Partition],
) -> Result<Partition, ManifestError> {
    let RawPartition { label, r#type: kind, slot, size, grow } = raw;
    let invalid = |problem: String| Err(ManifestError::invalid(file, problem));
    if label.is_empty()
        || label.len() > 36
        || !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        return invalid(format!(
            "`{label}` is not a partition label; use up to 36 letters, digits and `-`"
        ));
    }
    if before.iter().any(|p| p.label == label) {
        return invalid(format!("two partitions are labelled `{label}`"));
    }
    let slotted = matches!(kind, PartitionType::Usr | PartitionType::UsrVerity);
    if slotted != slot.is_some() {
        return invalid(format!(
            "partition `{label}`: `slot` is for `usr` and `usr-verity`, which must have it"
        ));
    }
    let size: Size = match size.parse() {
        Ok(size) => size,
        Err(error) => return invalid(format!("partition `{label}`: {error}")),
    };
    if size.bytes() == 0 || !size.bytes().is_multiple_of(1 << 20) {
        return invalid(format!("partition `{label}`: the size must be a whole number of MiB"));
    }
    Ok(Partition { label, kind, slot, size, grow })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = include_str!("../layouts/v1.toml");

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(V1.contains(from), "the layout has no `{from}` to replace");
        let error = Layout::parse("v1.toml", &V1.replacen(from, to, 1)).expect_err("accepted");
        let text = match &error {
            ManifestError::Parse { source, .. } => format!("{error}: {}", source.message()),
            ManifestError::Invalid { .. } => error.to_string(),
        };
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn layout_1_is_valid() {
        let layout = Layout::parse("v1.toml", V1).unwrap();
        assert_eq!(layout.version, 1);
        assert_eq!(layout.partition(PartitionType::Usr, Some(Slot::B)).unwrap().label, "USR-B");
    }

    #[test]
    fn bad_layouts_are_refused_with_the_reason() {
        check("label = \"USR-B\"", "label = \"USR-A\"", "two partitions are labelled `USR-A`");
        check("size = \"512M\"", "size = \"512MB\"", "`512MB` is not a size");
        check("size = \"512M\"", "size = \"100K\"", "whole number of MiB");
        check("slot = \"b\"\n", "", "which must have it");
        check("slot = \"a\"", "slot = \"b\"", "for slot Some(A), not 0");
        check("slot = \"a\"", "slot = \"c\"", "unknown variant `c`");
        check("type = \"oem\"", "type = \"oem\"\ngrow = true", "partition `OEM` cannot grow");
        check("size = \"1G\"", "size = \"2G\"", "the two slots differ in size");
        check("grow", "gorw", "unknown field `gorw`");
        check("version = 1", "version = ", "cannot read `v1.toml`");
    }
}
