//! Where the server is and who asks: flags first, then the environment.

use url::Url;

use crate::CtlError;
use crate::cli::Global;

/// The server that is asked if nobody names one, as with `updateservicectl`.
const DEFAULT_SERVER: &str = "http://localhost:8000";

/// What the program found around it.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `UPDATECTL_SERVER`.
    pub server: Option<String>,
    /// `UPDATECTL_USER`.
    pub user: Option<String>,
    /// `UPDATECTL_KEY`.
    pub key: Option<String>,
    /// `UPDATECTL_TOKEN`.
    pub token: Option<String>,
    /// The time, in seconds since 1970.
    pub now: fn() -> u64,
}

/// Where the server is and who asks, checked.
#[derive(Clone)]
pub struct Settings {
    /// The server's address, without a slash at its end.
    pub server: String,
    /// Name and key for Hawk.
    pub user: Option<(String, String)>,
    /// A bearer token; it wins over the key.
    pub token: Option<String>,
    /// Whether to say on the error stream what is sent.
    pub debug: bool,
    /// Whether any certificate will do.
    pub skip_ssl_verify: bool,
    /// Whether to print JSON.
    pub json: bool,
    /// The time, in seconds since 1970.
    pub now: fn() -> u64,
}

impl Settings {
    /// Flags over environment over defaults.
    pub(crate) fn new(global: Global, environment: &Environment) -> Result<Self, CtlError> {
        let or =
            |flag: Option<String>, variable: &Option<String>| flag.or_else(|| variable.clone());
        let server =
            or(global.server, &environment.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let parsed =
            Url::parse(&server).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        if parsed.is_none() {
            return Err(CtlError::Server { server });
        }
        let user = or(global.user, &environment.user).zip(or(global.key, &environment.key));
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            user,
            token: or(global.token, &environment.token),
            debug: global.debug,
            skip_ssl_verify: global.skip_ssl_verify,
            json: global.json,
            now: environment.now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            server: Some("https://from.environment/".into()),
            user: Some("alice".into()),
            key: Some("secret".into()),
            token: None,
            now: || 0,
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_default() {
        let settings = Settings::new(Global::default(), &environment()).unwrap();
        assert_eq!(settings.server, "https://from.environment");
        assert_eq!(settings.user, Some(("alice".into(), "secret".into())));
        let flags = Global {
            server: Some("http://flag:1".into()),
            key: Some("other".into()),
            ..Global::default()
        };
        let settings = Settings::new(flags, &environment()).unwrap();
        assert_eq!(
            (settings.server.as_str(), settings.user),
            ("http://flag:1", Some(("alice".into(), "other".into())))
        );
        let nothing = Environment { server: None, user: None, key: None, token: None, now: || 0 };
        let settings = Settings::new(Global::default(), &nothing).unwrap();
        assert_eq!((settings.server.as_str(), settings.user), (DEFAULT_SERVER, None));
    }

    #[test]
    fn a_server_is_an_address() {
        for server in ["localhost:8000", "ftp://h", "", "nonsense"] {
            let global = Global { server: Some(server.into()), ..Global::default() };
            assert!(
                matches!(Settings::new(global, &environment()), Err(CtlError::Server { .. })),
                "{server}"
            );
        }
    }
}
