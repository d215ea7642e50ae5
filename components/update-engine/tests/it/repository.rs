//! A signed repository in a folder, and releases for it.

use std::{
    collections::{BTreeMap, HashMap},
    io::Cursor,
    path::PathBuf,
};

use camino::Utf8PathBuf;
use jiff::Timestamp as Time;
use slipway_channels::{Change, Channel, Repository, Signers, release};
use slipway_payload::{
    Artefact, ChannelPolicy, Digest, Level, PayloadEntry, PayloadKind, ReleaseRecord, System,
    VersionNote, Written, policy_name,
    verity::{TreeBuilder, Verity},
    write_delta, write_full,
};
use slipway_signing::{KeyMark, KeyName, PublicKey, RoleName, Roles, SecretKey, SigningError};
use slipway_store::Remote;
use tough::{
    TargetName,
    schema::{Hashes, Target},
};

/// All keys.
struct Holder {
    roles: Roles,
    pem: BTreeMap<KeyName, String>,
}

impl Holder {
    fn new() -> Self {
        let text = include_str!("../../../../signing/roles.toml");
        let roles = Roles::parse("roles.toml", text).unwrap();
        let pem = roles.keys.keys().map(|name| {
            let key = SecretKey::generate(name.clone(), KeyMark::Release).unwrap();
            (name.clone(), key.to_pem(None).unwrap().to_string())
        });
        Self { pem: pem.collect(), roles }
    }

    fn key(&self, name: &KeyName) -> SecretKey {
        SecretKey::from_pem(name, &self.pem[name], &mut |_| None).unwrap()
    }
}

impl Signers for Holder {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn keys(&mut self, role: &RoleName) -> Result<Vec<SecretKey>, SigningError> {
        Ok(self.roles.role(role)?.keys.iter().map(|name| self.key(name)).collect())
    }
}

/// A system of a version.
#[derive(Clone)]
pub(crate) struct Images {
    pub(crate) version: String,
    pub(crate) usr: Vec<u8>,
    pub(crate) uki: Vec<u8>,
}

impl Images {
    /// Images of which most is the same in all versions.
    pub(crate) fn new(version: &str) -> Self {
        let digest = Digest::of_bytes(version.as_bytes());
        let seed = digest.as_bytes()[..7].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let mut usr = noise(1, 5 << 20);
        usr[8192..8192 + 4096].copy_from_slice(&noise(seed + 1000, 4096));
        let mut uki = noise(2, 300_000);
        uki[5000..6000].copy_from_slice(&noise(seed + 2000, 1000));
        Self { version: version.to_owned(), usr, uki }
    }

    pub(crate) fn system(&self) -> System<Cursor<&[u8]>> {
        System {
            version: self.version.parse().unwrap(),
            usr: Cursor::new(&self.usr),
            uki: Cursor::new(&self.uki),
            verity: Verity::of_slipway(),
        }
    }

    pub(crate) fn root_hash(&self) -> Digest {
        let mut builder = TreeBuilder::new(&Verity::of_slipway());
        builder.update(&self.usr);
        builder.finish().unwrap().root_hash()
    }

    pub(crate) fn full(&self, payload: &mut Vec<u8>) -> Written {
        write_full("amd64", &mut self.system(), Level(1), payload).unwrap()
    }

    pub(crate) fn delta(&self, old: &Self, payload: &mut Vec<u8>) -> Written {
        write_delta("amd64", &mut old.system(), &mut self.system(), Level(1), payload).unwrap()
    }
}

/// Bytes that do not compress, the same for the same seed (xorshift).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length.div_ceil(8)).flatten().take(length).collect()
}

/// A repository whose channel `alpha` gets releases.
pub(crate) struct Publisher {
    pub(crate) folder: PathBuf,
    pub(crate) root: PathBuf,
    repository: Repository,
    holder: Holder,
    channel: Channel,
    root_bytes: Vec<u8>,
    now: Time,
}

impl Publisher {
    pub(crate) async fn new(parent: &std::path::Path) -> Self {
        Self::at(parent, Time::now()).await
    }

    /// One whose holders sign at another time.
    pub(crate) async fn at(parent: &std::path::Path, now: Time) -> Self {
        let folder = parent.join("repository");
        let path = Utf8PathBuf::try_from(folder.clone()).unwrap();
        let repository = Repository::new(Remote::local(&path).unwrap());
        let mut holder = Holder::new();
        let public: BTreeMap<KeyName, PublicKey> =
            holder.pem.keys().map(|name| (name.clone(), holder.key(name).public())).collect();
        let root = repository.init(&|name| Ok(public[name]), &mut holder, now).await.unwrap();
        let root_bytes = root.bytes().to_vec();
        let root = parent.join("root.json");
        fs_err::write(&root, &root_bytes).unwrap();
        let text = include_str!("../../../../channels/alpha.toml");
        let channel = Channel::parse("alpha".parse().unwrap(), "alpha.toml", text).unwrap();
        Self { folder, root, repository, holder, channel, root_bytes, now }
    }

    /// Publishes a full payload, and deltas from other systems.
    pub(crate) async fn release(&mut self, new: &Images, olds: &[&Images]) -> ReleaseRecord {
        let record = self.record(new, olds);
        self.publish(&record).await;
        record
    }

    pub(crate) async fn publish(&mut self, record: &ReleaseRecord) {
        let state = self.repository.load(&self.root_bytes).await.unwrap();
        let change = release(&state, &self.channel, record, self.now).unwrap();
        self.repository.apply(state, change, &mut self.holder, self.now).await.unwrap();
    }

    /// Uploads the payloads, and writes down what they are.
    pub(crate) fn record(&self, new: &Images, olds: &[&Images]) -> ReleaseRecord {
        let mut full = Vec::new();
        let written = new.full(&mut full);
        let mut payloads = vec![("full".to_owned(), full, PayloadKind::Full, written.clone())];
        for old in olds {
            let mut delta = Vec::new();
            let written = new.delta(old, &mut delta);
            let kind = PayloadKind::Delta {
                base: old.version.clone(),
                base_usr_root_hash: written.base_usr_root_hash.unwrap(),
            };
            payloads.push((format!("delta-{}", old.version), delta, kind, written));
        }
        let mut artefacts = BTreeMap::new();
        let mut entries = Vec::new();
        for (name, bytes, kind, written) in payloads {
            let artefact = Artefact { sha256: written.sha256, length: written.length };
            let path = self.folder.join(artefact.object());
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, &bytes).unwrap();
            artefacts.insert(name.clone(), artefact);
            entries.push(PayloadEntry { kind, artefact: name, head: written.head });
        }
        ReleaseRecord {
            schema: ReleaseRecord::SCHEMA,
            version: new.version.clone(),
            arch: "amd64".to_owned(),
            image: "production".to_owned(),
            inputs: String::new(),
            usr_root_hash: written.usr_root_hash.to_string(),
            artefacts,
            payloads: entries,
            packages: Vec::new(),
            tests: BTreeMap::new(),
            previous: None,
        }
    }

    /// Signs what the channel says beyond its releases.
    pub(crate) async fn policy(&mut self, floors: &[&str], revoked: &[&str]) {
        let notes = |versions: &[&str]| -> Vec<VersionNote> {
            let note = |version: &&str| VersionNote {
                version: version.parse().unwrap(),
                reason: "for a test".to_owned(),
            };
            versions.iter().map(note).collect()
        };
        let policy = ChannelPolicy { floors: notes(floors), revoked: notes(revoked) };
        let bytes = policy.to_bytes().unwrap();
        let digest = Digest::of_bytes(&bytes);
        let name = policy_name("alpha");
        let target = Target {
            length: bytes.len() as u64,
            hashes: Hashes { sha256: digest.as_bytes().to_vec().into(), _extra: HashMap::new() },
            custom: HashMap::new(),
            _extra: HashMap::new(),
        };
        let state = self.repository.load(&self.root_bytes).await.unwrap();
        let mut targets = state.channels[&self.channel.name].content().targets.clone();
        targets.insert(TargetName::new(&name).unwrap(), target);
        let change = Change {
            channel: self.channel.name.clone(),
            targets,
            objects: vec![(format!("targets/{digest}.{name}"), bytes.into())],
            summary: vec!["policy".to_owned()],
        };
        self.repository.apply(state, change, &mut self.holder, self.now).await.unwrap();
    }

    /// The file of a payload.
    pub(crate) fn blob(&self, record: &ReleaseRecord, name: &str) -> PathBuf {
        self.folder.join(record.artefacts[name].object())
    }
}
