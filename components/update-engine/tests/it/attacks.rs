//! What an attacker, a bad disk or a second agent cannot do.

use std::io;

use jiff::{SignedDuration, Timestamp as Time};
use slipway_update_engine::{
    AgentError, DirEsp, Disk, Esp, FileDisk, Files, Guid, Hardware, Stage, Status, Table,
};

use crate::{
    machine::{Machine, World, by_timer, disk_length},
    repository::{Images, Publisher},
    server::{Faults, Server},
};

impl World {
    /// The update is refused with this text and code, and the old system is untouched.
    async fn refuses(&self, expected: &str, code: u32) {
        let mut agent = self.machine.agent().unwrap();
        let error = agent.update(&by_timer(), 1).await.unwrap_err();
        assert!(error.chain().contains(expected), "{}", error.chain());
        assert_eq!(error.code(), code, "{}", error.chain());
        assert!(matches!(agent.report().status.stage(), Stage::Blocked | Stage::Error));
        assert_eq!(self.machine.choice(), "4.0.0");
        assert!(self.machine.boots(&self.old));
    }
}

#[tokio::test]
async fn a_tampered_payload() {
    let mut world = World::new().await;
    let new = Images::new("4.1.0");
    world.publisher.release(&new, &[]).await;
    world.server.offer(Some("4.1.0"));
    for (place, expected, code) in [
        (3, "this is no payload", 21),
        (100, "the head of the payload is not what was signed", 26),
        (9_000, "frame 0 of the payload is damaged", 10),
        (4_500_000, "frame 1 of the payload is damaged", 10),
    ] {
        world.server.faults(Faults { flip: Some(place), ..Faults::default() });
        world.refuses(expected, code).await;
    }
    assert!(world.machine.passive_is_empty());
    assert!(!world.machine.boots(&new));
    world.server.faults(Faults::default());
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&new);
}

#[tokio::test]
async fn a_truncated_payload() {
    let mut world = World::new().await;
    let new = Images::new("4.1.0");
    let record = world.publisher.release(&new, &[]).await;
    world.server.offer(Some("4.1.0"));
    let blob = world.publisher.blob(&record, "full");
    let whole = fs_err::read(&blob).unwrap();
    fs_err::write(&blob, &whole[..whole.len() - 1]).unwrap();
    world.refuses("sent less than it has", 9).await;
    fs_err::remove_file(&blob).unwrap();
    world.refuses("answered with HTTP status 404", 2404).await;
}

/// A payload of another release in the place of the one that was signed.
#[tokio::test]
async fn a_swapped_payload() {
    let mut world = World::new().await;
    let one = world.publisher.release(&Images::new("4.1.0"), &[]).await;
    let two = world.publisher.release(&Images::new("4.2.0"), &[]).await;
    world.server.offer(Some("4.2.0"));
    fs_err::copy(world.publisher.blob(&one, "full"), world.publisher.blob(&two, "full")).unwrap();
    world.refuses("the head of the payload is not what was signed", 26).await;
}

/// A record whose signers named a payload of another version: the head says what it is.
#[tokio::test]
async fn a_record_with_the_payload_of_another_version() {
    let mut world = World::new().await;
    let other = world.publisher.record(&Images::new("4.1.0"), &[]);
    let mut record = world.publisher.record(&Images::new("4.2.0"), &[]);
    record.payloads = other.payloads;
    record.artefacts = other.artefacts;
    world.publisher.publish(&record).await;
    world.server.offer(Some("4.2.0"));
    world.refuses("the payload is not for what its record says", 26).await;
}

#[tokio::test]
async fn replayed_metadata() {
    let mut world = World::new().await;
    let pointer = world.publisher.folder.join("metadata/timestamp.json");
    let before = fs_err::read(&pointer).unwrap();
    world.offer("4.1.0").await;
    // The machine sees the new metadata once, without installing.
    world.machine.agent().unwrap().pin(Some("9.9.9")).unwrap();
    world.machine.update().await.unwrap_err();
    world.machine.agent().unwrap().pin(None).unwrap();
    fs_err::write(&pointer, before).unwrap();
    world.refuses("the repository's metadata is not to be trusted", 25).await;
}

#[tokio::test]
async fn metadata_of_somebody_else() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    let other = World::new().await;
    let root = fs_err::read(&other.publisher.root).unwrap();
    fs_err::write(&world.publisher.root, root).unwrap();
    world.refuses("the repository's metadata is not to be trusted", 25).await;
}

/// Metadata that nobody has renewed: somebody holds the machine at an old version.
#[tokio::test]
async fn expired_metadata() {
    let mut world = World::new().await;
    let past = Time::now() - SignedDuration::from_hours(24 * 45);
    let folder = world.path.join("past");
    fs_err::create_dir_all(&folder).unwrap();
    world.publisher = Publisher::at(&folder, past).await;
    world.server = Server::new(&world.publisher.folder).await;
    let (old, machine) = (world.old.clone(), folder.join("machine"));
    world.machine = Machine::new(&machine, &old, &world.server, &world.publisher);
    world.offer("4.1.0").await;
    world.refuses("xpired", 25).await;
}

#[tokio::test]
async fn offers_that_are_no_good() {
    let mut world = World::new().await;
    let mut arm = world.publisher.record(&Images::new("4.3.0"), &[]);
    arm.arch = "arm64".to_owned();
    world.publisher.publish(&arm).await;
    for version in ["3.9.0", "4.1.0", "4.2.0"] {
        let new = Images::new(version);
        world.publisher.release(&new, &[]).await;
    }
    let revoked = Images::new("4.1.1");
    world.publisher.release(&revoked, &[]).await;
    world.publisher.policy(&["4.1.0"], &["4.1.1"]).await;
    for (version, expected, code) in [
        ("4.3.0", "which the signed metadata of `alpha` does not have for amd64", 34),
        ("5.0.0", "which the signed metadata of `alpha` does not have for amd64", 34),
        ("3.9.0", "3.9.0 is older than the 4.0.0 that runs", 36),
        ("4.2.0", "4.1.0 must come first (for a test)", 36),
        ("4.1.1", "4.1.1 was revoked (for a test)", 36),
    ] {
        world.server.offer(Some(version));
        world.refuses(expected, code).await;
    }
    world.server.offer(Some("4.1.0"));
    world.machine.update().await.unwrap();
}

#[tokio::test]
async fn answers_that_are_no_answers() {
    let world = World::new().await;
    world.server.answer("<html>please log in</html>");
    world.refuses("the update server's answer was not understood", 34).await;
    world.server.answer(&"x".repeat(9 << 20));
    world.refuses("sent more than 8388608 bytes", 9).await;
}

#[tokio::test]
async fn two_agents_at_once() {
    let world = World::new().await;
    let _first = world.machine.agent().unwrap();
    let second = world.machine.agent().unwrap_err();
    assert!(matches!(second, AgentError::Locked));
}

#[tokio::test]
async fn a_version_on_trial_is_nothing_to_fall_back_to() {
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    let folder = world.machine.folder.join("esp/EFI/Linux");
    fs_err::rename(folder.join("slipway-4.0.0.efi"), folder.join("slipway-4.0.0+2-1.efi")).unwrap();
    let error = world.machine.update().await.unwrap_err();
    assert!(error.to_string().starts_with("4.0.0 runs, but was not found good yet"), "{error}");
    assert!(error.is_block());
    assert!(!world.machine.passive_is_empty());
}

/// Hardware that fails in one way.
#[derive(Clone)]
struct Bad {
    files: Files,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoRoom,
    FullInTheMiddle,
    DiskWrite,
    DiskFlush,
    DiskForgets,
    EspForgets,
    Rename,
}

struct BadDisk(FileDisk, Fault, u64);
struct BadEsp(DirEsp, Fault);

impl Hardware for Bad {
    fn disk(&self) -> io::Result<Box<dyn Disk>> {
        Ok(Box::new(BadDisk(FileDisk::open(&self.files.disk)?, self.fault, 0)))
    }

    fn esp(&self) -> io::Result<Box<dyn Esp>> {
        Ok(Box::new(BadEsp(DirEsp::open(&self.files.esp)?, self.fault)))
    }
}

/// Whether it is content, and not one of the partition tables at both ends.
fn is_content(offset: u64) -> bool {
    (1 << 20..disk_length() - (1 << 20)).contains(&offset)
}

impl Disk for BadDisk {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if is_content(offset) {
            self.2 += 1;
        }
        match self.1 {
            Fault::DiskWrite if self.2 == 2 && is_content(offset) => {
                Err(io::ErrorKind::Other.into())
            }
            Fault::DiskForgets if self.2 == 2 && is_content(offset) => Ok(()),
            _ => self.0.write_at(offset, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.1 == Fault::DiskFlush && self.2 > 0 {
            true => Err(io::ErrorKind::Other.into()),
            false => self.0.flush(),
        }
    }
}

impl Esp for BadEsp {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }

    fn read_at(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(name, offset, buffer)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.0.create(name)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self.1 {
            Fault::FullInTheMiddle => {
                self.0.append(name, &bytes[..bytes.len() / 2])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Fault::EspForgets => self.0.append(name, &bytes[..bytes.len() - 1]),
            _ => self.0.append(name, bytes),
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.0.sync(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        match self.1 {
            Fault::Rename => Err(io::ErrorKind::StorageFull.into()),
            _ => self.0.rename(from, to),
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.0.sync_names()
    }

    fn free(&mut self) -> io::Result<u64> {
        if self.1 == Fault::NoRoom { Ok(1 << 20) } else { self.0.free() }
    }
}

#[tokio::test]
async fn hardware_that_fails() {
    let mut world = World::new().await;
    let new = Images::new("4.1.0");
    world.publisher.release(&new, &[]).await;
    world.server.offer(Some("4.1.0"));
    for (fault, expected, code) in [
        (
            Fault::NoRoom,
            "the kernel of the new version has 300000 bytes, and there is room for 0",
            23,
        ),
        (Fault::DiskWrite, "the passive slot cannot be written", 14),
        (Fault::DiskForgets, "/usr reads back as", 15),
        (Fault::DiskFlush, "the passive slot cannot be flushed", 14),
        (Fault::FullInTheMiddle, "the ESP: writing the new kernel failed", 8),
        (Fault::EspForgets, "the kernel reads back as", 16),
        (Fault::Rename, "the ESP: naming the new kernel failed", 8),
    ] {
        let hardware = Bad { files: world.machine.files(), fault };
        let mut agent = world.machine.agent_on(Box::new(hardware)).unwrap();
        let error = agent.update(&by_timer(), 1).await.unwrap_err();
        assert!(error.chain().starts_with(expected), "{}", error.chain());
        assert_eq!(error.code(), code, "{}", error.chain());
        assert!(matches!(agent.report().status, Status::Error { .. }));
        drop(agent);
        assert_eq!(world.machine.choice(), "4.0.0");
        assert!(world.machine.boots(&world.old));
        let rest: Vec<String> = world.machine.ukis();
        assert!(fault == Fault::Rename || rest == ["slipway-4.0.0.efi"], "{rest:?}");
    }
    // Nothing of it is in the way of the next one.
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&new);
}

#[tokio::test]
async fn what_can_be_gone_back_to_stays_until_there_is_room() {
    let mut world = World::new().await;
    let second = world.offer("4.1.0").await;
    world.machine.update().await.unwrap();
    world.machine.reboot_into(&second);
    let mut large = Images::new("4.2.0");
    large.uki.push(0);
    let fits = Images::new("4.3.0");
    for new in [&large, &fits] {
        world.publisher.release(new, &[]).await;
    }
    let bad = || Box::new(Bad { files: world.machine.files(), fault: Fault::NoRoom });
    world.server.offer(Some("4.2.0"));
    let mut agent = world.machine.agent_on(bad()).unwrap();
    let error = agent.update(&by_timer(), 1).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kernel of the new version has 300001 bytes, and there is room for 300000"
    );
    assert_eq!(world.machine.ukis(), ["slipway-4.0.0.efi", "slipway-4.1.0.efi"]);
    assert!(world.machine.boots(&world.old));
    world.server.offer(Some("4.3.0"));
    agent.update(&by_timer(), 2).await.unwrap();
    assert_eq!(world.machine.ukis(), ["slipway-4.1.0.efi", "slipway-4.3.0+3.efi"]);
}

#[tokio::test]
async fn a_table_that_somebody_else_writes_too() {
    let world = World::new().await;
    let mut disk = world.machine.files().disk().unwrap();
    let (passive, other) = (3, 5);
    let mut ours = Table::read(&mut *disk).unwrap();
    let mut theirs = ours.clone();
    theirs.name(&mut *disk, other, Guid([7; 16]), "theirs").unwrap();
    // What they have done to another partition stays.
    ours.invalidate(&mut *disk, passive).unwrap();
    let now = Table::read(&mut *disk).unwrap();
    assert_eq!(now.partition(other).unwrap().label, "theirs");
    assert_eq!(now.partition(passive).unwrap().label, "_empty");
    // They have an old copy now.
    let error = theirs.name(&mut *disk, passive, Guid([8; 16]), "theirs").unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition 4 was changed by something else meanwhile; the next try looks again"
    );
    assert_eq!(Table::read(&mut *disk).unwrap().partition(passive), now.partition(passive));
}
