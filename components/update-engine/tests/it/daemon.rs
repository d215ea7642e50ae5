//! The daemon and the client as programs, on a bus of their own.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use crate::machine::World;

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "the programs under test, and the bus")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// Whether there is a bus to be had. Debian's base has none; CI must have one.
fn bus_is_there() -> bool {
    let there = command("dbus-daemon").arg("--version").output().is_ok();
    #[expect(clippy::disallowed_methods, reason = "tests opt in by variable")]
    let required = std::env::var_os("SLIPWAY_REQUIRE_DBUS").is_some();
    assert!(there || !required, "SLIPWAY_REQUIRE_DBUS is set; install dbus-daemon");
    there
}

fn bus() -> (Process, String) {
    let mut command = command("dbus-daemon");
    command.args(["--session", "--nofork", "--print-address"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("dbus-daemon of the Debian package dbus");
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    (Process(child), address.trim().to_owned())
}

fn client(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(env!("CARGO_BIN_EXE_update-engine-client"));
    command.arg("--session").args(arguments).env("DBUS_SESSION_BUS_ADDRESS", address);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8(text).unwrap().trim().to_owned())
}

/// A root file system with what the daemon reads of a machine.
fn root(world: &World, root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let host = &world.machine.host;
    let files = world.machine.files();
    write("usr/lib/os-release", &format!("VERSION_ID={}\n", host.running.version));
    write("proc/cmdline", &format!("usrhash={}\n", host.running.usr_root_hash));
    write("etc/machine-id", &host.machine_id);
    write("proc/sys/kernel/random/boot_id", &host.boot_id);
    let places = format!("disk = {:?}\nesp = {:?}\n", files.disk, files.esp);
    write("etc/slipway/update.d/10-test.toml", &(world.machine.settings.clone() + &places));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_work_together() {
    if !bus_is_there() {
        return;
    }
    let mut world = World::new().await;
    world.offer("4.1.0").await;
    root(&world, &world.path.join("root"));
    let (_bus, address) = bus();
    assert_eq!(client(&address, &["status"]).0, Some(5));
    let mut daemon = command(env!("CARGO_BIN_EXE_update-engine"));
    for (flag, folder) in [("--state", "state"), ("--run", "run"), ("--root", "root")] {
        daemon.arg(flag).arg(world.path.join(folder));
    }
    daemon.arg("--session").env("DBUS_SESSION_BUS_ADDRESS", &address);
    let _daemon = Process(daemon.spawn().unwrap());
    let until = |wanted: &dyn Fn(Option<i32>, &str) -> bool, arguments: &[&str]| {
        for _ in 0..600 {
            let (code, text) = client(&address, arguments);
            if wanted(code, &text) {
                return text;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("`{arguments:?}` never said what it should");
    };
    let status = until(&|code, _| code == Some(0), &["-status"]);
    assert!(status.contains("CURRENT_OP=UPDATE_STATUS_IDLE"), "{status}");
    assert_eq!(client(&address, &["pin", "4.1"]).0, Some(1));
    let (code, text) = client(&address, &["check"]);
    assert!(code == Some(0) && text.starts_with("4.1.0 can be installed ("), "{code:?} {text}");
    let (code, text) = client(&address, &["update"]);
    assert_eq!((code, text.as_str()), (Some(0), "4.1.0 is installed; the next boot is into it"));
    let (_, status) = client(&address, &["status"]);
    assert!(status.contains("CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT"), "{status}");
    assert!(status.contains("NEW_VERSION=4.1.0"), "{status}");
    let (_, json) = client(&address, &["status", "--json"]);
    assert!(json.contains("\"state\":\"need-reboot\""), "{json}");
    let metrics = fs_err::read_to_string(world.path.join("run/metrics.prom")).unwrap();
    assert!(metrics.contains("update_engine_installed_total 1\n"), "{metrics}");
    assert_eq!(world.machine.choice(), "4.1.0");
    assert_eq!(client(&address, &["-reset_status"]).0, Some(0));
    assert_eq!(world.machine.choice(), "4.0.0");
    world.server.offer(None);
    assert_eq!(client(&address, &["update"]).0, Some(3));
}
