//! Which packages a set of wanted ones needs. Pure and deterministic: the same index gives the same set.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    depends::{Group, Relation},
    error::SeedError,
    index::{Entry, Index},
    types::PackageName,
};

/// The chosen packages by name.
pub(crate) type Closure<'a> = BTreeMap<&'a PackageName, &'a Entry>;

/// The wanted packages, the essential ones, and all that these need.
///
/// Of alternatives, one that is already chosen is kept; else the first that exists is taken, and of several providers of a
/// virtual name the most important one. Wanted packages are chosen before any dependency is looked at, so that they win.
pub(crate) fn resolve<'a>(
    index: &'a Index,
    wanted: &[PackageName],
) -> Result<Closure<'a>, SeedError> {
    let mut resolver = Resolver { index, chosen: BTreeMap::new(), queue: VecDeque::new() };
    for entry in index.entries().filter(|entry| entry.essential) {
        resolver.choose(entry);
    }
    for name in wanted {
        let entry =
            index.get(name).ok_or_else(|| SeedError::UnknownPackage { package: name.clone() })?;
        resolver.choose(entry);
    }
    while let Some(entry) = resolver.queue.pop_front() {
        for group in &entry.depends {
            resolver.satisfy(entry, group)?;
        }
    }
    check_exclusions(&resolver.chosen)?;
    Ok(resolver.chosen)
}

/// Whether one of these packages satisfies the relation, by its own name or by one that it provides.
pub(crate) fn satisfied<'a>(
    relation: &Relation,
    chosen: impl IntoIterator<Item = &'a Entry>,
) -> bool {
    chosen.into_iter().any(|entry| satisfies(entry, relation))
}

struct Resolver<'a> {
    index: &'a Index,
    chosen: Closure<'a>,
    queue: VecDeque<&'a Entry>,
}

impl<'a> Resolver<'a> {
    fn choose(&mut self, entry: &'a Entry) {
        if self.chosen.insert(&entry.name, entry).is_none() {
            self.queue.push_back(entry);
        }
    }

    fn satisfy(&mut self, package: &Entry, group: &'a Group) -> Result<(), SeedError> {
        let candidates = || group.iter().flat_map(|relation| candidates(self.index, relation));
        if candidates().any(|entry| self.chosen.contains_key(&entry.name)) {
            return Ok(());
        }
        let first = candidates().next();
        let entry = first.ok_or_else(|| SeedError::Unsatisfiable {
            package: package.name.clone(),
            relation: shown(group),
        })?;
        self.choose(entry);
        Ok(())
    }
}

/// The packages that satisfy the relation: the one of that name first.
fn candidates<'a>(index: &'a Index, relation: &'a Relation) -> impl Iterator<Item = &'a Entry> {
    let real = index.get(&relation.name).filter(|entry| relation.accepts(Some(&entry.version)));
    real.into_iter().chain(
        index.providers(&relation.name).into_iter().filter(|entry| satisfies(entry, relation)),
    )
}

fn satisfies(entry: &Entry, relation: &Relation) -> bool {
    (entry.name == relation.name && relation.accepts(Some(&entry.version)))
        || entry
            .provides
            .iter()
            .any(|(name, version)| *name == relation.name && relation.accepts(version.as_ref()))
}

/// A package never excludes itself, also not by a name that it provides.
fn check_exclusions(chosen: &Closure<'_>) -> Result<(), SeedError> {
    for entry in chosen.values() {
        for relation in entry.excludes.iter().flatten() {
            let hit = chosen
                .values()
                .find(|other| other.name != entry.name && satisfies(other, relation));
            if let Some(other) = hit {
                return Err(SeedError::Conflict {
                    package: entry.name.clone(),
                    relation: relation.to_string(),
                    other: other.name.clone(),
                });
            }
        }
    }
    Ok(())
}

pub(crate) fn shown(group: &Group) -> String {
    group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `name version; Field: value; …`.
    fn index(lines: &str) -> Index {
        let mut text = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, fields) = line.split_once(';').unwrap_or((line, ""));
            let (name, version) = head.split_once(' ').unwrap();
            let fixed = format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {}\n",
                crate::Sha256Digest::of(name.as_bytes())
            );
            text += &fixed;
            text.extend(fields.split(';').map(|field| format!("{}\n", field.trim())));
            text += "\n";
        }
        let mut index = Index::default();
        index.add(&text).unwrap();
        index
    }

    fn check(lines: &str, wanted: &str, expected: &str) {
        let wanted: Vec<_> = wanted.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let shown = match resolve(&index(lines), &wanted) {
            Ok(closure) => closure.keys().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn dependencies_and_essentials() {
        let lines = "base 1; Essential: yes; Pre-Depends: libc\n libc 1\n gcc 1; Depends: as, libc (>= 1)\n as 2\n other 1";
        check(lines, "gcc", "as base gcc libc");
        check(lines, "nope", "the package `nope` in `seed.toml` does not exist in this suite");
    }

    #[test]
    fn alternatives() {
        let lines = "aa 1; Depends: none | mawk | gawk\n mawk 1\n gawk 1\n bb 1; Depends: mawk (>= 2) | gawk\n cc 1; Depends: mawk (>> 1)";
        check(lines, "aa", "aa mawk");
        check(lines, "aa gawk", "aa gawk");
        check(lines, "bb", "bb gawk");
        check(lines, "cc", "`cc` needs `mawk (>> 1)`, which the suite does not have");
    }

    #[test]
    fn virtual_packages() {
        let lines = "aa 1; Depends: awk\n original-awk 1; Provides: awk\n mawk 1; Provides: awk; Priority: required\n\
                     bb 1; Depends: awk (>= 3)\n cc 1; Depends: abi (= 5)\n perl 1; Provides: abi (= 5), awk";
        check(lines, "aa", "aa mawk");
        check(lines, "aa original-awk", "aa original-awk");
        check(lines, "bb", "`bb` needs `awk (>= 3)`, which the suite does not have");
        check(lines, "cc", "cc perl");
    }

    #[test]
    fn exclusions_and_cycles() {
        let lines = "aa 1; Depends: bb\n bb 1; Depends: aa\n cc 1; Conflicts: aa (<< 2)\n mta 1; Provides: mail; Conflicts: mail";
        check(lines, "aa", "aa bb");
        check(lines, "mta", "mta");
        check(lines, "aa cc", "`cc` excludes `aa (<< 2)`, but `aa` is needed too");
    }

    #[test]
    fn the_newest_version_counts() {
        check("aa 1; Depends: zz\n aa 2\n aa 1.5; Depends: zz", "aa", "aa");
    }
}
