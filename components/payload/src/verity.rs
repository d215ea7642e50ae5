//! The hash tree of dm-verity, format version 1 with SHA-256, as `veritysetup format` writes it: a superblock, then the levels of the
//! tree from the root's children down (cryptsetup, `docs/` and lib/verity; kernel, `admin-guide/device-mapper/verity.rst`).

use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::{
    Digest, PayloadError,
    digest::{hex, unhex},
};

/// The size of a block of data and of a block of the tree, in bytes.
pub const BLOCK: u64 = 4096;

/// How many digests a block of the tree holds.
const FANOUT: usize = BLOCK as usize / 32;

/// The superblock has room for this many bytes of salt.
const SALT_LIMIT: usize = 256;

/// The parameters of a tree that a superblock has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verity {
    /// Goes before each block into the hash.
    pub salt: Vec<u8>,
    /// Identifies the tree.
    pub uuid: [u8; 16],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerity {
    hash: String,
    block: u64,
    salt: String,
    uuid: String,
}

impl Verity {
    /// What `sdk/image` gives each tree: identifiers that carry no meaning, because the root hash identifies the content.
    pub fn of_slipway() -> Self {
        let mut uuid = [0; 16];
        uuid[..10].copy_from_slice(&[0x5f, 0x1b, 0xb1, 0xa0, 0x51, 0x17, 0x4a, 0x4b, 0x9d, 0x1e]);
        Self { salt: vec![0; 32], uuid }
    }

    pub(crate) fn check(&self) -> Result<(), PayloadError> {
        match self.salt.len() <= SALT_LIMIT {
            true => Ok(()),
            false => Err(PayloadError::Invalid("the salt is longer than a superblock permits")),
        }
    }
}

impl Serialize for Verity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawVerity {
            hash: "sha256".to_owned(),
            block: BLOCK,
            salt: hex(&self.salt),
            uuid: hex(&self.uuid),
        };
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Verity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawVerity::deserialize(deserializer)?;
        if raw.hash != "sha256" || raw.block != BLOCK {
            return Err(D::Error::custom("only SHA-256 over blocks of 4096 bytes is known"));
        }
        let salt =
            unhex(&raw.salt).ok_or_else(|| D::Error::custom("the salt is no hexadecimal"))?;
        let uuid = unhex(&raw.uuid).and_then(|uuid| uuid.try_into().ok());
        let uuid = uuid.ok_or_else(|| D::Error::custom("the UUID is not 16 bytes"))?;
        Ok(Self { salt, uuid })
    }
}

/// Takes the blocks of an image in order, in pieces of any length.
#[derive(Debug)]
pub struct TreeBuilder {
    verity: Verity,
    salted: Sha256,
    partial: Vec<u8>,
    leaves: Vec<u8>,
}

/// A finished tree. It takes 33 bytes of memory per block of the image.
#[derive(Debug)]
pub struct Tree {
    verity: Verity,
    /// From the leaves up; each a whole number of blocks.
    levels: Vec<Vec<u8>>,
    root_hash: Digest,
    blocks: u64,
}

impl TreeBuilder {
    /// Starts with the first block.
    pub fn new(verity: &Verity) -> Self {
        let mut salted = Sha256::new();
        salted.update(&verity.salt);
        Self { verity: verity.clone(), salted, partial: Vec::new(), leaves: Vec::new() }
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let block = BLOCK as usize;
        if !self.partial.is_empty() {
            let (first, rest) = bytes.split_at(bytes.len().min(block - self.partial.len()));
            self.partial.extend_from_slice(first);
            bytes = rest;
            if self.partial.len() < block {
                return;
            }
            let whole = std::mem::take(&mut self.partial);
            self.leaf(&whole);
        }
        let mut whole = bytes.chunks_exact(block);
        for block in &mut whole {
            self.leaf(block);
        }
        self.partial.extend_from_slice(whole.remainder());
    }

    fn leaf(&mut self, block: &[u8]) {
        let digest = salted(&self.salted, block);
        self.leaves.extend_from_slice(&digest);
    }

    /// Ends with the last block.
    ///
    /// # Errors
    /// When there was none, or only a part of it.
    pub fn finish(self) -> Result<Tree, PayloadError> {
        if self.leaves.is_empty() || !self.partial.is_empty() {
            return Err(PayloadError::Invalid("/usr is no whole number of blocks"));
        }
        let blocks = self.leaves.len() as u64 / 32;
        let mut levels = Vec::new();
        let mut digests = self.leaves;
        // The tree of a single block is no tree: the root hash is that block's own.
        while digests.len() > 32 {
            digests.resize(digests.len().next_multiple_of(FANOUT * 32), 0);
            let blocks = digests.chunks_exact(BLOCK as usize);
            let above = blocks.flat_map(|block| salted(&self.salted, block)).collect();
            levels.push(std::mem::replace(&mut digests, above));
        }
        let mut root = [0; 32];
        root.copy_from_slice(&digests);
        Ok(Tree { verity: self.verity, levels, root_hash: Digest::from_bytes(root), blocks })
    }
}

fn salted(start: &Sha256, block: &[u8]) -> [u8; 32] {
    let mut hasher = start.clone();
    hasher.update(block);
    hasher.finalize().into()
}

impl Tree {
    /// What identifies the image and its tree.
    pub fn root_hash(&self) -> Digest {
        self.root_hash
    }

    /// How long the hash partition's content is, in bytes.
    pub fn length(&self) -> u64 {
        BLOCK + self.levels.iter().map(|level| level.len() as u64).sum::<u64>()
    }

    /// Writes superblock and levels.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&self.superblock())?;
        for level in self.levels.iter().rev() {
            out.write_all(level)?;
        }
        Ok(())
    }

    fn superblock(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK as usize);
        block.extend_from_slice(b"verity\0\0");
        block.extend_from_slice(&1u32.to_le_bytes()); // Version of the superblock.
        block.extend_from_slice(&1u32.to_le_bytes()); // The salt goes before the block.
        block.extend_from_slice(&self.verity.uuid);
        block.extend_from_slice(b"sha256");
        block.resize(64, 0);
        block.extend_from_slice(&(BLOCK as u32).to_le_bytes());
        block.extend_from_slice(&(BLOCK as u32).to_le_bytes());
        block.extend_from_slice(&self.blocks.to_le_bytes());
        block.extend_from_slice(&(self.verity.salt.len() as u16).to_le_bytes());
        block.extend_from_slice(&[0; 6]);
        block.extend_from_slice(&self.verity.salt);
        block.resize(BLOCK as usize, 0);
        block
    }
}
