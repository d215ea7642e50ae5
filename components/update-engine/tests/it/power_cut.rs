//! The power is cut at every moment of an installation. Every write and flush to disk and ESP is recorded; then each prefix of them is
//! replayed, with what was not flushed lost, kept or torn in many ways, and the disk that comes out is looked at with a model of the
//! boot: there is always a version that boots as a whole, the old one can always be fallen back to, and only a whole new one is chosen.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use slipway_payload::{Chunk, Section, read_head};
use slipway_update_engine::{Disk, Esp, Install, Slots, Uki, boot_choice};

use crate::{
    machine::{boots, disk_length, format, host, layout},
    repository::{Images, noise},
};

const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
enum Op {
    Write(u64, Vec<u8>),
    Flush,
    Create(String),
    Append(String, Vec<u8>),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncNames,
}

type Log = Arc<Mutex<Vec<Op>>>;

/// A disk of which only written sectors take memory.
#[derive(Clone, Default)]
struct MemoryDisk {
    sectors: BTreeMap<u64, [u8; SECTOR as usize]>,
    log: Log,
}

impl MemoryDisk {
    fn put(&mut self, offset: u64, bytes: &[u8]) {
        assert_eq!(offset % SECTOR, 0);
        for (index, part) in bytes.chunks(SECTOR as usize).enumerate() {
            let number = offset / SECTOR + index as u64;
            let sector = self.sectors.entry(number).or_insert([0; SECTOR as usize]);
            sector[..part.len()].copy_from_slice(part);
        }
    }
}

impl Disk for MemoryDisk {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset + buffer.len() as u64 > disk_length() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        assert_eq!(offset % SECTOR, 0);
        for (index, part) in buffer.chunks_mut(SECTOR as usize).enumerate() {
            match self.sectors.get(&(offset / SECTOR + index as u64)) {
                Some(sector) => part.copy_from_slice(&sector[..part.len()]),
                None => part.fill(0),
            }
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.put(offset, bytes);
        self.log.lock().unwrap().push(Op::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log.lock().unwrap().push(Op::Flush);
        Ok(())
    }
}

#[derive(Clone, Default)]
struct MemoryEsp {
    files: BTreeMap<String, Vec<u8>>,
    log: Log,
}

impl MemoryEsp {
    fn record(&mut self, op: Op) -> io::Result<()> {
        self.apply(&op);
        self.log.lock().unwrap().push(op);
        Ok(())
    }

    /// What names do not exist is no matter: a replay leaves operations out.
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(name) => {
                self.files.insert(name.clone(), Vec::new());
            }
            Op::Append(name, bytes) => {
                if let Some(file) = self.files.get_mut(name) {
                    file.extend_from_slice(bytes);
                }
            }
            Op::Rename(from, to) => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
            Op::Remove(name) => {
                self.files.remove(name);
            }
            Op::Write(..) | Op::Flush | Op::Sync(_) | Op::SyncNames => {}
        }
    }
}

impl Esp for MemoryEsp {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.files.iter().map(|(name, file)| (name.clone(), file.len() as u64)).collect())
    }

    fn read_at(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let file = self.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let bytes = file.get(offset as usize..offset as usize + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.record(Op::Create(name.to_owned()))
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.record(Op::Append(name.to_owned(), bytes.to_vec()))
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.record(Op::Sync(name.to_owned()))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.record(Op::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.record(Op::Remove(name.to_owned()))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.record(Op::SyncNames)
    }

    fn free(&mut self) -> io::Result<u64> {
        Ok(64 << 20)
    }
}

fn images(version: &str, seed: u64, blocks: usize) -> Images {
    Images {
        version: version.to_owned(),
        usr: noise(seed, blocks * 4096),
        uki: noise(seed + 50, 9000),
    }
}

/// A machine that runs 4.1.0 from slot A and has 4.0.0 in slot B.
fn machine(older: &Images, old: &Images) -> (MemoryDisk, MemoryEsp) {
    let (mut disk, mut esp) = (MemoryDisk::default(), MemoryEsp::default());
    format(&mut disk, older);
    let name =
        |images: &Images| Uki { version: images.version.parse().unwrap(), tries: None }.to_string();
    esp.files.insert(name(older), older.uki.clone());
    install(&mut disk, &mut esp, older, old);
    // The boot into 4.1.0 was a good one.
    let uki = esp.files.remove(&Uki::new(old.version.parse().unwrap()).to_string()).unwrap();
    esp.files.insert(name(old), uki);
    assert!(boots(&mut disk, &mut esp, older) && boots(&mut disk, &mut esp, old));
    (disk, esp)
}

/// Installs as the agent does, in pieces small enough for many moments between them.
fn install(disk: &mut MemoryDisk, esp: &mut MemoryEsp, old: &Images, new: &Images) {
    let mut payload = Vec::new();
    let written = new.full(&mut payload);
    let head = read_head(&payload[..], Some(&written.head)).unwrap();
    let running = host(old).running;
    let slots = Slots::find(disk, &layout(), &running).unwrap();
    let mut install = Install::begin(disk, esp, slots, running, head).unwrap();
    for (section, image, piece) in [(Section::Usr, &new.usr, 8192), (Section::Uki, &new.uki, 3000)]
    {
        for (index, bytes) in image.chunks(piece).enumerate() {
            let offset = (index * piece) as u64;
            install.write(&Chunk { section, offset, bytes }).unwrap();
            if index % 3 == 2 {
                install.flush().unwrap();
            }
        }
    }
    install.verify().unwrap();
    install.seal().unwrap();
}

/// Chance that is the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// What happens to the operations that nothing had flushed.
#[derive(Clone, Copy, Debug)]
enum Unflushed {
    Lost,
    Kept,
    /// Each is lost, kept, or torn, in another order.
    Chance(u64),
}

/// The disk after a cut: `durable` operations are there, of `open` ones whatever `how` says.
fn replay_disk(start: &MemoryDisk, ops: &[Op], how: Unflushed) -> MemoryDisk {
    let last = ops.iter().rposition(|op| matches!(op, Op::Flush)).unwrap_or(0);
    let mut disk = start.clone();
    let mut open = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        if let Op::Write(offset, bytes) = op {
            match index < last {
                true => disk.put(*offset, bytes),
                false => open.push((*offset, bytes)),
            }
        }
    }
    // The device works in sectors, and each is a write of its own.
    let mut sectors: Vec<(u64, &[u8])> = open
        .iter()
        .flat_map(|(offset, bytes)| {
            bytes
                .chunks(SECTOR as usize)
                .enumerate()
                .map(|(n, part)| (*offset + n as u64 * SECTOR, part))
        })
        .collect();
    match how {
        Unflushed::Lost => sectors.clear(),
        Unflushed::Kept => {}
        Unflushed::Chance(seed) => {
            let mut chance = Chance(seed);
            sectors.retain(|_| chance.below(2) == 0);
        }
    }
    for (offset, bytes) in sectors {
        disk.put(offset, bytes);
    }
    disk
}

/// The ESP after a cut. Names that were not flushed are there or not, each for itself; content that was not flushed may be short.
fn replay_esp(start: &MemoryEsp, ops: &[Op], how: Unflushed) -> MemoryEsp {
    let mut esp = start.clone();
    let names = ops.iter().rposition(|op| matches!(op, Op::SyncNames));
    let mut chance = Chance(match how {
        Unflushed::Chance(seed) => seed,
        _ => 1,
    });
    for (index, op) in ops.iter().enumerate() {
        let flushed = match op {
            Op::Append(name, _) => ops[index..].iter().any(|op| match op {
                Op::Sync(synced) => synced == name,
                _ => false,
            }),
            _ => names.is_some_and(|last| index < last),
        };
        let kept = flushed
            || match how {
                Unflushed::Lost => false,
                Unflushed::Kept => true,
                Unflushed::Chance(_) => chance.below(2) == 0,
            };
        match op {
            Op::Append(name, bytes) if kept && !flushed => {
                let part = bytes[..chance.below(bytes.len() + 1)].to_vec();
                esp.apply(&Op::Append(name.clone(), part));
            }
            op if kept => esp.apply(op),
            _ => {}
        }
    }
    esp
}

/// Says which version is chosen; panics unless it boots, and the old one would too.
fn look(
    disk: &mut MemoryDisk,
    esp: &mut MemoryEsp,
    old: &Images,
    all: &[&Images],
    at: &str,
) -> String {
    let names: Vec<String> = esp.files.keys().cloned().collect();
    let choice = boot_choice(names.iter().map(String::as_str));
    let choice = choice.unwrap_or_else(|| panic!("{at}: nothing is chosen of {names:?}"));
    let chosen = all.iter().find(|images| images.version == choice.version.to_string());
    let chosen = chosen.unwrap_or_else(|| panic!("{at}: {choice} is chosen"));
    assert!(boots(disk, esp, chosen), "{at}: {choice} is chosen and is not whole");
    assert!(boots(disk, esp, old), "{at}: there is no way back");
    chosen.version.clone()
}

const CHANCES: u64 = 40;

#[test]
fn a_machine_boots_after_a_cut_at_any_moment() {
    let older = images("4.0.0", 1, 11);
    let old = images("4.1.0", 2, 17);
    let new = images("4.2.0", 3, 14);
    let (disk, esp) = machine(&older, &old);
    let (mut running_disk, mut running_esp) = (disk.clone(), esp.clone());
    let log = Log::default();
    (running_disk.log, running_esp.log) = (log.clone(), log.clone());
    install(&mut running_disk, &mut running_esp, &old, &new);
    let ops = log.lock().unwrap().clone();
    let mut points = 0;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for cut in 0..=ops.len() {
        let chances = (0..CHANCES).map(|n| Unflushed::Chance(cut as u64 * CHANCES + n + 1));
        for how in [Unflushed::Lost, Unflushed::Kept].into_iter().chain(chances) {
            let mut disk = replay_disk(&disk, &ops[..cut], how);
            let mut esp = replay_esp(&esp, &ops[..cut], how);
            let at = format!("cut {cut} of {}, {how:?}", ops.len());
            let chosen = look(&mut disk, &mut esp, &old, &[&old, &new], &at);
            *seen.entry(chosen).or_default() += 1;
            points += 1;
        }
    }
    println!("{points} points of {} operations: {seen:?}", ops.len());
    // Both versions were chosen, the new one from the last rename on only.
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["4.1.0", "4.2.0"]);
    assert!(points > 2000, "{points} points of {} operations", ops.len());
    assert!(seen["4.1.0"] > seen["4.2.0"]);
}

/// The model finds what it is there to find: a switch before the slot has its content.
#[test]
fn the_model_notices_a_wrong_order() {
    let older = images("4.0.0", 1, 11);
    let old = images("4.1.0", 2, 17);
    let (mut disk, mut esp) = machine(&older, &old);
    let new = images("4.2.0", 3, 14);
    esp.files.insert(Uki::new("4.2.0".parse().unwrap()).to_string(), new.uki.clone());
    let found =
        std::panic::catch_unwind(move || look(&mut disk, &mut esp, &old, &[&old, &new], "here"));
    let text = *found.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(text, "here: slipway-4.2.0+3.efi is chosen and is not whole");
}

/// An installation that was cut is begun again, and ends well from wherever it was.
#[test]
fn an_installation_after_a_cut_ends_well() {
    let older = images("4.0.0", 1, 11);
    let old = images("4.1.0", 2, 17);
    let new = images("4.2.0", 3, 14);
    let (disk, esp) = machine(&older, &old);
    let (mut running_disk, mut running_esp) = (disk.clone(), esp.clone());
    let log = Log::default();
    (running_disk.log, running_esp.log) = (log.clone(), log.clone());
    install(&mut running_disk, &mut running_esp, &old, &new);
    let ops = log.lock().unwrap().clone();
    for cut in 0..=ops.len() {
        let how = Unflushed::Chance(cut as u64 + 1);
        let mut disk = replay_disk(&disk, &ops[..cut], how);
        let mut esp = replay_esp(&esp, &ops[..cut], how);
        install(&mut disk, &mut esp, &old, &new);
        assert!(boots(&mut disk, &mut esp, &new), "after cut {cut}");
    }
}
