//! Power that is cut anywhere in an update: all that the disk was asked for is recorded, and what it may have had at that moment is
//! booted.

use super::{Site, writes::Writes};
use crate::{
    VERSION, disk,
    guest::{Guest, Options},
    support::{number, state},
};

/// How many of the disks are booted, unless `SLIPWAY_TEST_CUTS` says otherwise.
const CUTS: usize = 3;
const DISK_SIZE: u64 = 8 << 30;

#[test]
fn a_machine_whose_power_is_cut_boots_the_old_or_the_new_version() {
    let log_writes = Options { log_writes: true, ..Options::default() };
    let site = Site::new("cut", "4.0.0", log_writes);
    let mut guest = site.boot("4.0.0");
    site.configure(&mut guest);
    guest.run("sync");
    let log = site.state.join("writes.log");
    let begin = Writes::count(&log);
    site.update(&mut guest, "4.0.1");
    guest.run("sync");
    guest.cut_power();

    let mut writes = Writes::read(&log);
    let epochs = writes.epochs(begin);
    println!("{} flushes while it updated", epochs.len());
    let (disk, torn) = (site.state.join("cut.raw"), site.state.join("torn.raw"));
    disk::copy(site.options.disk.as_deref().unwrap(), &disk);
    fs_err::OpenOptions::new().write(true).open(&disk).unwrap().set_len(DISK_SIZE).unwrap();
    let mut random = Random(0x5eed);
    let mut flushed = 0;
    let cuts = number("SLIPWAY_TEST_CUTS", CUTS);
    for cut in 0..cuts {
        // What was flushed is on the disk; of what came after it, any part may be.
        let epoch = epochs[(cut + 1) * (epochs.len() - 1) / cuts].clone();
        let end = epoch.start + random.below(epoch.len() + 1);
        writes.replay(flushed..epoch.start, &disk, || true);
        flushed = epoch.start;
        disk::copy(&disk, &torn);
        writes.replay(epoch.start..end, &torn, || random.below(2) == 0);

        let options = Options { disk: Some(torn.clone()), ..Options::default() };
        let mut guest = Guest::boot(&state("torn"), &options);
        guest.settle("running");
        let version = guest.run(VERSION);
        println!("cut at operation {end} of {begin} to {}: {version}", epochs.last().unwrap().end);
        assert!(["4.0.0", "4.0.1"].contains(&version.as_str()), "{version}");
        guest.check("sudo dmsetup status usr | cut -d' ' -f3-4", "verity V");
        guest.power_off();
    }
    for file in [disk, torn, log] {
        fs_err::remove_file(file).unwrap();
    }
}

/// Numbers that look random and are the same in every run (xorshift64, G. Marsaglia: Xorshift RNGs, 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
