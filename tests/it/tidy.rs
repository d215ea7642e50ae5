//! The repository keeps its own rules.

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
