//! The two slots of a disk, by the layout and by the root hash that runs.

use slipway_packages_manifest::{Layout, PartitionType, Slot};
use slipway_payload::{Digest, Version};

use crate::{
    disk::Disk,
    gpt::{EMPTY, Guid, Partition, Table},
    install::InstallError,
};

/// The version that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its version.
    pub version: Version,
    /// The root hash of its `/usr`, from the kernel's command line.
    pub usr_root_hash: Digest,
}

/// The two partitions of a slot.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) usr: (usize, Partition, String),
    pub(crate) verity: (usize, Partition, String),
}

/// The two slots of a disk.
#[derive(Clone, Debug)]
pub struct Slots {
    pub(crate) table: Table,
    pub(crate) active: Place,
    pub(crate) passive: Place,
}

/// The halves of a root hash: the UUIDs of the `/usr` partition and of the hash partition.
pub fn halves(root_hash: &Digest) -> (Guid, Guid) {
    let (mut usr, mut verity) = (Guid([0; 16]), Guid([0; 16]));
    usr.0.copy_from_slice(&root_hash.as_bytes()[..16]);
    verity.0.copy_from_slice(&root_hash.as_bytes()[16..]);
    (usr, verity)
}

impl Slots {
    /// Finds the slots on a disk: the active one has the running version's root hash.
    ///
    /// # Errors
    /// When the disk is not of the layout, or does not have the running version.
    pub fn find(
        disk: &mut dyn Disk,
        layout: &Layout,
        running: &Running,
    ) -> Result<Self, InstallError> {
        let table = Table::read(disk)?;
        let places = [place(&table, layout, Slot::A)?, place(&table, layout, Slot::B)?];
        let halves = halves(&running.usr_root_hash);
        let active = |place: &Place| (place.usr.1.uuid, place.verity.1.uuid) == halves;
        let [a, b] = places;
        match (active(&a), active(&b)) {
            (true, false) => Ok(Self { table, active: a, passive: b }),
            (false, true) => Ok(Self { table, active: b, passive: a }),
            _ => Err(InstallError::Layout {
                layout: layout.version,
                problem: "not exactly one slot has the running version",
            }),
        }
    }

    /// Whether the passive slot has no name: no content, or not all of it yet.
    pub fn passive_is_empty(&self) -> bool {
        self.passive.usr.1.label == EMPTY && self.passive.verity.1.label == EMPTY
    }
}

fn place(table: &Table, layout: &Layout, slot: Slot) -> Result<Place, InstallError> {
    let find = |kind| {
        let found = layout
            .partitions
            .iter()
            .enumerate()
            .find(|(_, partition)| partition.kind == kind && partition.slot == Some(slot));
        let wrong = |problem| InstallError::Layout { layout: layout.version, problem };
        let (index, wanted) = found.ok_or_else(|| wrong("the layout has no such slot"))?;
        let there = table.partition(index).ok_or_else(|| wrong("a partition lacks"))?;
        match is_kind(there.kind, kind) && there.length >= wanted.size.bytes() {
            true => Ok((index, there, wanted.label.clone())),
            false => Err(wrong("a partition has another type or is too small")),
        }
    };
    Ok(Place { usr: find(PartitionType::Usr)?, verity: find(PartitionType::UsrVerity)? })
}

/// Types of the Discoverable Partitions Specification, of x86-64 and of arm64.
fn is_kind(guid: Guid, kind: PartitionType) -> bool {
    let text = guid.to_string();
    match kind {
        PartitionType::Usr => {
            ["8484680c-9521-48c6-9c11-b0720656f69e", "b0e01050-ee5f-4390-949a-9101b17104e9"]
                .contains(&text.as_str())
        }
        PartitionType::UsrVerity => {
            ["77ff5f63-e7b6-4633-acf4-1565b864c0e6", "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e"]
                .contains(&text.as_str())
        }
        _ => false,
    }
}
