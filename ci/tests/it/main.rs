//! Running pipelines with steps that only write down that they ran.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use slipway_ci::{CiError, Pipeline, StageRecord, plan, run};

const TEXT: &str = r#"
description = "a test"
[parameters]
word = "x"
[[stage]]
name = "one"
steps = [["xtask", "first"], ["cargo", "second", "${word}"]]
inputs = ["in"]
outputs = ["out.txt"]
[[stage]]
name = "two"
steps = [["xtask", "third"]]
inputs = ["out.txt"]
[[stage]]
name = "three"
steps = [["xtask", "fourth"]]
repeat = "always"
"#;

/// A repository with an input, whose steps append their names to `log`.
struct World {
    dir: tempfile::TempDir,
    word: &'static str,
    /// The step that fails.
    broken: Option<&'static str>,
    log: Vec<String>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("in")).unwrap();
        fs_err::write(dir.path().join("in/a"), "a").unwrap();
        Self { dir, word: "x", broken: None, log: Vec::new() }
    }

    fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().to_owned()
    }

    fn pipeline(&self) -> Pipeline {
        let given = BTreeMap::from([("word".to_owned(), self.word.to_owned())]);
        Pipeline::parse("test", "test.toml", TEXT, &given).unwrap()
    }

    fn run(&mut self) -> Result<Vec<StageRecord>, CiError> {
        let (pipeline, root) = (self.pipeline(), self.root());
        let (broken, log) = (self.broken, &mut self.log);
        log.clear();
        run(&pipeline, &root, &root.join("records"), &|| 7, &mut |stage, step| {
            let what = step.args[0].clone();
            if broken == Some(&*what) {
                return Err("broken".into());
            }
            if what == "second" {
                fs_err::write(root.join("out.txt"), &step.args[1])?;
            }
            log.push(format!("{}/{what}", stage.name));
            Ok(())
        })
    }

    /// What ran, and that the plan had said so, with these reasons.
    #[track_caller]
    fn check(&mut self, ran: &[&str], reasons: &[&str]) {
        let (pipeline, root) = (self.pipeline(), self.root());
        let planned = plan(&pipeline, &root, &root.join("records")).unwrap();
        let said: Vec<String> = planned
            .iter()
            .filter_map(|planned| {
                Some(format!("{} {}", planned.stage.name, planned.reason.as_ref()?))
            })
            .collect();
        assert_eq!(said, reasons);
        self.run().unwrap();
        assert_eq!(self.log, ran);
    }
}

const ALL: [&str; 4] = ["one/first", "one/second", "two/third", "three/fourth"];
const ALWAYS: &str = "three is always done";

fn first(world: &mut World) {
    // The second stage's input is made by the first one, so that a plan cannot look at it yet.
    world.run().unwrap();
    assert_eq!(world.log, ALL);
    world.check(&["three/fourth"], &[ALWAYS]);
}

#[test]
fn what_was_done_is_not_done_again() {
    let mut world = World::new();
    first(&mut world);
    let records = world.run().unwrap();
    let one = &records[0];
    assert_eq!(one.steps, ["cargo xtask first", "cargo second x"]);
    assert_eq!(one.inputs.keys().collect::<Vec<_>>(), ["in/a"]);
    assert_eq!(one.outputs.keys().collect::<Vec<_>>(), ["out.txt"]);
    assert_eq!((one.began, one.ended), (7, 7));
}

#[test]
fn what_changed_is_done_and_what_comes_after_it() {
    let mut world = World::new();
    first(&mut world);
    fs_err::write(world.root().join("in/b"), "b").unwrap();
    world.check(&ALL, &["one `in/b` has changed", "two comes after what is done", ALWAYS]);
    fs_err::write(world.root().join("out.txt"), "other").unwrap();
    world.check(&ALL, &["one `out.txt` is not what it made", "two `out.txt` has changed", ALWAYS]);
    fs_err::remove_file(world.root().join("records/two.json")).unwrap();
    world.check(&["two/third", "three/fourth"], &["two was never done", ALWAYS]);
    world.word = "y";
    world.check(
        &ALL,
        &["one runs something else than before", "two comes after what is done", ALWAYS],
    );
    fs_err::write(world.root().join("records/one.json"), "{").unwrap();
    world.check(&ALL, &["one was never done", "two comes after what is done", ALWAYS]);
}

#[test]
fn a_pipeline_goes_on_where_it_stopped() {
    let mut world = World::new();
    world.broken = Some("third");
    let error = world.run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stage `two` failed at `cargo xtask third`; the next run goes on there"
    );
    assert_eq!(world.log, ["one/first", "one/second"]);
    world.broken = None;
    world.check(&["two/third", "three/fourth"], &["two was never done", ALWAYS]);
    // A stage that fails is not done, even if it was before.
    world.word = "y";
    world.broken = Some("second");
    world.run().unwrap_err();
    world.word = "x";
    world.broken = None;
    world.run().unwrap();
    assert_eq!(world.log, ALL);
}

#[test]
fn what_is_missing_is_named() {
    let mut world = World::new();
    fs_err::remove_dir_all(world.root().join("in")).unwrap();
    assert_eq!(
        world.run().unwrap_err().to_string(),
        "the stage `one` names the input `in`, which is not there"
    );
    let text = TEXT.replace("\"second\"", "\"other\"");
    let pipeline = Pipeline::parse("test", "test.toml", &text, &BTreeMap::new()).unwrap();
    let world = World::new();
    let root = world.root();
    let error =
        run(&pipeline, &root, &root.join("records"), &|| 7, &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "the stage `one` ended without its output `out.txt`");
}
