//! Names and numbers of things, each with a type of its own, so that none is taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name that is empty, too long, or holds control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: 1 to {limit} visible characters are")]
pub struct IdError {
    kind: &'static str,
    limit: usize,
    text: String,
}

fn checked<'a>(kind: &'static str, limit: usize, text: &'a str) -> Result<&'a str, IdError> {
    let fine = !text.is_empty()
        && text.len() <= limit
        && text.chars().all(|char| !char.is_control() && !char.is_whitespace());
    if fine {
        return Ok(text);
    }
    let text = text.chars().take(limit).filter(|char| !char.is_control()).collect();
    Err(IdError { kind, limit, text })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $limit:literal, $normal:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What the database holds; it was checked when it came in.
            pub(crate) fn stored(text: String) -> Self {
                Self(text)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let normal: fn(&str) -> String = $normal;
                Ok(Self(normal(checked($kind, $limit, text)?)))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// An application, by its GUID in lower case and without braces, as clients send it with or without them.
    AppId,
    "application id",
    128,
    |text| text.trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase()
);
text_id!(
    /// A group, unique within its application.
    GroupId,
    "group id",
    128,
    str::to_owned
);
text_id!(
    /// A channel, unique within the server.
    ChannelId,
    "channel id",
    64,
    str::to_owned
);
text_id!(
    /// A package, unique within the server.
    PackageId,
    "package id",
    64,
    str::to_owned
);
text_id!(
    /// A machine: what it says in `machineid`, without braces.
    MachineId,
    "machine id",
    128,
    |text| text.trim_start_matches('{').trim_end_matches('}').to_owned()
);
text_id!(
    /// A person or a program that uses the API.
    UserName,
    "user name",
    128,
    str::to_owned
);
text_id!(
    /// An API token, by its public half.
    TokenId,
    "token id",
    64,
    str::to_owned
);
text_id!(
    /// An upstream server.
    UpstreamId,
    "upstream id",
    64,
    str::to_owned
);

/// Whether a text can be the name of a file that stays in its folder, on any file system and in any address.
pub(crate) fn plain_file_name(name: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(visible)
}

/// A new random UUID (version 4).
pub fn new_uuid() -> String {
    let mut bytes = [0u8; 16];
    // Without randomness of the system nothing of this server can be trusted.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_and_case_do_not_make_another_application() {
        let plain: AppId = "e96281a6-d1af-4bde-9a0a-97b76e56dc57".parse().unwrap();
        let braced: AppId = "{E96281A6-D1AF-4BDE-9A0A-97B76E56DC57}".parse().unwrap();
        assert_eq!(plain, braced);
    }

    #[test]
    fn names_are_refused_that_nobody_could_type() {
        for bad in ["", "a b", "a\nb", &"x".repeat(200)] {
            assert!(bad.parse::<GroupId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        let uuid = new_uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert_ne!(uuid, new_uuid());
    }
}
