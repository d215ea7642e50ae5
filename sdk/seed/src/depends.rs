//! Dependency fields: groups joined by commas, alternatives joined by bars, versions in parentheses.

use std::{cmp::Ordering, fmt};

use crate::{types::PackageName, version::DebVersion};

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<<" => Self::Earlier,
            "<=" | "<" => Self::EarlierOrEqual,
            "=" => Self::Equal,
            ">=" | ">" => Self::LaterOrEqual,
            ">>" => Self::Later,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        }
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterOrEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

/// One alternative: a name and perhaps a bound on its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) name: PackageName,
    pub(crate) bound: Option<(Operator, DebVersion)>,
}

impl Relation {
    /// Whether a package of this version satisfies the bound; a provided name without version satisfies none.
    pub(crate) fn accepts(&self, version: Option<&DebVersion>) -> bool {
        match (&self.bound, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((operator, bound)), Some(version)) => operator.accepts(version.cmp(bound)),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bound {
            None => write!(f, "{}", self.name),
            Some((operator, version)) => {
                write!(f, "{} ({} {version})", self.name, operator.as_str())
            }
        }
    }
}

/// Alternatives, of which one is enough.
pub(crate) type Group = Vec<Relation>;

/// Parses a whole field. The error is the part that is malformed.
pub(crate) fn parse_groups(field: &str) -> Result<Vec<Group>, String> {
    field.split(',').map(str::trim).filter(|group| !group.is_empty()).map(parse_group).collect()
}

fn parse_group(group: &str) -> Result<Group, String> {
    group
        .split('|')
        .map(|text| parse_relation(text.trim()).ok_or_else(|| text.trim().to_owned()))
        .collect()
}

fn parse_relation(text: &str) -> Option<Relation> {
    let (name, bound) = match text.split_once('(') {
        None => (text, None),
        Some((name, bound)) => {
            let bound = bound.strip_suffix(')')?.trim();
            let at = bound.find(|c: char| !"<>=".contains(c))?;
            let operator = Operator::parse(&bound[..at])?;
            (name.trim(), Some((operator, bound[at..].trim().parse().ok()?)))
        }
    };
    // The architecture qualifier says nothing where there is one architecture.
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    Some(Relation { name: name.parse().ok()?, bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_alternatives_and_bounds() {
        let groups =
            parse_groups("libc6 (>= 2.38), python3:any, awk | mawk (<<2~),\n xx (= 1:2-3)")
                .unwrap();
        let shown: Vec<_> = groups
            .iter()
            .map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
            .collect();
        assert_eq!(shown, ["libc6 (>= 2.38)", "python3", "awk | mawk (<< 2~)", "xx (= 1:2-3)"]);
        assert_eq!(parse_groups("a1, b2 (~ 3)"), Err("b2 (~ 3)".to_owned()));
        assert_eq!(parse_groups(""), Ok(vec![]));
    }

    #[test]
    fn bounds_are_checked() {
        let relation = |text| parse_groups(text).unwrap()[0][0].clone();
        let two = "2".parse().unwrap();
        for (text, accepted) in [
            ("aa", true),
            ("aa (>= 2)", true),
            ("aa (>> 2)", false),
            ("aa (<< 2.1)", true),
            ("aa (= 2-0)", true),
            ("aa (<= 1)", false),
        ] {
            assert_eq!(relation(text).accepts(Some(&two)), accepted, "{text}");
        }
        assert!(relation("aa").accepts(None));
        assert!(!relation("aa (>= 0)").accepts(None));
    }
}
