//! Finds a Debian mirror in the host's APT configuration. Pure: the caller reads the files.

use std::{fmt, str::FromStr};

use camino::Utf8Path;

use crate::{control, error::SeedError};

/// The address of a Debian mirror, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mirror(String);

impl Mirror {
    /// The address of a file below the mirror.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }
}

impl FromStr for Mirror {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || SeedError::BadMirror { text: text.to_owned() };
        let url = reqwest::Url::parse(text).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file of APT's configuration: its name (`sources.list`, `debian.sources`, …) and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptFile {
    /// The file's name; the ending decides the format.
    pub name: String,
    /// The file's text.
    pub text: String,
}

/// The mirror to use: the explicit one if there is one, else the first Debian archive in the host's files, taken in
/// the order of their names. Whichever suite the host uses, its mirror also has ours.
pub fn choose(explicit: Option<&str>, files: &[AptFile]) -> Result<Mirror, SeedError> {
    if let Some(text) = explicit {
        return text.parse();
    }
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|a, b| {
        (a.name != "sources.list", &a.name).cmp(&(b.name != "sources.list", &b.name))
    });
    files
        .into_iter()
        .flat_map(sources)
        .find_map(|source| source.debian_mirror())
        .ok_or(SeedError::NoMirror)
}

struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

impl Source {
    /// A Debian archive keeps its packages under `/debian`, and its suites have Debian's names; security and
    /// third-party archives differ in one of the two.
    fn debian_mirror(&self) -> Option<Mirror> {
        const SUITES: [&str; 9] = [
            "bullseye",
            "bookworm",
            "trixie",
            "forky",
            "duke",
            "sid",
            "oldstable",
            "stable",
            "testing",
        ];
        let known = |suite: &String| {
            let base = suite.strip_suffix("-updates").unwrap_or(suite);
            SUITES.contains(&base) || base == "unstable"
        };
        let path_fits = self.uri.trim_end_matches('/').rsplit('/').next() == Some("debian");
        let fits = path_fits
            && self.suites.iter().any(known)
            && self.components.iter().any(|c| c == "main");
        fits.then(|| self.uri.parse().ok()).flatten()
    }
}

fn sources(file: &AptFile) -> Vec<Source> {
    match Utf8Path::new(&file.name).extension() {
        Some("sources") => deb822_sources(&file.text),
        Some("list") => file.text.lines().filter_map(one_line_source).collect(),
        _ => Vec::new(),
    }
}

fn deb822_sources(text: &str) -> Vec<Source> {
    let words = |text: Option<&str>| -> Vec<String> {
        // A comment may stand between continuation lines.
        let lines = text.unwrap_or("").lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    control::paragraphs(text)
        .filter(|paragraph| words(paragraph.get("Types")).iter().any(|kind| kind == "deb"))
        .filter(|paragraph| {
            !paragraph.get("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"))
        })
        .flat_map(|paragraph| {
            let (suites, components) =
                (words(paragraph.get("Suites")), words(paragraph.get("Components")));
            words(paragraph.get("URIs")).into_iter().map(move |uri| Source {
                uri,
                suites: suites.clone(),
                components: components.clone(),
            })
        })
        .collect()
}

/// `deb [options] uri suite component…`
fn one_line_source(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source { uri: words.next()?, suites: vec![words.next()?], components: words.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Option<&str>) {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| AptFile { name: (*name).into(), text: (*text).into() })
            .collect();
        assert_eq!(choose(None, &files).ok().map(|mirror| mirror.to_string()).as_deref(), expected);
    }

    #[test]
    fn deb822() {
        let security = "Types: deb\nURIs: http://a.test/debian-security\nSuites: trixie-security\nComponents: main\n";
        let good = "Types: deb deb-src\n# a comment\nURIs: http://a.test/debian/\nSuites: bookworm bookworm-updates\nComponents: main contrib\n";
        check(&[("debian.sources", &format!("{security}\n{good}"))], Some("http://a.test/debian"));
        check(&[("debian.sources", &format!("Enabled: no\n{good}"))], None);
        check(&[("debian.sources", security)], None);
        check(&[("debian.sources", &good.replace("deb deb-src", "deb-src"))], None);
        check(&[("debian.sources.bak", good)], None);
    }

    #[test]
    fn one_line() {
        let text = "# deb http://no.test/debian trixie main\ndeb-src http://s.test/debian trixie main\n\
                    deb [arch=amd64 signed-by=/k] https://m.test/debian trixie main contrib # why\n";
        check(&[("sources.list", text)], Some("https://m.test/debian"));
        check(&[("third.list", "deb https://x.test/apt cloud main\n")], None);
        check(
            &[("a.list", "deb http://a.test/debian sid main"), ("sources.list", text)],
            Some("https://m.test/debian"),
        );
        check(&[], None);
    }

    #[test]
    fn an_explicit_mirror_wins() {
        assert_eq!(choose(Some("http://x.test/d//"), &[]).unwrap().to_string(), "http://x.test/d");
        for bad in ["x.test/debian", "file:///debian", ""] {
            let error = choose(Some(bad), &[]).unwrap_err().to_string();
            assert!(error.contains("is not the address of a mirror"), "{error}");
        }
        assert!(choose(None, &[]).unwrap_err().to_string().contains("`--mirror`"));
    }
}
