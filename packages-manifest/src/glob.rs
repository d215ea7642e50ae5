//! Globs over absolute paths of the target: `*` matches inside one component, `**` any number of components.

use std::str::FromStr;

/// One pattern, for example `/usr/lib/**/*.a`. `/usr/share/doc/**` matches the folder itself too, so that nothing empty stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<String>);

/// Why a text is not a [`Glob`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path pattern; it starts with `/` and has no empty, `.` or `..` component")]
pub struct GlobError(String);

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let error = || GlobError(text.to_owned());
        let rest = text.strip_prefix('/').ok_or_else(error)?;
        let parts: Vec<String> = rest.split('/').map(str::to_owned).collect();
        let bad = parts
            .iter()
            .any(|p| p.is_empty() || p == "." || p == ".." || (p.contains("**") && p != "**"));
        if bad { Err(error()) } else { Ok(Self(parts)) }
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

impl Glob {
    /// Whether `path`, which starts with `/`, is matched as a whole.
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match_parts(&self.0, &parts)
    }
}

fn match_parts(pattern: &[String], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if first == "**" {
        return (0..=path.len()).any(|skipped| match_parts(rest, &path[skipped..]));
    }
    path.split_first().is_some_and(|(head, tail)| {
        match_part(first.as_bytes(), head.as_bytes()) && match_parts(rest, tail)
    })
}

/// Wildcard match of one component, without recursion: on a mismatch the last `*` takes one byte more.
fn match_part(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = retry {
            (p, t) = (star + 1, from + 1);
            retry = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Which paths of packages become part of an image: all but the excluded, and the included in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathFilter {
    /// What is left out.
    pub exclude: Vec<Glob>,
    /// What is kept although `exclude` matches it.
    pub include: Vec<Glob>,
}

impl PathFilter {
    /// Whether the file or link at `path`, which starts with `/`, is kept.
    pub fn keeps(&self, path: &str) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(path));
        !any(&self.exclude) || any(&self.include)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, path: &str, expected: bool) {
        assert_eq!(glob.parse::<Glob>().unwrap().matches(path), expected, "{glob} on {path}");
    }

    #[test]
    fn globs() {
        check("/usr/include/**", "/usr/include/a/b.h", true);
        check("/usr/include/**", "/usr/include", true);
        check("/usr/include/**", "/usr/includes/a", false);
        check("/usr/lib/**/*.a", "/usr/lib/libz.a", true);
        check("/usr/lib/**/*.a", "/usr/lib/x/y/libz.a", true);
        check("/usr/lib/**/*.a", "/usr/lib/libz.a.so", false);
        check("/usr/*/x", "/usr/a/b/x", false);
        check("/usr/a*b*c", "/usr/aXbXbc", true);
        check("/usr/a*b*c", "/usr/aXcXb", false);
        check("/usr/bin/bash", "/usr/bin/bash", true);
    }

    #[test]
    fn bad_globs_are_refused() {
        for text in ["usr/x", "/usr//x", "/usr/../etc", "/usr/a**", ""] {
            assert_eq!(text.parse::<Glob>(), Err(GlobError(text.to_owned())));
        }
    }

    #[test]
    fn include_is_stronger_than_exclude() {
        let globs = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        let filter =
            PathFilter { exclude: globs(&["/usr/bin/**"]), include: globs(&["/usr/bin/bash"]) };
        assert!(filter.keeps("/usr/bin/bash"));
        assert!(!filter.keeps("/usr/bin/vi"));
        assert!(filter.keeps("/usr/lib/libc.so.6"));
    }
}
