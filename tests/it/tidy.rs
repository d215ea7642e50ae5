//! The repository keeps its own rules.

use slipway_tests::dependencies::{self, Metadata, Policy};

use crate::support;

#[test]
fn the_repository_is_tidy() {
    let problems = slipway_tests::tidy::problems(&support::root()).unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_environment_variable_is_documented() {
    let root = support::root();
    let read = fs_err::read_to_string(root.join("xtask/src/environment.rs")).unwrap();
    let page = fs_err::read_to_string(root.join("docs/environment.md")).unwrap();
    let names = read.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/environment.md lacks {missing:?}");
}

#[test]
fn crates_of_others_keep_the_rules() {
    let root = support::root();
    let policy = fs_err::read_to_string(root.join("deny.toml")).unwrap();
    let policy: Policy = toml::from_str(&policy).unwrap();
    let metadata = support::cargo(&["metadata", "--format-version=1", "--locked"]);
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout).unwrap();
    let problems = dependencies::problems(&policy, &metadata);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
