//! Rules that no other tool checks.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

/// Files may not be larger, in bytes: what is built does not belong into git.
const LARGEST: u64 = 200_000;

/// Files may not have more lines without a reason in [`LONG`].
const LONGEST: usize = 500;

/// Files that are longer. The list may only shrink.
const LONG: &[&str] = &[];

/// Every broken rule below `root`, one line each, naming the file.
///
/// # Errors
/// When a file cannot be read.
pub fn problems(root: &Utf8Path) -> io::Result<Vec<String>> {
    let mut problems = Vec::new();
    for path in files(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string();
        let size = fs_err::metadata(&path)?.len();
        if size > LARGEST && name != "Cargo.lock" {
            problems.push(format!("{name}: {size} bytes are too many for git"));
        }
        match path.extension() {
            Some("rs") => check_rust(&name, &fs_err::read_to_string(&path)?, &mut problems),
            Some("toml") if path.file_name() == Some("Cargo.toml") && name != "Cargo.toml" => {
                check_manifest(&name, &fs_err::read_to_string(&path)?, &mut problems);
            }
            _ => {}
        }
    }
    Ok(problems)
}

fn files(root: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let skipped = |name: &str| matches!(name, "target" | ".git");
    let walk = WalkDir::new(root).sort_by_file_name().into_iter();
    let mut files = Vec::new();
    for entry in walk.filter_entry(|entry| !entry.file_name().to_str().is_some_and(skipped)) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(Utf8PathBuf::from_path_buf(entry.into_path()).map_err(|path| {
                io::Error::other(format!("the name `{}` is not UTF-8", path.display()))
            })?);
        }
    }
    Ok(files)
}

fn check_rust(name: &str, text: &str, problems: &mut Vec<String>) {
    if !text.starts_with("//!") {
        problems.push(format!("{name}: begins without a `//!` that says what it owns"));
    }
    let production = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text).lines().count();
    if production > LONGEST && !LONG.contains(&name) && !name.contains("/tests/") {
        problems.push(format!("{name}: {production} lines; split it"));
    }
    for (number, line) in text.lines().enumerate() {
        if line.trim_end() != line {
            problems.push(format!("{name}:{}: space at the end of the line", number + 1));
        }
        if line.contains(concat!("FIX", "ME")) {
            problems.push(format!("{name}:{}: a {} on main", number + 1, concat!("FIX", "ME")));
        }
    }
}

fn check_manifest(name: &str, text: &str, problems: &mut Vec<String>) {
    // A workspace of its own inherits nothing.
    if text.contains("\n[workspace]") {
        return;
    }
    if !text.contains("[lints]\nworkspace = true") {
        problems.push(format!("{name}: does not inherit the lints of the workspace"));
    }
    for key in ["version", "edition", "rust-version", "license"] {
        if !text.contains(&format!("\n{key}.workspace = true")) {
            problems.push(format!("{name}: does not inherit `{key}` from the workspace"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_rules_are_named() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let mut problems = Vec::new();
            check_rust("a.rs", text, &mut problems);
            assert_eq!(problems, expected);
        }
        check("//! A.\n", &[]);
        check("fn a() {}\n", &["a.rs: begins without a `//!` that says what it owns"]);
        check("//! A.\nfn a() {} \n", &["a.rs:2: space at the end of the line"]);
        check(&format!("//! A.\n{}", "\n".repeat(600)), &["a.rs: 601 lines; split it"]);
        let mut problems = Vec::new();
        check_manifest("x/Cargo.toml", "[package]\nname = \"x\"\n", &mut problems);
        assert_eq!(problems.len(), 5);
        check_manifest("x/Cargo.toml", "[package]\nname = \"x\"\n\n[workspace]\n", &mut problems);
        assert_eq!(problems.len(), 5);
    }
}
