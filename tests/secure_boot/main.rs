//! Secure Boot in real firmware: what our enrolment files enrol, and which programs are started then.
//!
//! Debian's QEMU, OVMF and systemd-boot are enough, so this runs without an image; it is skipped where they are not installed, unless
//! `SLIPWAY_REQUIRE_OVMF` is set. systemd-boot is the program that is signed, and enrols as well.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::{process::Command, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use slipway_machine::Machine;
use slipway_signing::{BootKey, BootRole, Enrolment, KeyMark, sign_program};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
/// Firmware that has Secure Boot without System Management Mode, which is slow to emulate.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Variables of a machine that nobody owns.
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const LOADER: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// How long firmware may take for one step. It takes seconds; hosts may be busy.
const LIMIT: Duration = Duration::from_secs(240);

/// Whether everything is installed.
fn installed() -> bool {
    let missing: Vec<_> = [QEMU, FIRMWARE, VARIABLES, LOADER]
        .into_iter()
        .filter(|path| !Utf8Path::new(path).exists())
        .collect();
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    let required = std::env::var_os("SLIPWAY_REQUIRE_OVMF").is_some();
    assert!(
        missing.is_empty() || !required,
        "SLIPWAY_REQUIRE_OVMF is set, but there is no {missing:?}"
    );
    if !missing.is_empty() {
        eprintln!("skipped: there is no {missing:?}");
    }
    missing.is_empty()
}

/// A machine that is off: its firmware's variables, and the folder that it sees as its ESP.
struct Bench {
    dir: tempfile::TempDir,
    logs: Utf8PathBuf,
}

impl Bench {
    fn new() -> Self {
        let logs = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("secure-boot");
        fs_err::create_dir_all(&logs).unwrap();
        let bench = Self { dir: tempfile::tempdir().unwrap(), logs };
        fs_err::copy(VARIABLES, bench.path("variables.fd")).unwrap();
        bench
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path("esp").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// Turns the machine on with this program on its ESP.
    fn start(&self, name: &str, program: &[u8]) -> Machine {
        self.put("EFI/BOOT/BOOTX64.EFI", program);
        #[expect(
            clippy::disallowed_methods,
            reason = "the emulator needs nothing of the environment"
        )]
        let mut command = Command::new(QEMU);
        command.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "256"]);
        command.args(["-no-reboot", "-nodefaults", "-display", "none", "-serial", "stdio"]);
        let flash = |unit: u8, rest: &str| format!("if=pflash,format=raw,unit={unit},{rest}");
        command.args(["-drive", &flash(0, &format!("readonly=on,file={FIRMWARE}"))]);
        command.args(["-drive", &flash(1, &format!("file={}", self.path("variables.fd")))]);
        let esp = format!("if=virtio,format=raw,readonly=on,file=fat:{}", self.path("esp"));
        command.args(["-drive", &esp]);
        Machine::start(&command, &self.logs.join(format!("{name}.log"))).unwrap()
    }
}

#[test]
fn only_signed_programs_are_started() {
    if !installed() {
        return;
    }
    let key = |role| BootKey::generate(role, KeyMark::Release).unwrap();
    let (pk, kek, db) = (key(BootRole::Pk), key(BootRole::Kek), key(BootRole::Db));
    let program = fs_err::read(LOADER).unwrap();
    let signed = sign_program(&program, &db).unwrap();
    let time = "2026-01-01T00:00:00Z".parse().unwrap();
    let enrolment = Enrolment::new(&pk, &kek, db.certificate(), time).unwrap();

    // A machine that nobody owns starts anything. Given our files, the boot loader enrols them, because this is no real machine.
    let bench = Bench::new();
    for (name, bytes) in enrolment.files() {
        bench.put(&format!("loader/keys/auto/{name}"), bytes);
    }
    bench.put("loader/loader.conf", "timeout 0\nsecure-boot-enroll if-safe\n");
    let mut machine = bench.start("enrol", &program);
    machine
        .expect("Enrolling secure boot keys from directory: \\loader\\keys\\auto", LIMIT)
        .unwrap();
    machine.wait_for_end().unwrap();

    // From now on it starts what is signed, and the boot loader sees that Secure Boot is on.
    bench.put("loader/loader.conf", "timeout menu-force\nsecure-boot-enroll off\n");
    let mut machine = bench.start("signed", &signed);
    machine.expect("Reboot Into Firmware Interface", LIMIT).unwrap();
    machine.send("p").unwrap();
    machine.expect("secure boot: yes (user)", LIMIT).unwrap();
    drop(machine);

    // It refuses what is not signed, or signed by another key, or changed since.
    let refused = |name: &str, program: &[u8]| {
        let mut machine = bench.start(name, program);
        machine.expect("Access Denied", LIMIT).unwrap();
    };
    refused("unsigned", &program);
    refused("another-key", &sign_program(&program, &kek).unwrap());
    let mut changed = signed;
    let text = b"Reboot Into Firmware Interface".map(|byte| [byte, 0]).concat();
    let at = changed.windows(text.len()).position(|window| window == text).unwrap();
    changed[at] = b'r';
    refused("changed", &changed);
}
