//! `channels/NAME.toml`: what a channel is.

use serde::Deserialize;
use slipway_signing::{ChannelName, Lifetime};

use crate::ChannelError;

/// Where a channel's releases come from, and what must be true of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The channel before it.
    pub from: ChannelName,
    /// How long a release must have been there, in days.
    pub soak_days: u32,
    /// Tests that must have passed.
    pub tests: Vec<String>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, which is also its role's.
    pub name: ChannelName,
    /// One line for people.
    pub description: String,
    /// How many releases stay listed.
    pub keep: usize,
    /// `None`: releases come straight from the build.
    pub promotion: Option<Promotion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChannel {
    description: String,
    keep: usize,
    promotion: Option<RawPromotion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPromotion {
    from: ChannelName,
    soak: Option<Lifetime>,
    #[serde(default)]
    tests: Vec<String>,
}

impl Channel {
    /// Parses and validates the text of a channel's file; `file` is how errors call it.
    ///
    /// # Errors
    /// When it is no TOML of this form, or the channel would promote from itself.
    pub fn parse(name: ChannelName, file: &str, text: &str) -> Result<Self, ChannelError> {
        let raw: RawChannel = toml::from_str(text).map_err(|source| ChannelError::Parse {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let invalid =
            |problem: String| Err(ChannelError::Invalid { file: file.to_owned(), problem });
        if raw.keep == 0 {
            return invalid("`keep` is 0; a channel keeps at least its newest release".to_owned());
        }
        if raw.promotion.as_ref().is_some_and(|promotion| promotion.from == name) {
            return invalid(format!("`{name}` cannot take its releases from itself"));
        }
        let promotion = raw.promotion.map(|raw| Promotion {
            from: raw.from,
            soak_days: raw.soak.map_or(0, |soak| soak.days),
            tests: raw.tests,
        });
        Ok(Self { name, description: raw.description, keep: raw.keep, promotion })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_valid() {
        #[track_caller]
        fn check(name: &str, text: &str, from: Option<&str>) {
            let channel = Channel::parse(name.parse().unwrap(), name, text).unwrap();
            assert_eq!(channel.promotion.as_ref().map(|p| p.from.as_str()), from);
        }
        check("alpha", include_str!("../alpha.toml"), None);
        check("beta", include_str!("../beta.toml"), Some("alpha"));
        check("stable", include_str!("../stable.toml"), Some("beta"));
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = Channel::parse("beta".parse().unwrap(), "beta.toml", text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error} {}", source.unwrap_or_default());
            assert!(text.contains(expected), "{text}");
        }
        check("description = ''\nkeep = 0", "`keep` is 0");
        check("description = ''\nkeep = 1\n[promotion]\nfrom = 'beta'", "from itself");
        check("description = ''\nkeep = 1\n[promotion]\nfrom = 'a'\nsoak = '1h'", "lifetime");
        check("description = ''\nkeep = 1\ncolour = 'red'", "colour");
        check("keep = 1", "description");
    }
}
