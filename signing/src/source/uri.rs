//! Names of keys on tokens: `pkcs11:` URIs (RFC 7512), as much of them as says which key it is.

use std::{fmt, str::FromStr};

use camino::Utf8PathBuf;

/// A key on a token, such as `pkcs11:token=slipway;object=stable-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenUri {
    /// The label of the token.
    pub token: String,
    /// The label of the key.
    pub object: String,
    /// The serial number of the token, should two have the same label.
    pub serial: Option<String>,
    /// The library that reaches the token.
    pub module: Option<Utf8PathBuf>,
}

impl FromStr for TokenUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |problem: &str| format!("`{text}` is no key on a token: {problem}");
        let rest = text.strip_prefix("pkcs11:").ok_or_else(|| bad("it begins with `pkcs11:`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut object, mut serial, mut module) = (None, None, None, None);
        let path = path.split(';').filter(|part| !part.is_empty()).map(|part| (part, true));
        let query = query.split('&').filter(|part| !part.is_empty()).map(|part| (part, false));
        for (part, in_path) in path.chain(query) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| bad(&format!("`{part}` is not of the form name=value")))?;
            let slot = match (name, in_path) {
                ("token", true) => &mut token,
                ("object", true) => &mut object,
                ("serial", true) => &mut serial,
                ("module-path", false) => &mut module,
                ("type", true) if value == "private" => continue,
                ("pin-value" | "pin-source", _) => {
                    return Err(bad("a PIN does not belong into a file; it is asked for"));
                }
                _ => {
                    return Err(bad(&format!(
                        "`{name}` is unknown here; there are token, object, serial, type=private and ?module-path"
                    )));
                }
            };
            if slot.is_some() {
                return Err(bad(&format!("`{name}` is there twice")));
            }
            let value = decode(value).filter(|value| !value.is_empty());
            *slot = Some(value.ok_or_else(|| bad(&format!("the value of `{name}`")))?);
        }
        Ok(Self {
            token: token.ok_or_else(|| bad("it has no `token=`"))?,
            object: object.ok_or_else(|| bad("it has no `object=`"))?,
            serial,
            module: module.map(Utf8PathBuf::from),
        })
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkcs11:token={};object={}", encode(&self.token), encode(&self.object))?;
        if let Some(serial) = &self.serial {
            write!(f, ";serial={}", encode(serial))?;
        }
        if let Some(module) = &self.module {
            write!(f, "?module-path={}", encode(module.as_str()))?;
        }
        Ok(())
    }
}

/// Resolves `%XX` (RFC 3986, section 2.1).
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// The inverse of [`decode`]: everything is escaped but what RFC 3986 calls unreserved, and `/`.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_names_token_and_key() {
        #[track_caller]
        fn check(text: &str, expected: (&str, &str, Option<&str>, Option<&str>)) {
            let uri: TokenUri = text.parse().unwrap();
            let module = uri.module.as_ref().map(|path| path.as_str());
            assert_eq!((&*uri.token, &*uri.object, uri.serial.as_deref(), module), expected);
        }
        check("pkcs11:token=a;object=b", ("a", "b", None, None));
        check("pkcs11:object=b;type=private;token=My%20token", ("My token", "b", None, None));
        check(
            "pkcs11:token=a;object=b;serial=0f%31?module-path=/usr/lib/x.so",
            ("a", "b", Some("0f1"), Some("/usr/lib/x.so")),
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = text.parse::<TokenUri>().unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
        check("token=a;object=b", "it begins with `pkcs11:`");
        check("pkcs11:object=b", "it has no `token=`");
        check("pkcs11:token=a", "it has no `object=`");
        check("pkcs11:token=a;token=a;object=b", "`token` is there twice");
        check("pkcs11:token=;object=b", "the value of `token`");
        check("pkcs11:token=%f;object=b", "the value of `token`");
        check("pkcs11:token=%ff;object=b", "the value of `token`");
        check("pkcs11:token", "`token` is not of the form name=value");
        check("pkcs11:token=a;object=b?pin-value=1234", "it is asked for");
        check(
            "pkcs11:token=a;object=b;module-path=/x",
            "there are token, object, serial, type=private and ?module-path",
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _refused = format!("pkcs11:{text}").parse::<TokenUri>();
        }

        #[test]
        fn what_is_written_is_read(token in "\\PC+", object in "\\PC+", module in proptest::option::of("/\\PC*")) {
            let uri = TokenUri { token, object, serial: None, module: module.map(Utf8PathBuf::from) };
            prop_assert_eq!(uri.to_string().parse(), Ok(uri));
        }
    }
}
