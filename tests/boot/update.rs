//! Updates of a whole machine, in QEMU: versions are built, signed and published, a real server offers them, and the machine takes
//! them, or comes back.

mod cut;
mod server;
mod soak;
pub(crate) mod world;
mod writes;

use std::time::Instant;

use camino::Utf8PathBuf;
use server::Server;
use world::{Fault, World};

use crate::{
    ESP, VERSION,
    guest::{Guest, Options},
    support::state,
};

/// What the agent has cost since the first boot, and since this one.
const COST: &str = "grep -v '^#' /run/update-engine/metrics.prom; \
    systemctl show update-engine.service -p CPUUsageNSec; \
    sudo grep VmHWM /proc/$(systemctl show update-engine.service -P MainPID)/status";

/// A machine, and what it is updated from.
struct Site {
    world: World,
    server: Server,
    state: Utf8PathBuf,
    options: Options,
    /// How many bad versions there were.
    survived: usize,
}

impl Site {
    /// A machine with a version on its disk, a repository that has it, and a server.
    fn new(name: &str, version: &str, options: Options) -> Self {
        let world = World::new(&state(&format!("{name}-world")));
        world.release(version);
        let disk = world.disk();
        let server = Server::start(&world);
        let options = Options { disk: Some(disk), ..options };
        Self { world, server, state: state(name), options, survived: 0 }
    }

    /// Tells the machine of its server.
    fn configure(&self, guest: &mut Guest) {
        guest.run("sudo mkdir -p /etc/slipway/update.d");
        let config = format!(r#"server = \"{}\"\nchannel = \"alpha\"\n"#, self.server.from_guest());
        guest.run(&format!("printf '{config}' | sudo tee /etc/slipway/update.d/50-test.toml"));
        guest.run("sudo systemctl restart update-engine.service");
        // It runs the newest there is, and the exit code says so.
        guest.check("sudo update-engine-client check > /dev/null; echo $?", "3");
    }

    /// Boots for the first time under Secure Boot, and tells the machine of its server.
    #[track_caller]
    fn first_boot(&self, version: &str) -> Guest {
        // The firmware enrols our certificates, and that is all that the first start does.
        Guest::start(&self.state, &self.options).wait_for_end();
        let mut guest = self.boot(version);
        guest.check(BOOTCTL, SECURE);
        // Without a server it is a machine as any other.
        guest.check("sudo update-engine-client check > /dev/null; echo $?", "4");
        self.configure(&mut guest);
        guest
    }

    /// Boots, and waits until all is well.
    #[track_caller]
    fn boot(&self, version: &str) -> Guest {
        let mut guest = Guest::boot(&self.state, &self.options);
        guest.settle("running");
        guest.check(VERSION, version);
        guest
    }

    /// Publishes a version, and lets the machine take it.
    #[track_caller]
    fn update(&self, guest: &mut Guest, version: &str) {
        self.world.release(version);
        self.server.offers(version);
        let took = guest.run(
            "SECONDS=0; sudo update-engine-client update > /dev/null && echo $SECONDS || \
             { sudo journalctl --unit=update-engine.service --lines=40 --no-pager; false; }",
        );
        guest.check("sudo update-engine-client status | grep CURRENT_OP", UPDATED);
        println!("{version} took {took} s\n{}", guest.run(COST));
    }

    /// Publishes a version, and reboots into it.
    #[track_caller]
    fn move_to(&self, mut guest: Guest, version: &str) -> Guest {
        self.update(&mut guest, version);
        let begin = Instant::now();
        guest.power_off();
        let guest = self.boot(version);
        println!("{version} was up {:.1} s after the command", begin.elapsed().as_secs_f64());
        guest
    }

    /// Cuts the power in a state of an update, and boots the version that is `good` then.
    #[track_caller]
    fn cut_power_when(&self, mut guest: Guest, stage: &str, good: &str) -> Guest {
        guest.run(
            "(sleep 2; sudo update-engine-client update > /dev/null 2>&1) &> /dev/null & true",
        );
        guest.run(&format!(
            "grep -qm1 '{stage} {{' <(sudo journalctl --follow --lines=0 --unit=update-engine.service)"
        ));
        guest.cut_power();
        self.boot(good)
    }

    /// Lets the machine take a version that is no good, and looks how it comes back from it by itself, after all its tries or the
    /// last of them.
    #[track_caller]
    fn survive(&mut self, mut guest: Guest, fault: Fault, version: &str, good: &str) -> Guest {
        self.world.break_with(Some(fault));
        self.update(&mut guest, version);
        let tries = fault.tries();
        let spent = TRIES - tries;
        if spent > 0 {
            let names =
                format!("slipway-{version}+{TRIES}.efi slipway-{version}+{tries}-{spent}.efi");
            guest.run(&format!("sudo sh -c 'cd $(bootctl -p)/EFI/Linux && mv {names}'"));
        }
        guest.power_off();
        for _ in 0..tries {
            // Each reboot ends the emulator.
            let mut guest = Guest::start(&self.state, &self.options);
            guest.expect(fault.sign());
            guest.wait_for_end();
        }
        self.world.break_with(None);
        let mut guest = self.boot(good);
        guest.check(ESP, &format!("slipway-{good}.efi\nslipway-{version}+0-3.efi"));
        // It remembers, and so does the server.
        guest.check("sudo update-engine-client update > /dev/null; echo $?", "4");
        let machine = guest.run("cat /etc/machine-id");
        self.survived += 1;
        self.server.learns(&machine, self.survived);
        guest
    }
}

const BOOTCTL: &str = "sudo bootctl status 2> /dev/null | grep -o 'Secure Boot: enabled'";
const SECURE: &str = "Secure Boot: enabled";
const UPDATED: &str = "CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT";
/// How often a new version may try.
pub(crate) const TRIES: u32 = 3;

fn secure() -> Options {
    Options { secure_boot: true, ..Options::default() }
}

// Two machines, because two are emulated in the time of one.

#[test]
fn a_machine_comes_back_from_bad_versions() {
    let mut site = Site::new("bad", "4.0.0", secure());
    site.world.deltas(0);
    let guest = site.first_boot("4.0.0");
    let guest = site.survive(guest, Fault::Unhealthy, "4.0.1", "4.0.0");
    let guest = site.survive(guest, Fault::Panic, "4.0.2", "4.0.0");
    let guest = site.survive(guest, Fault::Hang, "4.0.3", "4.0.0");

    // After all that, a good one is welcome.
    let mut guest = site.move_to(guest, "4.0.4");
    guest.check(ESP, "slipway-4.0.0.efi\nslipway-4.0.4.efi");
    guest.power_off();
}

#[test]
fn a_machine_takes_new_versions() {
    let site = Site::new("update", "4.0.0", secure());
    let mut guest = site.first_boot("4.0.0");
    // The ESP is unmounted when nobody needs it for a while; the agent and the boot that was a good one stay.
    guest.check(
        "sudo systemctl stop boot.mount 2> /dev/null; systemctl is-active update-engine.service boot-complete.target",
        "active\nactive",
    );

    // The next version as a whole, then one as what differs.
    site.world.deltas(0);
    let mut guest = site.move_to(guest, "4.0.1");
    guest.check(ESP, "slipway-4.0.0.efi\nslipway-4.0.1.efi");
    guest.check("sudo dmsetup status usr | cut -d' ' -f3-4", "verity V");
    site.world.deltas(1);
    let mut guest = site.move_to(guest, "4.0.2");
    site.world.deltas(0);
    guest.check(ESP, "slipway-4.0.1.efi\nslipway-4.0.2.efi");
    // What is the machine's own is as it was.
    guest.check("cut -d' ' -f1 /etc/slipway/update.d/50-test.toml", "server\nchannel");

    // By hand, back and forth. What was left is not taken again until somebody says so.
    guest.run("sudo update-engine-client rollback");
    guest.power_off();
    let mut guest = site.boot("4.0.1");
    guest.check("sudo update-engine-client update > /dev/null; echo $?", "4");
    guest.run("sudo update-engine-client reset");
    guest.run("sudo update-engine-client update");
    guest.power_off();
    let guest = site.boot("4.0.2");

    // Power that goes in the middle changes nothing.
    site.world.release("4.0.3");
    site.server.offers("4.0.3");
    let guest = site.cut_power_when(guest, "Downloading", "4.0.2");
    let mut guest = site.cut_power_when(guest, "Verifying", "4.0.2");
    // By itself, as most updates are.
    guest.run("echo 'interval_seconds = 20' | sudo tee /etc/slipway/update.d/60-test.toml");
    guest.run("sudo systemctl restart update-engine.service");
    guest.run(&format!(
        "until sudo update-engine-client status | grep {UPDATED}; do sleep 2; done > /dev/null"
    ));
    guest.run("sudo rm /etc/slipway/update.d/60-test.toml");
    guest.power_off();
    let mut guest = site.boot("4.0.3");
    guest.check(ESP, "slipway-4.0.2.efi\nslipway-4.0.3.efi");

    // All that was under Secure Boot: what nobody has signed does not start, whoever put it there.
    guest.check(BOOTCTL, SECURE);
    let forge = "cp slipway-4.0.3.efi slipway-4.1.0+3.efi && printf x | dd of=slipway-4.1.0+3.efi bs=1 seek=1000000 conv=notrunc status=none";
    guest.run(&format!("sudo sh -c 'cd $(bootctl -p)/EFI/Linux && {forge}'"));
    guest.power_off();
    let mut guest = Guest::start(&site.state, &site.options);
    guest.expect("slipway-4.1.0+2-1.efi: Access denied");
    drop(guest);
}
