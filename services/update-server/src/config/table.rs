//! The settings that there are: the one place that declares them.

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key of the file; the flag is `--KEY`, the variable `SLIPWAY_UPDATE_SERVER_KEY` in capitals with underscores.
    pub key: &'static str,
    /// What it is if nobody says; empty for nothing.
    pub default: &'static str,
    /// For people.
    pub help: &'static str,
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default, help }
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    setting(
        "database-url",
        "sqlite:slipway-update-server.sqlite",
        "Where the database is: sqlite:FILE or postgres://USER@HOST/NAME",
    ),
    setting("connections", "8", "How many connections to the database there are at most"),
    setting("listen", "127.0.0.1:8000", "Where to listen: ADDRESS:PORT"),
    setting(
        "base-url",
        "",
        "The address that clients know this server by; the Host header of a request if empty",
    ),
    setting(
        "tls-certificate",
        "",
        "A file with the certificate and those that it was issued by, as PEM; plain HTTP if empty",
    ),
    setting("tls-key", "", "The file with the key of the certificate, as PEM"),
    setting(
        "tls-interval",
        "60",
        "How often both files are looked at, in seconds; SIGHUP does it at once",
    ),
    setting(
        "authentication",
        "auto",
        "required, off (only on loopback, without a proxy), or auto: off there until there is a user, required elsewhere",
    ),
    setting(
        "oidc-issuer",
        "",
        "The issuer that people log in through (OpenID Connect), to the letter; needs base-url",
    ),
    setting("oidc-client-id", "", "What the issuer calls this server"),
    setting(
        "oidc-client-secret",
        "",
        "What proves to the issuer that it is this server; better a variable or the file, as lists of processes show flags",
    ),
    setting("oidc-scopes", "openid profile email", "What the issuer is asked for"),
    setting("oidc-name-claim", "email", "The claim of the ID token that names users"),
    setting(
        "oidc-groups-claim",
        "groups",
        "The claim of the ID token that lists groups; a path with dots leads into objects",
    ),
    setting(
        "oidc-roles",
        "",
        "What groups may do: GROUP=viewer, GROUP=operator or GROUP=admin, with @APPLICATION for one application, separated by commas; * is everybody",
    ),
    setting("oidc-session-hours", "12", "How long a log-in through the issuer lasts, in hours"),
    setting(
        "releases",
        "",
        "A folder with a repository of signed releases, served below /repository/ and imported",
    ),
    setting("root", "", "The root.json that the releases are verified from"),
    setting(
        "memory",
        "slipway-update-server.memory",
        "A folder that remembers which signed metadata was seen, against rollback",
    ),
    setting("release-interval", "60", "How often the repository is looked at, in seconds"),
    setting(
        "packages",
        "",
        "A folder for uploaded packages, served below /packages/; uploads are refused if empty",
    ),
    setting(
        "sync-url",
        "",
        "An Omaha server whose versions are taken over, such as https://public.update.flatcar-linux.net/v1/update/",
    ),
    setting(
        "sync-feeds",
        "",
        "Which tracks channels follow: TRACK/ARCHITECTURE, with @APPLICATION unless it is Flatcar, separated by commas",
    ),
    setting("sync-interval", "3600", "How often the other server is asked, in seconds"),
    setting(
        "sync-payloads",
        "link",
        "link: machines fetch from where the other server says; host: payloads are fetched, verified, and served below /packages/",
    ),
    setting(
        "sync-key",
        "",
        "The public key, a PEM file, that all files of a version must be signed by before they are hosted",
    ),
    setting("webhook", "", "A URL that gets a POST with JSON when a group stops by itself"),
    setting("retention-days", "90", "How long events are kept, in days"),
    setting("machine-days", "180", "How long machines are kept that do not ask, in days"),
    setting("sweep-interval", "10", "How often grants that are over are looked for, in seconds"),
    setting(
        "rate-limit",
        "6000",
        "Requests per minute that an address may send, loopback left out; 0 for any number",
    ),
    setting(
        "forwarded-for",
        "no",
        "yes if a proxy in front sets X-Forwarded-For, which is believed then",
    ),
    setting("shutdown-seconds", "20", "How long requests may take to end when the server ends"),
    setting(
        "clock-speed",
        "1",
        "How many times as fast as the system's the server's clock goes: to simulate a day in minutes, and for nothing else",
    ),
    setting("log-format", "text", "text or json"),
    setting("log-level", "info", "error, warn, info, debug or trace"),
];

impl Setting {
    /// The variable of the environment.
    pub fn variable(&self) -> String {
        format!("SLIPWAY_UPDATE_SERVER_{}", self.key.replace('-', "_").to_ascii_uppercase())
    }
}
