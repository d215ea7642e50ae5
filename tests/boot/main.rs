//! What a booted image promises, in QEMU with OVMF. Run by `cargo xtask test`; it needs the image, so plain `cargo test` leaves it out.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod binhost;
mod disk;
mod guest;
mod support;
mod update;

use std::{io::Read as _, net::TcpStream, time::Duration};

use guest::{Guest, Options};
use support::{image, image_name, state};

/// The versions on the ESP, one per line, with the tries that they have left.
const ESP: &str = "sudo sh -c 'ls -1 $(bootctl -p)/EFI/Linux'";
const VERSION: &str = ". /etc/os-release; echo $VERSION_ID";
/// A login from the machine itself, with the key that it has made.
const SSH: &str = "ssh -i key -o StrictHostKeyChecking=no -o BatchMode=yes core@localhost";

// One test, because each boot takes long: what the second start of a machine shows needs a first one.
#[test]
fn a_machine_comes_up_whole_and_lets_its_owner_in() {
    let state = state("whole");
    let mut guest = Guest::boot(&state, &Options::default());
    guest.settle("running");
    guest.check("systemctl is-active multi-user.target boot-complete.target", "active\nactive");

    // The system is one image: read-only, and every block of it verified.
    guest.check("findmnt -no FSTYPE,OPTIONS /usr | tr -s ' ' | cut -d, -f1", "erofs ro");
    guest.check("sudo dmsetup status usr | cut -d' ' -f3-4", "verity V");
    guest
        .check("sudo touch /usr/x 2>&1 | grep -o 'Read-only file system'", "Read-only file system");
    guest.check("sudo touch /etc/x /var/x && echo written", "written");
    guest.check(". /etc/os-release; echo $ID $VARIANT_ID", &format!("slipway {}", image_name()));
    guest.check("type emerge apt dnf dpkg rpm gcc 2>&1 | grep -vc 'not found'; true", "0");
    // ROOT took the disk.
    guest.check("[ $(findmnt -bno SIZE /) -gt 5000000000 ] && echo grown", "grown");
    // The boot was a good one, so the file on the ESP has lost its counter.
    let version = guest.run(VERSION);
    guest.check(ESP, &format!("slipway-{version}.efi"));

    // One user, who may become root; nobody else logs in, and not by password.
    guest.check("id -un; sudo id -un", "core\nroot");
    guest.check("sudo awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow", "");
    guest.check("networkctl --no-legend | awk '$3 == \"ether\" { print $4 }'", "routable");

    // A kind of link has options of its own.
    guest
        .run("sudo ip link add link $(ls /sys/class/net | grep -m1 -vx lo) name v7 type vlan id 7");
    guest.check(
        "ip -d link show v7 | grep -o 'vlan protocol 802.1Q id 7'",
        "vlan protocol 802.1Q id 7",
    );
    guest.run("sudo ip link delete v7");

    // Nobody comes in from outside either: the guest's own client has made a key that nobody has told it to believe.
    guest.run("ssh-keygen -q -t ed25519 -N '' -C test -f key");
    let key = guest.run("cat key.pub");
    guest.check(&format!("{SSH} true 2>&1 | grep -o 'Permission denied'"), "Permission denied");

    // Everything is there again after a reboot, and the identity is the same.
    let id = guest.run("cat /etc/machine-id");
    guest.power_off();
    let options = Options {
        credentials: vec![format!("ssh.authorized_keys.core={key}")],
        ..Options::default()
    };
    let mut guest = Guest::boot(&state, &options);
    guest.settle("running");
    guest.check("cat /etc/machine-id; ls -1 /etc/x /var/x", &format!("{id}\n/etc/x\n/var/x"));
    // This start was told of the key.
    guest.check(&format!("{SSH} 'id -un; tty || true' 2> /dev/null"), "core\nnot a tty");
    // From outside, too.
    let mut stream = TcpStream::connect(("127.0.0.1", guest.ssh_port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    guest.power_off();
}

#[test]
fn a_flipped_bit_in_usr_is_refused() {
    let state = state("flipped");
    let damaged = state.with_extension("raw");
    disk::copy(image(), &damaged);
    // The superblock of erofs is at 1024; the kernel reads it whatever else it reads.
    disk::flip_bit(&damaged, disk::partition(&damaged, "USR-A") + 1024 + 100);
    let options = Options { disk: Some(damaged.clone()), ..Options::default() };
    let mut guest = Guest::start(&state, &options);
    guest.expect("is corrupted");
    guest.expect("Kernel panic");
    guest.wait_for_end();
    fs_err::remove_file(damaged).unwrap();
}

#[test]
fn a_system_that_is_never_well_uses_up_its_tries() {
    let state = state("tries");
    // A check that says no, or an update agent that does not start.
    let (check, agent) = ("slipway-boot-check", "update-engine");
    for (bad, left) in [(check, "+2-1"), (agent, "+0-3")] {
        let bad = format!(
            "systemd.unit-dropin.{bad}.service~bad=[Service]\nExecStart=\nExecStart=false\n"
        );
        let options = Options { credentials: vec![bad], ..Options::default() };
        let mut guest = Guest::boot(&state, &options);
        guest.settle("degraded");
        let version = guest.run(VERSION);
        guest.check(ESP, &format!("slipway-{version}{left}.efi"));
        if left == "+2-1" {
            // The try in the middle shows nothing new, so nobody waits for it.
            let names = format!("slipway-{version}{left}.efi slipway-{version}+1-2.efi");
            guest.run(&format!("sudo sh -c 'cd $(bootctl -p)/EFI/Linux && mv {names}'"));
        }
        guest.power_off();
    }
    // It is well again: the last one there is may always be tried, and is blessed.
    let mut guest = Guest::boot(&state, &Options::default());
    guest.settle("running");
    let version = guest.run(VERSION);
    guest.check(ESP, &format!("slipway-{version}.efi"));
    guest.power_off();
}
