//! A machine: a disk image of layout 1 in a file, a folder for the ESP, and the agent on it.

use std::path::{Path, PathBuf};

use slipway_packages_manifest::{Layout, PartitionType, Slot};
use slipway_payload::verity::{TreeBuilder, Verity};
use slipway_update_engine::{
    Agent, AgentError, Ask, Asked, Config, Depth, Disk, Done, Esp, FileDisk, Files, Folders,
    Hardware, Host, Origin, Running, Slots, Sources, Table, Text, Tries, Uki, boot_choice, crc32,
    halves,
};

use crate::{
    repository::{Images, Publisher},
    server::Server,
};

pub(crate) fn layout() -> Layout {
    let text = include_str!("../../../../packages-manifest/layouts/v1.toml");
    Layout::parse("v1.toml", text).unwrap()
}

fn guid(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).unwrap();
    }
    swapped(bytes)
}

fn swapped(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn kind(kind: PartitionType) -> [u8; 16] {
    guid(match kind {
        PartitionType::Esp => "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        PartitionType::Usr => "8484680c-9521-48c6-9c11-b0720656f69e",
        PartitionType::UsrVerity => "77ff5f63-e7b6-4633-acf4-1565b864c0e6",
        PartitionType::Oem => "0fc63daf-8483-4772-8e79-3d69d8477de4",
        PartitionType::Root => "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    })
}

/// How long a disk of layout 1 is, in bytes.
pub(crate) fn disk_length() -> u64 {
    layout().partitions.iter().map(|partition| partition.size.bytes()).sum::<u64>() + (4 << 20)
}

/// Writes a partition table as `systemd-repart` would, and the system into slot A.
pub(crate) fn format(disk: &mut dyn Disk, images: &Images) {
    let sectors = disk_length() / 512;
    let mut entries = vec![0; 128 * 128];
    let mut next = 2048;
    let (usr, tree) = halves(&images.root_hash());
    for (index, partition) in layout().partitions.iter().enumerate() {
        let length = partition.size.bytes() / 512;
        let uuid = match (partition.kind, partition.slot) {
            (PartitionType::Usr, Some(Slot::A)) => usr.0,
            (PartitionType::UsrVerity, Some(Slot::A)) => tree.0,
            _ => [index as u8 + 1; 16],
        };
        let entry = &mut entries[index * 128..(index + 1) * 128];
        entry[..16].copy_from_slice(&kind(partition.kind));
        entry[16..32].copy_from_slice(&swapped(uuid));
        entry[32..40].copy_from_slice(&u64::to_le_bytes(next));
        entry[40..48].copy_from_slice(&(next + length - 1).to_le_bytes());
        for (place, unit) in entry[56..].chunks_exact_mut(2).zip(partition.label.encode_utf16()) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        next += length;
    }
    let crc = crc32(&entries);
    disk.write_at(1024, &entries).unwrap();
    disk.write_at(512, &header(1, sectors - 1, 2, sectors, crc)).unwrap();
    disk.write_at((sectors - 33) * 512, &entries).unwrap();
    let backup = header(sectors - 1, 1, sectors - 33, sectors, crc);
    disk.write_at((sectors - 1) * 512, &backup).unwrap();
    let table = Table::read(disk).unwrap();
    disk.write_at(table.partition(1).unwrap().offset, &images.usr).unwrap();
    disk.write_at(table.partition(2).unwrap().offset, &tree_of(&images.usr)).unwrap();
    disk.flush().unwrap();
}

fn header(mine: u64, other: u64, entries: u64, sectors: u64, crc: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(b"EFI PART");
    header.extend_from_slice(&0x0001_0000u32.to_le_bytes());
    header.extend_from_slice(&92u32.to_le_bytes());
    header.extend_from_slice(&[0; 8]);
    for number in [mine, other, 34, sectors - 34] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&[9; 16]);
    header.extend_from_slice(&entries.to_le_bytes());
    header.extend_from_slice(&128u32.to_le_bytes());
    header.extend_from_slice(&128u32.to_le_bytes());
    header.extend_from_slice(&crc.to_le_bytes());
    let own = crc32(&header);
    header[16..20].copy_from_slice(&own.to_le_bytes());
    header.resize(512, 0);
    header
}

/// The hash tree of an image.
pub(crate) fn tree_of(usr: &[u8]) -> Vec<u8> {
    let mut builder = TreeBuilder::new(&Verity::of_slipway());
    builder.update(usr);
    let mut bytes = Vec::new();
    builder.finish().unwrap().write(&mut bytes).unwrap();
    bytes
}

/// Whether a UKI of a version would boot: its file is whole, and a slot with its name has its `/usr` and hash tree.
pub(crate) fn boots(disk: &mut dyn Disk, esp: &mut dyn Esp, images: &Images) -> bool {
    let Ok(table) = Table::read(disk) else { return false };
    let (usr, tree) = halves(&images.root_hash());
    let partitions: Vec<_> = (0..7).filter_map(|index| table.partition(index)).collect();
    let mut has = |uuid, expected: &[u8]| {
        partitions.iter().any(|partition| {
            let mut content = vec![0; expected.len()];
            partition.uuid == uuid
                && disk.read_at(partition.offset, &mut content).is_ok()
                && content == expected
        })
    };
    let slot = has(usr, &images.usr) && has(tree, &tree_of(&images.usr));
    slot && has_uki(esp, images)
}

fn has_uki(esp: &mut dyn Esp, images: &Images) -> bool {
    let files = esp.list().unwrap();
    let version = images.version.parse().unwrap();
    files.iter().any(|(name, length)| {
        let mut content = vec![0; *length as usize];
        Uki::parse(name).is_some_and(|uki| uki.version == version)
            && esp.read_at(name, 0, &mut content).is_ok()
            && content == images.uki
    })
}

/// A machine that runs a version.
pub(crate) struct Machine {
    pub(crate) folder: PathBuf,
    pub(crate) host: Host,
    pub(crate) settings: String,
}

impl Machine {
    /// One that was just installed.
    pub(crate) fn new(
        folder: &Path,
        images: &Images,
        server: &Server,
        publisher: &Publisher,
    ) -> Self {
        fs_err::create_dir_all(folder.join("esp/EFI/Linux")).unwrap();
        let file = fs_err::File::create(folder.join("disk.raw")).unwrap();
        file.set_len(disk_length()).unwrap();
        format(&mut FileDisk::open(&folder.join("disk.raw")).unwrap(), images);
        let name = Uki { version: images.version.parse().unwrap(), tries: None };
        fs_err::write(folder.join("esp/EFI/Linux").join(name.to_string()), &images.uki).unwrap();
        let settings = format!(
            "server = \"{}\"\nchannel = \"alpha\"\nroot = {:?}\nretry_first_milliseconds = 1\nretry_tries = 4\nstall_seconds = 1\n",
            server.url, publisher.root,
        );
        Self { folder: folder.to_owned(), host: host(images), settings }
    }

    pub(crate) fn config(&self) -> Config {
        let text = Text { path: "test.toml".into(), text: self.settings.clone() };
        Config::of(&Sources { local: vec![text], ..Sources::default() }).unwrap()
    }

    pub(crate) fn files(&self) -> Files {
        Files { disk: self.folder.join("disk.raw"), esp: self.folder.join("esp") }
    }

    pub(crate) fn agent(&self) -> Result<Agent, AgentError> {
        self.agent_on(Box::new(self.files()))
    }

    pub(crate) fn agent_on(&self, hardware: Box<dyn Hardware>) -> Result<Agent, AgentError> {
        let folders = Folders { state: self.folder.join("state"), run: self.folder.join("run") };
        Agent::open(self.config(), self.host.clone(), folders, hardware)
    }

    /// One update by the timer, of an agent that was just started.
    pub(crate) async fn update(&self) -> Result<Done, AgentError> {
        self.agent().unwrap().update(&by_timer(), 1_800_000_000).await
    }

    pub(crate) fn boots(&self, images: &Images) -> bool {
        let files = self.files();
        boots(&mut *files.disk().unwrap(), &mut *files.esp().unwrap(), images)
    }

    pub(crate) fn ukis(&self) -> Vec<String> {
        let files = self.files().esp().unwrap().list().unwrap();
        files.into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn choice(&self) -> String {
        boot_choice(self.ukis().iter().map(String::as_str)).unwrap().version.to_string()
    }

    fn rename(&self, from: &Uki, to: &Uki) {
        let folder = self.folder.join("esp/EFI/Linux");
        fs_err::rename(folder.join(from.to_string()), folder.join(to.to_string())).unwrap();
    }

    /// The machine reboots into what the boot loader chooses, which must be `images`; the boot is a good one.
    pub(crate) fn reboot_into(&mut self, images: &Images) {
        let choice = boot_choice(self.ukis().iter().map(String::as_str)).unwrap();
        assert_eq!(choice.version.to_string(), images.version);
        assert!(self.boots(images), "{} is the choice and does not boot", images.version);
        self.rename(&choice, &Uki { tries: None, ..choice });
        self.host = host(images);
        self.host.boot_id.push('x');
    }

    /// The machine reboots into what the boot loader chooses, which must be `images`, and is not found good yet.
    pub(crate) fn reboot_on_trial(&mut self, images: &Images) {
        let choice = boot_choice(self.ukis().iter().map(String::as_str)).unwrap();
        assert_eq!(choice.version.to_string(), images.version);
        let tries = choice.tries.unwrap();
        let tries = Tries { left: tries.left - 1, done: tries.done + 1 };
        self.rename(&choice, &Uki { tries: Some(tries), ..choice });
        self.host = host(images);
        self.host.boot_id.push('x');
    }

    /// The boot that goes on is found good.
    pub(crate) fn bless(&self) {
        let ukis = self.ukis();
        let running = self.host.running.version;
        let mut ours = ukis.iter().filter_map(|name| Uki::parse(name));
        let uki = ours.find(|uki| uki.version == running).unwrap();
        self.rename(&uki, &Uki { tries: None, ..uki });
    }

    /// The machine tries the boot loader's choice until it has no tries left, and comes back to the version that ran.
    pub(crate) fn reboot_in_vain(&mut self) {
        let choice = boot_choice(self.ukis().iter().map(String::as_str)).unwrap();
        let tries = Some(Tries { left: 0, done: 3 });
        self.rename(&choice, &Uki { tries, ..choice });
        assert_eq!(self.choice(), self.host.running.version.to_string());
        self.host.boot_id.push('x');
    }

    /// The passive slot has no name.
    pub(crate) fn passive_is_empty(&self) -> bool {
        let mut disk = self.files().disk().unwrap();
        Slots::find(&mut *disk, &layout(), &self.host.running).unwrap().passive_is_empty()
    }
}

pub(crate) fn host(images: &Images) -> Host {
    Host {
        running: Running {
            version: images.version.parse().unwrap(),
            usr_root_hash: images.root_hash(),
        },
        arch: "amd64".to_owned(),
        machine_id: "0f3a5c0e1b7d4e55a0b6c2d19e8f7a42".to_owned(),
        boot_id: "6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11".to_owned(),
        oem: "qemu".to_owned(),
        oem_version: "0.1".to_owned(),
    }
}

pub(crate) fn by_timer() -> Ask {
    Ask { asked: Asked::ByTimer, from: Origin::Server, depth: Depth::Install }
}

/// A publisher, a server and a machine that runs 4.0.0.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) publisher: Publisher,
    pub(crate) server: Server,
    pub(crate) machine: Machine,
    pub(crate) old: Images,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let publisher = Publisher::new(&path).await;
        let server = Server::new(&publisher.folder).await;
        let old = Images::new("4.0.0");
        let machine = Machine::new(&path.join("machine"), &old, &server, &publisher);
        Self { _folder: folder, path, publisher, server, machine, old }
    }

    /// Publishes a version, and lets the server offer it.
    pub(crate) async fn offer(&mut self, version: &str) -> Images {
        let new = Images::new(version);
        let old = self.old.clone();
        self.publisher.release(&new, &[&old]).await;
        self.server.offer(Some(version));
        new
    }
}
