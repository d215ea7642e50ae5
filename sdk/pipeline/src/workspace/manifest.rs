//! `Cargo.toml`: what a crate is built from, and the same manifest without what only its tests and lints need.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::WorkspaceError;

/// Sections with what a crate is built from.
const DEPENDENCIES: [&str; 3] = ["dependencies", "build-dependencies", "build_dependencies"];
/// Parts of a manifest that change nothing in what is built.
const UNUSED: [&str; 6] =
    ["dev-dependencies", "dev_dependencies", "lints", "test", "bench", "example"];

/// The manifest of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    table: Table,
    /// The folders of the members.
    pub(crate) members: Vec<Utf8PathBuf>,
}

/// The manifest of a member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its folder, from the root of the workspace.
    pub(crate) dir: Utf8PathBuf,
    /// The crate's name.
    pub(crate) name: String,
    /// The manifest without what is not needed.
    table: Table,
    /// The names of packages that it is built with.
    pub(crate) uses: BTreeSet<String>,
    /// The entries of `[workspace.dependencies]` that it takes.
    pub(crate) inherits: BTreeSet<String>,
    /// The files and folders that it is built from, if it says so (`package.include`).
    include: Option<Vec<Utf8PathBuf>>,
}

fn table(path: &Utf8Path, text: &str) -> Result<Table, WorkspaceError> {
    toml::from_str(text).map_err(|source| WorkspaceError::Manifest {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

impl Root {
    /// Reads the manifest at the root.
    ///
    /// # Errors
    /// When it is not TOML, or has what a part of a workspace cannot keep: a package of its own, patches, patterns of members.
    pub(crate) fn parse(text: &str) -> Result<Self, WorkspaceError> {
        let path = Utf8Path::new("Cargo.toml");
        let unsupported = |problem: &str| WorkspaceError::Unsupported {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let table = table(path, text)?;
        for key in ["package", "patch", "replace"] {
            if table.contains_key(key) {
                return Err(unsupported(&format!("it has a section `[{key}]`")));
            }
        }
        let members = table.get("workspace").and_then(|workspace| workspace.get("members"));
        let members = members.and_then(Value::as_array).ok_or_else(|| unsupported("no members"))?;
        let members = members.iter().map(|member| match member.as_str() {
            Some(dir) if !dir.contains(['*', '?', '[']) => Ok(Utf8PathBuf::from(dir)),
            _ => Err(unsupported("a member is a pattern; name each folder")),
        });
        let members = members.collect::<Result<_, _>>()?;
        Ok(Self { table, members })
    }

    /// The name of the package behind an entry of `[workspace.dependencies]`.
    fn package<'a>(&'a self, key: &'a str) -> &'a str {
        let shared =
            self.table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
        let package = shared.and_then(|shared| shared.get(key)?.get("package")?.as_str());
        package.unwrap_or(key)
    }

    /// The manifest of a workspace of `members` alone.
    pub(crate) fn reduced(&self, members: &[&Member]) -> String {
        let inherited: BTreeSet<&str> =
            members.iter().flat_map(|member| &member.inherits).map(String::as_str).collect();
        let mut workspace = Table::new();
        let original = self.table.get("workspace").and_then(Value::as_table);
        for (key, value) in original.into_iter().flatten() {
            let value = match key.as_str() {
                "members" => {
                    let dirs = members.iter().map(|member| member.dir.to_string().into());
                    Value::Array(dirs.collect())
                }
                "dependencies" => {
                    let all = value.as_table().cloned().unwrap_or_default();
                    let kept = all.into_iter().filter(|(key, _)| inherited.contains(key.as_str()));
                    Value::Table(kept.collect())
                }
                "resolver" | "package" => value.clone(),
                _ => continue,
            };
            workspace.insert(key.clone(), value);
        }
        let mut reduced = Table::from_iter([("workspace".to_owned(), Value::Table(workspace))]);
        if let Some(release) = self.table.get("profile").and_then(|profile| profile.get("release"))
        {
            let profile = Table::from_iter([("release".to_owned(), release.clone())]);
            reduced.insert("profile".to_owned(), Value::Table(profile));
        }
        text(reduced)
    }
}

impl Member {
    /// Reads the manifest of the member in `dir`.
    ///
    /// # Errors
    /// When it is not TOML or names no package.
    pub(crate) fn parse(root: &Root, dir: &Utf8Path, text: &str) -> Result<Self, WorkspaceError> {
        let path = dir.join("Cargo.toml");
        let mut table = table(&path, text)?;
        let unsupported = |problem: &str| WorkspaceError::Unsupported {
            path: path.clone(),
            problem: problem.to_owned(),
        };
        let package = table.get("package").and_then(Value::as_table);
        let name = package.and_then(|package| package.get("name")?.as_str());
        let name = name.ok_or_else(|| unsupported("it names no package"))?.to_owned();
        let include = package.and_then(|package| package.get("include")?.as_array());
        let include = include.map(|all| all.iter().map(included).collect::<Option<_>>());
        let include = include
            .map(|all| {
                all.ok_or_else(|| unsupported("`include` has more than files and FOLDER/**"))
            })
            .transpose()?;
        strip(&mut table);
        let (mut uses, mut inherits) = (BTreeSet::new(), BTreeSet::new());
        for (key, value) in dependencies(&table) {
            let is_inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
            if is_inherited {
                inherits.insert(key.clone());
                uses.insert(root.package(key).to_owned());
            } else {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                uses.insert(package.to_owned());
            }
        }
        Ok(Self { dir: dir.to_owned(), name, table, uses, inherits, include })
    }

    /// Whether the crate is built from a file or folder, given from the crate's own folder.
    pub(crate) fn includes(&self, path: &Utf8Path) -> bool {
        let all = self.include.as_ref();
        all.is_none_or(|all| all.iter().any(|one| path.starts_with(one) || one.starts_with(path)))
    }

    /// The manifest without tests and lints.
    pub(crate) fn reduced(&self) -> String {
        text(self.table.clone())
    }
}

/// An entry of `package.include` that is a file or `FOLDER/**`; cargo has more kinds.
fn included(entry: &Value) -> Option<Utf8PathBuf> {
    let text = entry.as_str()?;
    let path = text.strip_suffix("/**").unwrap_or(text);
    (!path.is_empty() && !path.contains(['*', '?', '[', '!'])).then(|| path.into())
}

/// Takes away what only tests, benchmarks and lints need.
fn strip(table: &mut Table) {
    for key in UNUSED {
        table.remove(key);
    }
    if let Some(targets) = table.get_mut("target").and_then(Value::as_table_mut) {
        for (_, target) in targets.iter_mut() {
            target.as_table_mut().into_iter().for_each(strip);
        }
        targets.retain(|_, target| target.as_table().is_none_or(|target| !target.is_empty()));
    }
}

/// All dependencies, for whichever target.
fn dependencies(table: &Table) -> Vec<(&String, &Value)> {
    let targets = table.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([table]);
    let sections =
        tables.flat_map(|table| DEPENDENCIES.into_iter().filter_map(|key| table.get(key)));
    sections.filter_map(Value::as_table).flatten().collect()
}

/// The text of a table, its keys in one order whatever features the TOML crate was built with.
fn text(table: Table) -> String {
    toml::to_string(&sorted(Value::Table(table))).unwrap_or_default()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Table(table) => {
            let mut entries: Vec<_> =
                table.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Table(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = r#"
        [workspace]
        resolver = "3"
        members = ["components/agent", "sdk/store"]
        [workspace.package]
        edition = "2024"
        [workspace.dependencies]
        serde = { version = "1", features = ["derive"] }
        json = { package = "serde_json", version = "1" }
        clap = "4"
        slipway-store = { path = "sdk/store" }
        [workspace.lints.rust]
        unsafe_code = "deny"
        [profile.dev]
        opt-level = 1
        [profile.release]
        lto = "thin"
    "#;

    const AGENT: &str = r#"
        [package]
        name = "slipway-agent"
        edition.workspace = true
        [lints]
        workspace = true
        [dependencies]
        json.workspace = true
        renamed = { package = "bytes", version = "1" }
        slipway-store = { workspace = true, optional = true }
        [build-dependencies]
        cc = "1"
        [dev-dependencies]
        clap.workspace = true
        [target.'cfg(unix)'.dependencies]
        rustix = "1"
        [target.'cfg(unix)'.dev-dependencies]
        nix = "0.29"
        [target.'cfg(windows)'.dev-dependencies]
        winapi = "0.3"
        [[test]]
        name = "it"
    "#;

    fn agent() -> (Root, Member) {
        let root = Root::parse(ROOT).unwrap();
        let member = Member::parse(&root, "components/agent".into(), AGENT).unwrap();
        (root, member)
    }

    #[test]
    fn a_crate_uses_what_it_is_built_with() {
        let (_, member) = agent();
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(member.name, "slipway-agent");
        assert_eq!(names(&member.uses), "bytes cc rustix serde_json slipway-store");
        assert_eq!(names(&member.inherits), "json slipway-store");
    }

    #[test]
    fn manifests_lose_what_does_not_change_the_result() {
        let (root, member) = agent();
        insta::assert_snapshot!(member.reduced(), @r#"
        [build-dependencies]
        cc = "1"

        [dependencies.json]
        workspace = true

        [dependencies.renamed]
        package = "bytes"
        version = "1"

        [dependencies.slipway-store]
        optional = true
        workspace = true

        [package]
        name = "slipway-agent"

        [package.edition]
        workspace = true

        [target."cfg(unix)".dependencies]
        rustix = "1"
        "#);
        insta::assert_snapshot!(root.reduced(&[&member]), @r#"
        [profile.release]
        lto = "thin"

        [workspace]
        members = ["components/agent"]
        resolver = "3"

        [workspace.dependencies.json]
        package = "serde_json"
        version = "1"

        [workspace.dependencies.slipway-store]
        path = "sdk/store"

        [workspace.package]
        edition = "2024"
        "#);
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = Root::parse(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        check("[workspace]\nmembers = []\n[patch.crates-io]\n", "[patch]");
        check("[workspace]\nmembers = [\"sdk/*\"]\n", "pattern");
        check("[workspace]\n", "no members");
        check("[workspace", "not TOML");
        let (root, _) = agent();
        let error = Member::parse(&root, "a".into(), "[package]\n").unwrap_err();
        assert!(error.to_string().contains("`a/Cargo.toml`"), "{error}");
        let text = "[package]\nname = \"a\"\ninclude = [\"src/*.rs\"]\n";
        let error = Member::parse(&root, "a".into(), text).unwrap_err();
        assert!(error.to_string().contains("`include` has more than"), "{error}");
    }
}
