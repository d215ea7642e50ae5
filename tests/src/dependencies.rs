//! Rules for crates of others: their licences, where they come from, and which are not to be had at all. `deny.toml` states them in the
//! format of cargo-deny; what cargo knows of the lock file is held against it, so that no other tool has to be there.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Crates that say only in a file what their licence is, with that licence.
const UNSTATED: &[(&str, &str)] = &[("rust-criu", "MIT")];

/// What is read of `deny.toml`.
#[derive(Debug, Deserialize)]
pub struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// What is read of the answer of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for crates of the work tree.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
}

/// Every broken rule, one line each.
pub fn problems(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let foreign = metadata.packages.iter().filter(|package| package.source.is_some());
    let mut problems: Vec<_> = foreign.flat_map(|package| of_crate(policy, package)).collect();
    problems.extend(providers(metadata));
    problems.sort();
    problems
}

fn of_crate(policy: &Policy, package: &Crate) -> Vec<String> {
    let Crate { name, version, .. } = package;
    let mut problems = Vec::new();
    if !package.source.as_deref().is_some_and(|source| source.starts_with("registry+")) {
        problems.push(format!("{name} {version}: comes from elsewhere than a registry"));
    }
    if let Some(ban) = policy.bans.deny.iter().find(|ban| ban.name == *name) {
        problems.push(format!("{name} {version}: is not to be used ({})", ban.reason));
    }
    let unstated = || UNSTATED.iter().find(|(known, _)| known == name).map(|(_, license)| *license);
    match package.license.as_deref().or_else(unstated) {
        None => problems.push(format!("{name} {version}: does not say its licence")),
        Some(text) => match permits(text, &policy.licenses.allow) {
            Some(true) => {}
            Some(false) => problems.push(format!("{name} {version}: `{text}` is not in deny.toml")),
            None => problems.push(format!("{name} {version}: `{text}` is no licence expression")),
        },
    }
    problems
}

/// There is one implementation of cryptography below TLS.
fn providers(metadata: &Metadata) -> Option<String> {
    let rustls: BTreeSet<_> =
        metadata.packages.iter().filter(|p| p.name == "rustls").map(|p| &p.id).collect();
    let features = metadata.resolve.nodes.iter().filter(|node| rustls.contains(&node.id));
    let mut features = features.flat_map(|node| &node.features);
    let ring = features.any(|feature| feature == "ring");
    ring.then(|| "rustls: uses ring, but aws-lc-rs is the one provider".to_owned())
}

/// Whether a licence expression (SPDX 2.3 annex D; crates also write `/` for `OR`) can be met with `allowed`; `None` if it is none.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_ascii_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let permitted = parser.any()?;
    parser.words.is_empty().then_some(permitted)
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Parser<'_> {
    /// `A OR B`, of which one is enough.
    fn any(&mut self) -> Option<bool> {
        let mut permitted = self.all()?;
        while self.take("OR") {
            permitted |= self.all()?;
        }
        Some(permitted)
    }

    /// `A AND B`, which binds closer.
    fn all(&mut self) -> Option<bool> {
        let mut permitted = self.one()?;
        while self.take("AND") {
            permitted &= self.one()?;
        }
        Some(permitted)
    }

    /// A licence, maybe with an exception, or an expression in parentheses.
    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let permitted = self.any()?;
            return self.take(")").then_some(permitted);
        }
        let mut name = self.next()?.to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.next()?);
        }
        Some(self.allowed.contains(&name))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        self.words = &self.words[usize::from(found)..];
        found
    }

    /// The next word, if it can be a name.
    fn next(&mut self) -> Option<&str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        (!["(", ")", "AND", "OR", "WITH"].contains(first)).then_some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"]
        [bans]
        multiple-versions = "warn"
        deny = [{ crate = "openssl-sys", reason = "one TLS provider" }]
    "#;

    #[test]
    fn licence_expressions() {
        #[track_caller]
        fn check(expression: &str, expected: Option<bool>) {
            let policy: Policy = toml::from_str(POLICY).unwrap();
            assert_eq!(permits(expression, &policy.licenses.allow), expected, "{expression}");
        }
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0 OR MIT", Some(true));
        check("GPL-3.0/MIT", Some(true));
        check("GPL-3.0 AND MIT", Some(false));
        check("MIT OR GPL-3.0 AND ISC", Some(true));
        check("(MIT OR GPL-3.0) AND ISC", Some(true));
        check("(MIT OR ISC) AND GPL-3.0", Some(false));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("MIT WITH LLVM-exception", Some(false));
        for broken in
            ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH", "AND", "MIT WITH ("]
        {
            check(broken, None);
        }
    }

    #[track_caller]
    fn check(packages: &str, features: &str, expected: &[&str]) {
        let metadata = format!(
            r#"{{"packages":[{packages}],"resolve":{{"nodes":[{{"id":"r","features":[{features}]}}]}}}}"#
        );
        let found =
            problems(&toml::from_str(POLICY).unwrap(), &serde_json::from_str(&metadata).unwrap());
        assert_eq!(found, expected);
    }

    fn package(name: &str, license: &str, source: &str) -> String {
        format!(
            r#"{{"id":"r","name":"{name}","version":"1.0.0","license":{license},"source":{source}}}"#
        )
    }

    #[test]
    fn broken_rules_are_named() {
        let registry = r#""registry+https://index.test""#;
        check(&package("a", r#""MIT""#, registry), "", &[]);
        check(&package("own", "null", "null"), "", &[]);
        check(&package("rust-criu", "null", registry), "", &[]);
        check(&package("a", "null", registry), "", &["a 1.0.0: does not say its licence"]);
        check(&package("a", r#""X""#, registry), "", &["a 1.0.0: `X` is not in deny.toml"]);
        check(
            &package("a", r#""MIT OR""#, registry),
            "",
            &["a 1.0.0: `MIT OR` is no licence expression"],
        );
        check(
            &package("a", r#""MIT""#, r#""git+https://forge.test/a""#),
            "",
            &["a 1.0.0: comes from elsewhere than a registry"],
        );
        check(
            &package("openssl-sys", r#""MIT""#, registry),
            "",
            &["openssl-sys 1.0.0: is not to be used (one TLS provider)"],
        );
    }

    #[test]
    fn one_provider_of_cryptography() {
        let rustls = package("rustls", r#""MIT""#, r#""registry+x""#);
        check(&rustls, r#""aws-lc-rs","std""#, &[]);
        check(
            &rustls,
            r#""aws-lc-rs","ring""#,
            &["rustls: uses ring, but aws-lc-rs is the one provider"],
        );
        // A feature of that name of another crate says nothing.
        check(&package("other", r#""MIT""#, r#""registry+x""#), r#""ring""#, &[]);
    }
}
