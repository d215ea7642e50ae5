//! Releases of one repository, each built from a copy of this work tree that says another version.

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::TRIES;
use crate::support::{cargo, root, state};

/// What is wrong with a version.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It comes up, but its check of the boot says no.
    Unhealthy,
    /// The kernel panics in the initial file system.
    Panic,
    /// The initial file system never ends.
    Hang,
}

impl Fault {
    /// What the console shows of it.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Unhealthy => "login",
            Self::Panic => "Kernel panic",
            Self::Hang => "the initial file system hangs",
        }
    }

    /// How many of its tries the test waits for. One that hangs needs longest.
    pub(crate) fn tries(self) -> u32 {
        match self {
            Self::Panic => TRIES,
            Self::Unhealthy | Self::Hang => 1,
        }
    }

    /// A file below the overlay that makes it so, and what is in it.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Unhealthy => (
                "baselayout/files/boot-check",
                "#!/bin/sh\necho 'this version is no good'\nexit 1\n",
            ),
            Self::Panic => (
                "initrd/files/systemd-udev-trigger.service.d/50-fault.conf",
                "[Service]\nExecStartPre=bash -c 'echo c > /proc/sysrq-trigger'\n",
            ),
            Self::Hang => (
                "initrd/files/systemd-udev-trigger.service.d/50-fault.conf",
                "[Service]\nTimeoutStartSec=infinity\n\
                 ExecStartPre=bash -c 'echo the initial file system hangs > /dev/console; kill -STOP $$$$'\n",
            ),
        }
    }
}

/// A repository of releases, its keys, and the tree that they are built from.
pub(crate) struct World {
    pub(crate) releases: Utf8PathBuf,
    pub(crate) keys: Utf8PathBuf,
    tree: Utf8PathBuf,
}

impl World {
    /// Copies the sources of the work tree to `dir`, as they are now. The keys and the first root metadata are those of all worlds
    /// of this run, thrown away after it: so the same versions are the same images, which are built once.
    pub(crate) fn new(dir: &Utf8Path) -> Self {
        static FIRST: OnceLock<Utf8PathBuf> = OnceLock::new();
        let tree = dir.join("tree");
        fs_err::create_dir_all(&tree).unwrap();
        slipway_tests::sources::copy(root(), &tree).unwrap();
        // So that the test need not wait as long as a machine would, even one that has the cores together with others.
        let deadline = tree.join(INITRD).join("initrd.target.d/10-slipway.conf");
        change(&deadline, |text| text.replace("JobTimeoutSec=5min", "JobTimeoutSec=90s"));
        let first = FIRST.get_or_init(|| {
            let first = state("first-world");
            let world = Self {
                releases: first.join("releases"),
                keys: first.join("keys"),
                tree: tree.clone(),
            };
            world.xtask(&["key", "init", "--development"]);
            first
        });
        let world = Self { releases: dir.join("releases"), keys: first.join("keys"), tree };
        slipway_tests::sources::copy(&first.join("releases"), &world.releases).unwrap();
        world
    }

    /// Builds and publishes a version.
    pub(crate) fn release(&self, version: &str) {
        self.release_with(version, &[]);
    }

    /// Builds and publishes a version, and its packages for builds elsewhere.
    pub(crate) fn share(&self, version: &str) {
        self.release_with(version, &["--share"]);
    }

    fn release_with(&self, version: &str, options: &[&str]) {
        change(&self.tree.join("packages-manifest/release.toml"), |text| {
            set(text, "version", &format!("\"{version}\""))
        });
        let release = ["release", "--channel", "alpha", "--image", "minimal"];
        self.xtask(&[&release, options].concat());
    }

    /// A disk with the last version, signed for Secure Boot.
    pub(crate) fn disk(&self) -> Utf8PathBuf {
        let build = ["build-image", "--image", "minimal", "--secure-boot=if-safe"];
        Utf8PathBuf::from(self.xtask_alone(&build)).canonicalize_utf8().unwrap()
    }

    /// From now on, releases have so many deltas.
    pub(crate) fn deltas(&self, count: u32) {
        let file = self.tree.join("channels/alpha.toml");
        change(&file, |text| set(text, "deltas", &count.to_string()));
    }

    /// From now on, releases are broken, or as they should be.
    pub(crate) fn break_with(&self, fault: Option<Fault>) {
        for each in [Fault::Unhealthy, Fault::Panic, Fault::Hang] {
            let path = Utf8Path::new(OVERLAY).join(each.file().0);
            let _absent = fs_err::remove_file(self.tree.join(&path));
            if root().join(&path).exists() {
                fs_err::copy(root().join(&path), self.tree.join(&path)).unwrap();
            }
        }
        if let Some(fault) = fault {
            let (path, text) = fault.file();
            fs_err::write(self.tree.join(OVERLAY).join(path), text).unwrap();
        }
    }

    fn xtask(&self, words: &[&str]) -> String {
        let places = ["--releases", self.releases.as_str(), "--keys", self.keys.as_str()];
        self.xtask_alone(&[words, &places].concat())
    }

    /// Builds a package with a cache of its own, taking what was shared.
    pub(crate) fn build_elsewhere(&self, cache: &Utf8Path, package: &str) -> String {
        let words = ["--binhost", self.releases.as_str(), "build-packages", package];
        run(self.command(&words).env("SLIPWAY_CACHE", cache))
    }

    pub(crate) fn xtask_alone(&self, words: &[&str]) -> String {
        run(&mut self.command(words))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut cargo = cargo();
        cargo.args(["xtask", "--engine", "embedded", "--repository", self.tree.as_str()]);
        cargo.args(words).env("SLIPWAY_KEYS", &self.keys);
        cargo
    }
}

const OVERLAY: &str = "overlays/slipway/slipway-base";
const INITRD: &str = "overlays/slipway/slipway-base/initrd/files";

/// Changes a text file, which must not stay as it is.
fn change(path: &Utf8Path, change: impl FnOnce(&str) -> String) {
    let text = fs_err::read_to_string(path).unwrap();
    fs_err::write(path, change(&text)).unwrap();
}

/// A TOML text with another value for a key that it has.
fn set(text: &str, key: &str, value: &str) -> String {
    let is_key = |line: &&str| line.split_once(" = ").is_some_and(|(name, _)| name == key);
    assert_eq!(text.lines().filter(is_key).count(), 1, "{key}");
    let lines = text.lines().map(|line| match is_key(&line) {
        true => format!("{key} = {value}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

fn run(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
