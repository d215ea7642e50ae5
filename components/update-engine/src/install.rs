//! Writing a new version beside the running one.
//!
//! The order is what keeps a machine bootable. At every moment the boot loader's choice is a version whose slot is whole:
//!
//! 1. Nothing is touched unless the running version was found good: it is what the machine falls back to.
//! 2. UKIs of other versions go, because the slot that they name will.
//! 3. The passive slot loses its name ([`EMPTY`]): nothing finds it while it is written.
//! 4. `/usr` is written, then its hash tree, then both are read back from the medium and compared with the signed root hash.
//! 5. The slot gets its name: the halves of the root hash.
//! 6. The UKI, written under a name that the boot loader ignores and read back, gets its real one. This is the switch.
//!
//! Between any two steps everything is flushed. When something fails, what was begun stays without a name, and the old system is untouched.

use std::io;

use slipway_payload::{
    Base, Chunk, Digest, Hasher, Head, PayloadError, Section, Version,
    verity::{Tree, TreeBuilder},
};

use crate::{
    disk::{Disk, Esp},
    gpt::{EMPTY, GptError},
    slots::{Place, Running, Slots, halves},
    uki::Uki,
};

/// How much is read or written at once, in bytes.
const PIECE: usize = 1 << 20;

/// What the ESP keeps free: names, and what the boot loader writes.
const RESERVE: u64 = 1 << 20;

/// Why a version was not installed. The running one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The partition table.
    #[error(transparent)]
    Gpt(#[from] GptError),
    /// A disk that is not of this layout, or not the one that was booted.
    #[error("the disk is not as layout {layout} says: {problem}")]
    Layout {
        /// The layout's version.
        layout: u32,
        /// What is different.
        problem: &'static str,
    },
    /// A running version that may not come up again.
    #[error(
        "{0} runs, but was not found good yet; wait for boot-complete.target, or look why it is not reached"
    )]
    NotBlessed(Version),
    /// A version that runs or waits for a reboot already.
    #[error("{0} is the version that runs")]
    Runs(Version),
    /// An image that does not fit.
    #[error("{what} of the new version has {length} bytes, and there is room for {room}")]
    TooLarge {
        /// Which image.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
        /// What fits, in bytes.
        room: u64,
    },
    /// The disk.
    #[error("the passive slot cannot be {0}")]
    Slot(&'static str, #[source] io::Error),
    /// The ESP.
    #[error("the ESP: {doing} failed")]
    Esp {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A mistake of this program.
    #[error("what was written was not verified, so nothing switches to it")]
    Unverified,
    /// An image that cannot be.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// What was read back is not what was signed.
    #[error("{what} reads back as {found}, and should be {expected}; the disk may be failing")]
    ReadBack {
        /// Which image.
        what: &'static str,
        /// What was signed.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
}

impl InstallError {
    /// The number that the server is told (spec of Omaha events; `action_processor.h` of Flatcar's update_engine).
    pub fn code(&self) -> u32 {
        match self {
            Self::Gpt(_) | Self::Layout { .. } | Self::Unverified => 7,
            Self::NotBlessed(_) | Self::Runs(_) => 36,
            Self::Slot(..) => 14,
            Self::TooLarge { .. } | Self::Payload(_) => 23,
            Self::Esp { .. } => 8,
            Self::ReadBack { what, .. } if *what == UKI => 16,
            Self::ReadBack { .. } => 15,
        }
    }
}

const USR: &str = "/usr";
const TREE: &str = "the hash tree";
const UKI: &str = "the kernel";

/// An installation that goes on.
pub struct Install<'a> {
    disk: &'a mut dyn Disk,
    esp: &'a mut dyn Esp,
    running: Running,
    slots: Slots,
    head: Head,
    tree: Option<Tree>,
}

impl std::fmt::Debug for Install<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Install").field("running", &self.running).finish_non_exhaustive()
    }
}

impl<'a> Install<'a> {
    /// Makes room: steps 1 to 3.
    ///
    /// # Errors
    /// When the running version is not to be relied on, the disk is not as it should be, or something does not fit.
    pub fn begin(
        disk: &'a mut dyn Disk,
        esp: &'a mut dyn Esp,
        slots: Slots,
        running: Running,
        head: Head,
    ) -> Result<Self, InstallError> {
        if head.version == running.version || head.usr_root_hash == running.usr_root_hash {
            return Err(InstallError::Runs(running.version));
        }
        let mut install = Self { disk, esp, running, slots, head, tree: None };
        install.check_blessed()?;
        install.check_fits()?;
        install.check_esp()?;
        install.remove_others()?;
        install.invalidate()?;
        Ok(install)
    }

    /// The old images, for deltas.
    pub fn base(&mut self) -> impl Base {
        OldSystem {
            active: &self.slots.active,
            running: &self.running,
            disk: &mut *self.disk,
            esp: &mut *self.esp,
        }
    }

    /// Step 4: a part of the new `/usr` or UKI. The UKI's parts come in order from its first one on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, chunk: &Chunk<'_>) -> Result<(), InstallError> {
        match chunk.section {
            Section::Usr => {
                let offset = self.slots.passive.usr.1.offset + chunk.offset;
                self.disk
                    .write_at(offset, chunk.bytes)
                    .map_err(|source| InstallError::Slot("written", source))
            }
            Section::Uki => {
                let part = self.part();
                if chunk.offset == 0 {
                    self.esp.create(&part).map_err(esp("making the new kernel's file"))?;
                }
                self.esp.append(&part, chunk.bytes).map_err(esp("writing the new kernel"))
            }
        }
    }

    /// Returns when everything that was written so far is on the medium.
    ///
    /// # Errors
    /// When something is lost.
    pub fn flush(&mut self) -> Result<(), InstallError> {
        self.disk.flush().map_err(|source| InstallError::Slot("flushed", source))
    }

    /// Step 4, the end: writes the hash tree, and reads everything back.
    ///
    /// # Errors
    /// When anything is not what was signed.
    pub fn verify(&mut self) -> Result<(), InstallError> {
        self.flush()?;
        let mut builder = TreeBuilder::new(&self.head.verity);
        let offset = self.slots.passive.usr.1.offset;
        self.read_disk(offset, self.head.usr.length, &mut |piece| builder.update(piece))?;
        let tree = builder.finish()?;
        let (expected, found) = (self.head.usr_root_hash, tree.root_hash());
        if expected != found {
            return Err(InstallError::ReadBack { what: USR, expected, found });
        }
        self.write_tree(&tree)?;
        self.tree = Some(tree);
        self.verify_uki()
    }

    /// Steps 5 and 6: the switch.
    ///
    /// # Errors
    /// When it was not verified, or cannot be switched to. The old version stays the choice then.
    pub fn seal(mut self) -> Result<(), InstallError> {
        if self.tree.is_none() {
            return Err(InstallError::Unverified);
        }
        let (usr, verity) = halves(&self.head.usr_root_hash);
        let Place { usr: (usr_index, _, usr_label), verity: (verity_index, _, verity_label) } =
            self.slots.passive.clone();
        self.slots.table.name(self.disk, verity_index, verity, &verity_label)?;
        self.slots.table.name(self.disk, usr_index, usr, &usr_label)?;
        let name = Uki::new(self.head.version).to_string();
        let part = self.part();
        self.esp.rename(&part, &name).map_err(esp("naming the new kernel"))?;
        self.esp.sync_names().map_err(esp("naming the new kernel"))
    }

    /// Takes back what can be, after an error: the file on the ESP. The slot has no name.
    pub fn abandon(self) {
        let part = self.part();
        let _nothing_to_do = self.esp.remove(&part).and_then(|()| self.esp.sync_names());
    }

    fn part(&self) -> String {
        format!("slipway-{}.part", self.head.version)
    }

    fn check_blessed(&mut self) -> Result<(), InstallError> {
        let files = self.esp.list().map_err(esp("listing"))?;
        let running = self.running.version;
        let blessed = Uki { version: running, tries: None }.to_string();
        match files.iter().any(|(name, _)| *name == blessed) {
            true => Ok(()),
            false => Err(InstallError::NotBlessed(running)),
        }
    }

    fn check_fits(&self) -> Result<(), InstallError> {
        let tree = tree_length(self.head.usr.length);
        for (what, length, room) in [
            (USR, self.head.usr.length, self.slots.passive.usr.1.length),
            (TREE, tree, self.slots.passive.verity.1.length),
        ] {
            if length > room {
                return Err(InstallError::TooLarge { what, length, room });
            }
        }
        Ok(())
    }

    /// Whether there is room for the new kernel once those of [`Self::remove_others`] are gone: they stay when there is none.
    fn check_esp(&mut self) -> Result<(), InstallError> {
        let part = self.part();
        let files = self.esp.list().map_err(esp("listing"))?;
        let goes = files.iter().filter(|(name, _)| *name == part || self.is_other(name));
        let goes: u64 = goes.map(|(_, length)| length).sum();
        let free = self.esp.free().map_err(esp("asking for room"))?;
        let room = free.saturating_add(goes).saturating_sub(RESERVE);
        match self.head.uki.length <= room {
            true => Ok(()),
            false => Err(InstallError::TooLarge { what: UKI, length: self.head.uki.length, room }),
        }
    }

    /// Removes UKIs of versions that do not run, and what interrupted installations left.
    fn remove_others(&mut self) -> Result<(), InstallError> {
        let files = self.esp.list().map_err(esp("listing"))?;
        let mut removed = false;
        for (name, _) in files {
            if self.is_other(&name) {
                self.esp.remove(&name).map_err(esp("removing an old kernel"))?;
                removed = true;
            }
        }
        if removed {
            self.esp.sync_names().map_err(esp("removing an old kernel"))?;
        }
        Ok(())
    }

    fn is_other(&self, name: &str) -> bool {
        match Uki::parse(name) {
            Some(uki) => uki.version != self.running.version,
            None => name.starts_with("slipway-") && name.ends_with(".part") && name != self.part(),
        }
    }

    fn invalidate(&mut self) -> Result<(), InstallError> {
        let Place { usr, verity } = &mut self.slots.passive;
        for (index, partition, _) in [usr, verity] {
            if partition.label != EMPTY {
                self.slots.table.invalidate(self.disk, *index)?;
                partition.label = EMPTY.to_owned();
            }
        }
        Ok(())
    }

    fn write_tree(&mut self, tree: &Tree) -> Result<(), InstallError> {
        let mut bytes = Vec::new();
        tree.write(&mut bytes).map_err(|source| InstallError::Slot("written", source))?;
        let offset = self.slots.passive.verity.1.offset;
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            self.disk
                .write_at(offset + (index * PIECE) as u64, piece)
                .map_err(|source| InstallError::Slot("written", source))?;
        }
        self.flush()?;
        let mut hasher = Hasher::default();
        self.read_disk(offset, bytes.len() as u64, &mut |piece| hasher.update(piece))?;
        let (expected, found) = (Digest::of_bytes(&bytes), hasher.finish());
        match expected == found {
            true => Ok(()),
            false => Err(InstallError::ReadBack { what: TREE, expected, found }),
        }
    }

    fn verify_uki(&mut self) -> Result<(), InstallError> {
        let part = self.part();
        self.esp.sync(&part).map_err(esp("flushing the new kernel"))?;
        self.esp.sync_names().map_err(esp("flushing the new kernel"))?;
        let files = self.esp.list().map_err(esp("listing"))?;
        let length = files.iter().find(|(name, _)| *name == part).map(|(_, length)| *length);
        let mut hasher = Hasher::default();
        if length == Some(self.head.uki.length) {
            let mut read = |offset, buffer: &mut [u8]| self.esp.read_at(&part, offset, buffer);
            pieces(self.head.uki.length, &mut read, &mut |piece| hasher.update(piece))
                .map_err(esp("reading the new kernel back"))?;
        }
        let (expected, found) = (self.head.uki.sha256, hasher.finish());
        match expected == found {
            true => Ok(()),
            false => Err(InstallError::ReadBack { what: UKI, expected, found }),
        }
    }

    fn read_disk(
        &mut self,
        start: u64,
        length: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), InstallError> {
        let mut read = |offset, buffer: &mut [u8]| self.disk.read_at(start + offset, buffer);
        pieces(length, &mut read, take).map_err(|source| InstallError::Slot("read back", source))
    }
}

fn pieces(
    length: u64,
    read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    take: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < length {
        let piece = &mut buffer[..(length - offset).min(PIECE as u64) as usize];
        read(offset, piece)?;
        take(piece);
        offset += piece.len() as u64;
    }
    Ok(())
}

fn esp(doing: &'static str) -> impl Fn(io::Error) -> InstallError {
    move |source| InstallError::Esp { doing, source }
}

/// What a tree of an image takes, in bytes: a superblock, and levels of 128 digests per block.
fn tree_length(image: u64) -> u64 {
    let mut length = 4096;
    let mut blocks = image / 4096;
    while blocks > 1 {
        blocks = blocks.div_ceil(128);
        length += blocks * 4096;
    }
    length
}

/// The images of the running system. Whatever is read here is checked in what comes out.
struct OldSystem<'a> {
    active: &'a Place,
    running: &'a Running,
    disk: &'a mut dyn Disk,
    esp: &'a mut dyn Esp,
}

impl Base for OldSystem<'_> {
    fn read_at(&mut self, section: Section, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match section {
            Section::Usr => self.disk.read_at(self.active.usr.1.offset + offset, buffer),
            Section::Uki => {
                let name = Uki { version: self.running.version, tries: None }.to_string();
                self.esp.read_at(&name, offset, buffer)
            }
        }
    }
}
