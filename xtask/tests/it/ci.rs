//! A pipeline with the real verbs: keys that are thrown away, a repository in a folder, and a client's look at it.

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

const PIPELINE: &str = r#"
description = "A repository with throw-away keys"
[parameters]
dir = ""
[[stage]]
name = "keys"
steps = [["xtask", "key", "init", "--development", "--releases", "file://${dir}/releases", "--keys", "${dir}/keys"]]
[[stage]]
name = "refresh"
steps = [["xtask", "refresh", "--releases", "file://${dir}/releases", "--keys", "${dir}/keys"]]
repeat = "always"
[[stage]]
name = "verify"
steps = [
  ["xtask", "verify", "--releases", "file://${dir}/releases", "--keys", "${dir}/keys"],
  ["xtask", "channel", "status", "--releases", "file://${dir}/releases", "--keys", "${dir}/keys"],
]
repeat = "always"
"#;

struct World {
    _dir: tempfile::TempDir,
    path: Utf8PathBuf,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        fs_err::write(path.join("small.toml"), PIPELINE).unwrap();
        Self { _dir: dir, path }
    }

    fn xtask(&self, args: &[&str]) -> Output {
        #[expect(clippy::disallowed_methods, reason = "the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).env("SLIPWAY_CACHE", self.path.join("cache")).output().unwrap()
    }

    /// Runs the pipeline: whether it succeeded, what it printed, and what it said.
    fn ci(&self, more: &[&str]) -> (bool, String, String) {
        let file = self.path.join("small.toml");
        let set = format!("dir={}", self.path);
        let output = self.xtask(&[&["ci", file.as_str(), "--set", &set], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    fn record(&self, stage: &str) -> Utf8PathBuf {
        self.path.join(format!("cache/ci/small/{stage}.json"))
    }
}

fn read(path: &Utf8Path) -> serde_json::Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

#[test]
fn a_pipeline_goes_through_and_goes_on_where_it_stopped() {
    let world = World::new();
    let (ok, printed, said) = world.ci(&["--dry-run"]);
    assert!(ok, "{said}");
    assert!(printed.starts_with("keys: was never done\n  cargo xtask key init"), "{printed}");

    let (ok, printed, said) = world.ci(&[]);
    assert!(ok, "{said}");
    assert_eq!(printed, "");
    assert!(said.contains("alpha: nothing; 1 of 1 signatures"), "{said}");
    assert!(said.contains("first to expire: timestamp"), "{said}");
    let made = read(&world.record("keys"));
    assert_eq!(made["stage"], "keys");

    // Somebody damages the repository. The keys are not made again, and the failure is that of the stage.
    let damaged = world.path.join("releases/metadata/1.beta.json");
    let good = fs_err::read(&damaged).unwrap();
    fs_err::write(&damaged, "{}").unwrap();
    let (ok, _, said) = world.ci(&[]);
    assert!(!ok);
    assert!(said.contains("error: the stage `refresh` failed at `cargo xtask refresh"), "{said}");
    assert!(!world.record("refresh").exists());
    assert_eq!(read(&world.record("keys")), made);

    fs_err::write(&damaged, good).unwrap();
    let (ok, printed, said) = world.ci(&["--json"]);
    assert!(ok, "{said}");
    let stages: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["keys", "refresh", "verify"]);
    assert_eq!(stages[0], made);
}

#[test]
fn an_unknown_pipeline_is_named() {
    let world = World::new();
    let output = world.xtask(&["ci", "absent"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("error: there is no pipeline `absent`"), "{said}");
}
