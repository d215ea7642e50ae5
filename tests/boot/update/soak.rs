//! Many updates of one machine, one after the other: nothing piles up.

use super::Site;
use crate::{
    guest::{Guest, Options},
    support::number,
};

/// How many updates, unless `SLIPWAY_TEST_UPDATES` says otherwise.
const UPDATES: usize = 20;
/// So much more may be in use, in KiB: versions are not of the same size. A block for each of [`UPDATES`] is more.
const SLACK: i64 = 64;

/// What could pile up: KiB on the ESP and in the agent's own folder, files on the ESP, partitions, and devices of the device mapper.
const USED: &str = "echo $(sudo df -k --output=used $(sudo bootctl -p) | tail -n1) $(sudo du -sk /var/lib/update-engine | cut -f1) \
    $(sudo find $(sudo bootctl -p) -type f | wc -l) $(ls /dev/vda?* | wc -l) $(ls /dev/mapper | wc -l)";

fn used(guest: &mut Guest) -> Vec<i64> {
    guest.run(USED).split_whitespace().map(|number| number.parse().unwrap()).collect()
}

#[test]
#[ignore = "half an hour, for `cargo xtask test soak`"]
fn many_updates_leave_nothing_behind() {
    let site = Site::new("soak", "4.0.0", Options::default());
    let mut guest = site.boot("4.0.0");
    site.configure(&mut guest);
    let mut first = None;
    for n in 1..=number("SLIPWAY_TEST_UPDATES", UPDATES) {
        // By turns as a whole and as what differs.
        site.world.deltas(u32::from(n % 2 == 0));
        guest = site.move_to(guest, &format!("4.0.{n}"));
        let now = used(&mut guest);
        println!("4.0.{n}: {now:?}");
        // From the first update on, both slots are in use.
        let first = first.get_or_insert_with(|| now.clone());
        assert_eq!(first[2..], now[2..], "files, partitions, devices");
        assert!((0..2).all(|at| now[at] <= first[at] + SLACK), "{first:?} {now:?}");
    }
    guest.power_off();
}
