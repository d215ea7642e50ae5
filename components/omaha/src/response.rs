//! What a server answers.

use crate::request::check_protocol;
use crate::write::Writer;
use crate::xml::{self, Element};
use crate::{AppId, AppStatus, CheckStatus, OmahaError, PROTOCOL};

/// An answer: one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// A name of the server.
    pub server: String,
    /// Seconds since the server's day began. Zero from the servers of this family, and ignored by their clients.
    pub elapsed_seconds: u32,
    /// One answer for each application of the request, in its order.
    pub apps: Vec<AppResponse>,
}

/// The answer for one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppResponse {
    /// The identifier, echoed.
    pub id: AppId,
    /// Whether the server knows the application.
    pub status: AppStatus,
    /// Whether a ping was taken.
    pub ping: bool,
    /// The answer to the check, if there was one.
    pub update_check: Option<CheckResponse>,
    /// How many events were taken.
    pub events: usize,
}

/// The answer to an update check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResponse {
    /// Whether there is an update.
    pub status: CheckStatus,
    /// When to ask again, in seconds; the client's own interval if absent.
    pub poll_interval: Option<u64>,
    /// Where payloads are: a package's name is appended.
    pub codebases: Vec<String>,
    /// What to install. A client of the CoreOS family looks at the first only; a syncer gets floors in the order of
    /// their versions, and the target last.
    pub manifests: Vec<Manifest>,
}

/// One version with its files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The version.
    pub version: String,
    /// Why nobody may skip this version, if nobody may; the reason can be empty.
    pub floor: Option<String>,
    /// Whether the server says that this is where to arrive.
    pub is_target: bool,
    /// The files. The update engine takes the first; the others are extensions.
    pub packages: Vec<Package>,
    /// What to do after the download.
    pub actions: Vec<Action>,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Its name, to be appended to a codebase.
    pub name: String,
    /// SHA-1 of the file in base64, empty if unknown.
    pub sha1_base64: String,
    /// SHA-256 of the file as small hexadecimal digits, empty if unknown. (go-omaha writes base64 here, but all data
    /// and all readers in use have hexadecimal digits.)
    pub sha256_hex: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the update is impossible without it.
    pub required: bool,
}

/// What to do at a stage of an update. Only `postinstall` is in use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Action {
    /// The stage.
    pub event: String,
    /// SHA-256 of the whole payload in base64.
    pub sha256_base64: String,
    /// Whether a client should not wait for days after failed downloads.
    pub disable_payload_backoff: bool,
    /// After how many failures to take the next codebase (the client's own: 10).
    pub max_failures_per_url: Option<u32>,
    /// Whether the payload is a delta.
    pub is_delta: bool,
    /// The version for people.
    pub display_version: String,
    /// Signature of the payload's metadata in base64.
    pub metadata_signature: String,
    /// Size of the payload's metadata in bytes.
    pub metadata_size: Option<u64>,
    /// By when to install; the update engine carries it and does nothing with it.
    pub deadline: String,
}

impl Response {
    /// An answer without applications.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), elapsed_seconds: 0, apps: Vec::new() }
    }

    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// When the document breaks a limit of this crate, is not well-formed, or is no `response` of protocol 3.0.
    pub fn parse(document: &[u8]) -> Result<Self, OmahaError> {
        let root = xml::parse(document, "response")?;
        check_protocol(&root)?;
        let elapsed = root.child("daystart").map(|node| node.number("daystart", "elapsed_seconds"));
        Ok(Self {
            server: root.text("server"),
            elapsed_seconds: elapsed.transpose()?.flatten().unwrap_or(0),
            apps: root.children("app").map(AppResponse::read).collect::<Result<_, _>>()?,
        })
    }

    /// Writes it, in the order of the servers of this family.
    pub fn to_xml(&self) -> String {
        let mut out = Writer::new();
        out.element(
            "response",
            |at| {
                at.put("protocol", PROTOCOL).put("server", &self.server);
            },
            |out| {
                out.leaf("daystart", |at| {
                    at.put("elapsed_seconds", &self.elapsed_seconds.to_string());
                });
                self.apps.iter().for_each(|app| app.write(out));
            },
        );
        out.finish()
    }
}

impl AppResponse {
    /// An application that the server knows, without any answer yet.
    pub fn new(id: AppId) -> Self {
        Self { id, status: AppStatus::Ok, ping: false, update_check: None, events: 0 }
    }

    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        let id =
            node.get("appid").ok_or(OmahaError::Missing { element: "app", attribute: "appid" })?;
        let taken = |node: &&Element<'_>| node.get("status").is_none_or(|status| status == "ok");
        Ok(Self {
            id: id.parse()?,
            status: AppStatus::from_word(node.get("status").unwrap_or("ok")),
            ping: node.child("ping").filter(taken).is_some(),
            update_check: node.child("updatecheck").map(CheckResponse::read).transpose()?,
            events: node.children("event").filter(taken).count(),
        })
    }

    fn write(&self, out: &mut Writer) {
        out.element(
            "app",
            |at| {
                at.put("appid", self.id.as_sent()).put("status", self.status.as_word());
            },
            |out| {
                if self.ping {
                    write_taken("ping", out);
                }
                if let Some(check) = &self.update_check {
                    check.write(out);
                }
                (0..self.events).for_each(|_| write_taken("event", out));
            },
        );
    }
}

fn write_taken(name: &'static str, out: &mut Writer) {
    out.leaf(name, |at| {
        at.put("status", "ok");
    });
}

impl CheckResponse {
    /// Nothing to install, now or for this client.
    pub fn no_update() -> Self {
        Self::with_status(CheckStatus::NoUpdate)
    }

    /// An answer without any manifest.
    pub fn with_status(status: CheckStatus) -> Self {
        Self { status, poll_interval: None, codebases: Vec::new(), manifests: Vec::new() }
    }

    /// Where a reader of several manifests should arrive: the one that says so, else the last that is no floor.
    pub fn target(&self) -> Option<&Manifest> {
        let said = self.manifests.iter().find(|manifest| manifest.is_target);
        said.or_else(|| self.manifests.iter().rfind(|manifest| manifest.floor.is_none()))
    }

    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        let urls = node.child("urls");
        let codebases = urls.into_iter().flat_map(|urls| urls.children("url"));
        Ok(Self {
            status: CheckStatus::from_word(node.get("status").unwrap_or_default()),
            poll_interval: node.number("updatecheck", "PollInterval")?,
            codebases: codebases.filter_map(|url| url.get("codebase")).map(str::to_owned).collect(),
            manifests: node.children("manifest").map(Manifest::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.element(
            "updatecheck",
            |at| {
                at.put("status", self.status.as_word()).option("PollInterval", self.poll_interval);
            },
            |out| {
                if !self.codebases.is_empty() {
                    out.element("urls", |_| {}, |out| self.write_codebases(out));
                }
                self.manifests.iter().for_each(|manifest| manifest.write(out));
            },
        );
    }

    fn write_codebases(&self, out: &mut Writer) {
        for codebase in &self.codebases {
            out.leaf("url", |at| {
                at.put("codebase", codebase);
            });
        }
    }
}

impl Manifest {
    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        let inner = |outer: &str, inner: &'static str| {
            node.child(outer)
                .into_iter()
                .flat_map(move |outer| outer.children(inner))
                .collect::<Vec<_>>()
        };
        Ok(Self {
            version: node.text("version"),
            floor: node.flag("is_floor").then(|| node.text("floor_reason")),
            is_target: node.flag("is_target"),
            packages: inner("packages", "package")
                .into_iter()
                .map(Package::read)
                .collect::<Result<_, _>>()?,
            actions: inner("actions", "action")
                .into_iter()
                .map(Action::read)
                .collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.element(
            "manifest",
            |at| {
                at.put("version", &self.version);
                if let Some(reason) = &self.floor {
                    at.put("is_floor", "true").some("floor_reason", reason);
                }
                at.option("is_target", self.is_target.then_some("true"));
            },
            |out| {
                out.element(
                    "packages",
                    |_| {},
                    |out| self.packages.iter().for_each(|package| package.write(out)),
                );
                out.element(
                    "actions",
                    |_| {},
                    |out| self.actions.iter().for_each(|action| action.write(out)),
                );
            },
        );
    }
}

impl Package {
    /// Where the file is: the codebase, a slash if it ends without one, and the name.
    pub fn url(&self, codebase: &str) -> String {
        let slash = if codebase.ends_with('/') { "" } else { "/" };
        format!("{codebase}{slash}{}", self.name)
    }

    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        Ok(Self {
            name: node.text("name"),
            sha1_base64: node.text("hash"),
            sha256_hex: node.text("hash_sha256"),
            size: node.number("package", "size")?.unwrap_or(0),
            required: node.flag("required"),
        })
    }

    fn write(&self, out: &mut Writer) {
        out.leaf("package", |at| {
            at.put("name", &self.name)
                .some("hash", &self.sha1_base64)
                .some("hash_sha256", &self.sha256_hex);
            at.put("size", &self.size.to_string())
                .put("required", if self.required { "true" } else { "false" });
        });
    }
}

impl Action {
    /// The action that a stock client needs: after the installation, with the payload's SHA-256 in base64.
    pub fn postinstall(sha256_base64: impl Into<String>) -> Self {
        Self {
            event: "postinstall".into(),
            sha256_base64: sha256_base64.into(),
            disable_payload_backoff: true,
            ..Self::default()
        }
    }

    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        let display = node.get("DisplayVersion").or_else(|| node.get("ChromeOSVersion"));
        Ok(Self {
            event: node.text("event"),
            sha256_base64: node.text("sha256"),
            disable_payload_backoff: node.flag("DisablePayloadBackoff"),
            max_failures_per_url: node.number("action", "MaxFailureCountPerUrl")?,
            is_delta: node.flag("IsDeltaPayload"),
            display_version: display.unwrap_or_default().to_owned(),
            metadata_signature: node.text("MetadataSignatureRsa"),
            metadata_size: node.number("action", "MetadataSize")?,
            deadline: node.text("deadline"),
        })
    }

    fn write(&self, out: &mut Writer) {
        out.leaf("action", |at| {
            at.put("event", &self.event).some("DisplayVersion", &self.display_version);
            at.some("sha256", &self.sha256_base64);
            at.option("IsDeltaPayload", self.is_delta.then_some("true"));
            at.some("MetadataSignatureRsa", &self.metadata_signature)
                .option("MetadataSize", self.metadata_size);
            at.option("MaxFailureCountPerUrl", self.max_failures_per_url)
                .some("deadline", &self.deadline);
            at.option("DisablePayloadBackoff", self.disable_payload_backoff.then_some("true"));
        });
    }
}
