//! Every target on good inputs, on damaged ones, and on noise.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use slipway_fuzz::{Mutation, TARGETS, Target, Verdict, mutation, run};

/// Damaged inputs for each target.
const CASES: u32 = 256;

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Runs the target on each good input, then on what became of them.
#[track_caller]
fn check(name: &str) {
    let Target { run, seeds, .. } = target(name);
    let seeds = seeds();
    assert!(!seeds.is_empty());
    for (number, seed) in seeds.iter().enumerate() {
        assert_eq!(run(seed), Verdict::Accepted, "seed {number}");
    }
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        // What fails is shrunk and shown; the repository keeps seeds, not files of the runner.
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let damaged = (any::<Index>(), prop::collection::vec(mutation(), 1..6));
    runner
        .run(&damaged, |(which, changes): (Index, Vec<Mutation>)| {
            let mut bytes = which.get(&seeds).clone();
            changes.iter().for_each(|change| change.apply(&mut bytes));
            let _verdict = run(&bytes);
            Ok(())
        })
        .unwrap();
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..1024), |bytes| {
            let _verdict = run(&bytes);
            Ok(())
        })
        .unwrap();
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_target_is_tested_and_has_a_file_for_libfuzzer() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
            let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
            let manifest = fs_err::read_to_string(format!("{dir}/Cargo.toml")).unwrap();
            for Target { name, .. } in TARGETS {
                let file = fs_err::read_to_string(format!("{dir}/fuzz_targets/{name}.rs")).unwrap();
                assert!(file.contains(&format!("slipway_fuzz::run(\"{name}\", data)")), "{name}");
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets! { deb gpkg manifests packages record release tar tuf }

#[test]
fn targets_run_by_name() {
    run("record", b"{}");
}
