//! The `Authorization` header of Hawk: `Hawk id="…", ts="…", nonce="…", mac="…"`, parsed and printed.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest header that is looked at, in bytes.
pub const MAX_HEADER: usize = 4096;

/// The longest identifier or nonce, in bytes. They are kept in memory against replays.
const MAX_NAME: usize = 128;

/// The attributes of a request's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose key signed.
    pub id: String,
    /// When, in seconds since 1970 by the client's clock.
    pub ts: u64,
    /// What makes two requests of one second differ.
    pub nonce: String,
    /// The MAC, 32 bytes for SHA-256.
    pub mac: Vec<u8>,
    /// The digest of the payload, if the client signed it.
    pub hash: Option<Vec<u8>>,
    /// Data of the application.
    pub ext: Option<String>,
    /// The application that a key belongs to (Oz). Part of what is signed.
    pub app: Option<String>,
    /// The application that delegated (Oz).
    pub dlg: Option<String>,
}

/// Why a header is not one of Hawk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is none, or it is of another scheme.
    #[error("the request has no `Authorization: Hawk` header")]
    Scheme,
    /// More than [`MAX_HEADER`] bytes.
    #[error("the authorization header is longer than {MAX_HEADER} bytes")]
    TooLong,
    /// Not a list of `name="value"`.
    #[error("the authorization header is not a list of `name=\"value\"`")]
    Syntax,
    /// An attribute that Hawk does not have.
    #[error("the authorization header has an unknown attribute")]
    Unknown,
    /// An attribute that is there twice.
    #[error("the authorization header has `{attribute}` twice")]
    Twice {
        /// Which.
        attribute: &'static str,
    },
    /// An attribute that must be there and is not.
    #[error("the authorization header lacks `{attribute}`")]
    Missing {
        /// Which.
        attribute: &'static str,
    },
    /// An attribute whose value cannot be read.
    #[error("the authorization header has a malformed `{attribute}`")]
    Malformed {
        /// Which.
        attribute: &'static str,
    },
}

/// The attributes, in the order of [`Raw`].
const ATTRIBUTES: [&str; 8] = ["id", "ts", "nonce", "mac", "hash", "ext", "app", "dlg"];

/// Values by the index of their name in [`ATTRIBUTES`].
type Raw<'a> = [Option<&'a str>; 8];

impl FromStr for Header {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        if text.len() > MAX_HEADER {
            return Err(HeaderError::TooLong);
        }
        let (scheme, rest) = text.split_once(' ').ok_or(HeaderError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("hawk") {
            return Err(HeaderError::Scheme);
        }
        let [id, ts, nonce, mac, hash, ext, app, dlg] = attributes(rest)?;
        Ok(Self {
            id: name("id", id)?,
            ts: timestamp(required("ts", ts)?)?,
            nonce: name("nonce", nonce)?,
            mac: decoded("mac", required("mac", mac)?)?,
            hash: hash
                .filter(|hash| !hash.is_empty())
                .map(|hash| decoded("hash", hash))
                .transpose()?,
            ext: owned(ext),
            app: owned(app),
            dlg: owned(dlg),
        })
    }
}

/// An attribute that may be empty or absent; both are the same.
fn owned(value: Option<&str>) -> Option<String> {
    value.filter(|value| !value.is_empty()).map(str::to_owned)
}

fn required<'a>(attribute: &'static str, value: Option<&'a str>) -> Result<&'a str, HeaderError> {
    value.filter(|value| !value.is_empty()).ok_or(HeaderError::Missing { attribute })
}

fn name(attribute: &'static str, value: Option<&str>) -> Result<String, HeaderError> {
    let value = required(attribute, value)?;
    if value.len() > MAX_NAME {
        return Err(HeaderError::Malformed { attribute });
    }
    Ok(value.to_owned())
}

/// Only the one way to write a number, because the MAC covers the text.
fn timestamp(text: &str) -> Result<u64, HeaderError> {
    let malformed = HeaderError::Malformed { attribute: "ts" };
    match text.parse::<u64>() {
        Ok(ts) if ts > 0 && ts.to_string() == text => Ok(ts),
        _ => Err(malformed),
    }
}

fn decoded(attribute: &'static str, text: &str) -> Result<Vec<u8>, HeaderError> {
    STANDARD.decode(text).map_err(|_| HeaderError::Malformed { attribute })
}

/// Splits `name="value", name="value"`. Commas may stand in values, quotes and backslashes may not.
fn attributes(text: &str) -> Result<Raw<'_>, HeaderError> {
    let mut raw: Raw<'_> = [None; 8];
    let mut rest = text.trim_matches(' ');
    loop {
        let (name, after) = rest.split_once("=\"").ok_or(HeaderError::Syntax)?;
        let (value, after) = after.split_once('"').ok_or(HeaderError::Syntax)?;
        if !value.bytes().all(is_value_byte) {
            return Err(HeaderError::Syntax);
        }
        let index =
            ATTRIBUTES.iter().position(|known| *known == name).ok_or(HeaderError::Unknown)?;
        if raw[index].replace(value).is_some() {
            return Err(HeaderError::Twice { attribute: ATTRIBUTES[index] });
        }
        let after = after.trim_start_matches(' ');
        if after.is_empty() {
            return Ok(raw);
        }
        rest = after.strip_prefix(',').ok_or(HeaderError::Syntax)?.trim_start_matches(' ');
    }
}

/// Printable ASCII but `"` and `\`, as the specification has it.
fn is_value_byte(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hawk id=\"{}\", mac=\"{}\"", self.id, STANDARD.encode(&self.mac))?;
        write!(f, ", ts=\"{}\", nonce=\"{}\"", self.ts, self.nonce)?;
        if let Some(hash) = &self.hash {
            write!(f, ", hash=\"{}\"", STANDARD.encode(hash))?;
        }
        for (name, value) in [("ext", &self.ext), ("app", &self.app), ("dlg", &self.dlg)] {
            if let Some(value) = value {
                write!(f, ", {name}=\"{value}\"")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<Header, HeaderError>) {
        assert_eq!(text.parse::<Header>(), expected, "{text}");
    }

    fn header() -> Header {
        Header {
            id: "dh37fgj492je".into(),
            ts: 1_353_832_234,
            nonce: "j4h3g2".into(),
            mac: vec![0; 3],
            hash: None,
            ext: None,
            app: None,
            dlg: None,
        }
    }

    #[test]
    fn a_header_is_a_list_of_attributes_in_any_order() {
        check(
            r#"Hawk id="dh37fgj492je", ts="1353832234", nonce="j4h3g2", mac="AAAA""#,
            Ok(header()),
        );
        check(
            r#"hawk   mac="AAAA",nonce="j4h3g2",ts="1353832234" , id="dh37fgj492je" "#,
            Ok(header()),
        );
        check(
            r#"Hawk id="dh37fgj492je", ts="1353832234", nonce="j4h3g2", mac="AAAA", ext="a, b=c", hash="", app="""#,
            Ok(Header { ext: Some("a, b=c".into()), ..header() }),
        );
    }

    #[test]
    fn another_scheme_is_not_hawk() {
        check("", Err(HeaderError::Scheme));
        check("a", Err(HeaderError::Scheme));
        check("Basic dXNlcjpwYXNz", Err(HeaderError::Scheme));
        check("Bearer id=\"1\"", Err(HeaderError::Scheme));
    }

    #[test]
    fn what_must_be_there_is_missed_by_name() {
        let missing = |attribute| Err(HeaderError::Missing { attribute });
        check(r#"Hawk ts="1", nonce="n", mac="AAAA""#, missing("id"));
        check(r#"Hawk id="", ts="1", nonce="n", mac="AAAA""#, missing("id"));
        check(r#"Hawk id="1", nonce="n", mac="AAAA""#, missing("ts"));
        check(r#"Hawk id="1", ts="1", mac="AAAA""#, missing("nonce"));
        check(r#"Hawk id="1", ts="1", nonce="n""#, missing("mac"));
    }

    #[test]
    fn values_are_read_strictly() {
        let malformed = |attribute| Err(HeaderError::Malformed { attribute });
        for ts in ["0", "01", "-1", "+1", "1.0", "x", "99999999999999999999"] {
            check(&format!(r#"Hawk id="1", ts="{ts}", nonce="n", mac="AAAA""#), malformed("ts"));
        }
        check(r#"Hawk id="1", ts="1", nonce="n", mac="_A==""#, malformed("mac"));
        check(r#"Hawk id="1", ts="1", nonce="n", mac="AAAA", hash="%""#, malformed("hash"));
        check(
            &format!(r#"Hawk id="{}", ts="1", nonce="n", mac="AAAA""#, "i".repeat(129)),
            malformed("id"),
        );
    }

    #[test]
    fn a_broken_list_is_refused() {
        check("Hawk ", Err(HeaderError::Syntax));
        check("Hawk id", Err(HeaderError::Syntax));
        check(r#"Hawk id="1"#, Err(HeaderError::Syntax));
        check(r#"Hawk id="1" ts="1""#, Err(HeaderError::Syntax));
        check(r#"Hawk id="1","#, Err(HeaderError::Syntax));
        check(r#"Hawk id="12\", ts="1""#, Err(HeaderError::Syntax));
        check(r#"Hawk id="1", id="2""#, Err(HeaderError::Twice { attribute: "id" }));
        check(r#"Hawk user="1""#, Err(HeaderError::Unknown));
        check(&format!("Hawk id=\"{}\"", "1".repeat(MAX_HEADER)), Err(HeaderError::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,300}") {
            let _ignored = text.parse::<Header>();
        }

        #[test]
        fn any_list_is_parsed_or_refused(text in r#"Hawk (id|ts|nonce|mac|ext)="[ -~]{0,9}",? ?(id|ts|nonce|mac)="[0-9A-Za-z+/=]{0,9}""#) {
            let _ignored = text.parse::<Header>();
        }

        #[test]
        fn what_is_printed_is_read_back(
            id in "[ !#-\\[\\]-~]{1,20}", nonce in "[a-zA-Z0-9]{1,20}", ts in 1u64.., mac in prop::collection::vec(any::<u8>(), 1..40),
            hash in prop::option::of(prop::collection::vec(any::<u8>(), 1..40)), ext in prop::option::of("[ !#-\\[\\]-~]{1,30}"),
            app in prop::option::of("[a-z]{1,9}"), dlg in prop::option::of("[a-z]{1,9}"),
        ) {
            let header = Header { id, ts, nonce, mac, hash, ext, app, dlg };
            prop_assert_eq!(header.to_string().parse::<Header>(), Ok(header));
        }
    }
}
