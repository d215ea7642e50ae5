//! What a client sends.

use crate::write::Writer;
use crate::xml::{self, Element};
use crate::{AppId, Arch, ErrorCode, Event, EventResult, EventType, OmahaError, PROTOCOL};

/// The version by which Nebraska's syncer is known, together with [`InstallSource::Scheduler`].
pub const SYNCER_VERSION: &str = "CoreOSUpdateEngine-0.1.0.0";

/// A request: one document, posted to `/v1/update/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The program that sends it, for example `update_engine-0.4.10`.
    pub version: String,
    /// The program that updates; the same text in practice.
    pub updater_version: String,
    /// Who asked.
    pub install_source: InstallSource,
    /// Whether the request is for the machine and not for one of its users.
    pub is_machine: bool,
    /// An identifier of this request, from clients of go-omaha.
    pub request_id: String,
    /// An identifier of the session, from clients of go-omaha.
    pub session_id: String,
    /// The operating system.
    pub os: Os,
    /// The applications, each with what it tells or asks.
    pub apps: Vec<App>,
}

/// Who asked for a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum InstallSource {
    /// A person: `ondemandupdate`.
    OnDemand,
    /// A timer: `scheduler`.
    Scheduler,
    /// The client does not say.
    #[default]
    Unsaid,
    /// Another word.
    Other(String),
}

impl InstallSource {
    fn from_word(word: &str) -> Self {
        match word {
            "ondemandupdate" => Self::OnDemand,
            "scheduler" => Self::Scheduler,
            "" => Self::Unsaid,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word on the wire; empty when unsaid.
    pub fn as_word(&self) -> &str {
        match self {
            Self::OnDemand => "ondemandupdate",
            Self::Scheduler => "scheduler",
            Self::Unsaid => "",
            Self::Other(word) => word,
        }
    }
}

/// The operating system of the client. All its clients send constants here but for `sp`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Os {
    /// `Chateau` from the update engine.
    pub version: String,
    /// `CoreOS` from the update engine, on Flatcar too.
    pub platform: String,
    /// `<app version>_<machine>`, for example `3602.2.0_x86_64`.
    pub service_pack: String,
    /// `x64`, `x86` or `arm`, from clients of go-omaha.
    pub arch: String,
}

/// One application. What a client did not send is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Which application.
    pub id: AppId,
    /// The version that runs.
    pub version: String,
    /// A group's identifier or a track's name.
    pub track: String,
    /// The track before (old clients).
    pub from_track: String,
    /// The kernel's boot identifier, in braces from the update engine.
    pub boot_id: String,
    /// The platform that the host runs on, for example `qemu`.
    pub oem: String,
    /// The version of the platform's additions.
    pub oem_version: String,
    /// The version that was installed first.
    pub aleph_version: String,
    /// The machine's identifier, 32 hexadecimal digits from real hosts.
    pub machine_id: String,
    /// A name that the machine's owner gave it.
    pub machine_alias: String,
    /// `en-US` from the update engine.
    pub lang: String,
    /// `amd64-usr` or `arm64-usr`.
    pub board: String,
    /// Empty from the update engine.
    pub hardware_class: String,
    /// Whether deltas are welcome. `false` from every stock client.
    pub delta_okay: bool,
    /// Whether an answer may hold several manifests (new syncers of Nebraska).
    pub multi_manifest_ok: bool,
    /// A sign of life.
    pub ping: Option<Ping>,
    /// A question for an update.
    pub update_check: Option<UpdateCheck>,
    /// What happened, in order. May stand beside a check in the same application, though Google's document says no.
    pub events: Vec<Event>,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ping {
    /// Whether the application was in use.
    pub active: bool,
    /// Days since it was last in use (old clients; -1 for unknown).
    pub days_since_active: Option<i32>,
    /// Days since it was last counted (old clients; -1 for unknown).
    pub days_since_roll_call: Option<i32>,
}

/// A question for an update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateCheck {
    /// Only versions that begin with it are wanted; empty for any.
    pub target_version_prefix: String,
}

impl App {
    /// An application of which nothing is known but its identifier and version.
    pub fn new(id: AppId, version: impl Into<String>) -> Self {
        Self {
            id,
            version: version.into(),
            track: String::new(),
            from_track: String::new(),
            boot_id: String::new(),
            oem: String::new(),
            oem_version: String::new(),
            aleph_version: String::new(),
            machine_id: String::new(),
            machine_alias: String::new(),
            lang: String::new(),
            board: String::new(),
            hardware_class: String::new(),
            delta_okay: false,
            multi_manifest_ok: false,
            ping: None,
            update_check: None,
            events: Vec::new(),
        }
    }

    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        let id =
            node.get("appid").ok_or(OmahaError::Missing { element: "app", attribute: "appid" })?;
        Ok(Self {
            id: id.parse()?,
            version: node.text("version"),
            track: node.text("track"),
            from_track: node.text("from_track"),
            boot_id: node.text("bootid"),
            oem: node.text("oem"),
            oem_version: node.text("oemversion"),
            aleph_version: node.text("alephversion"),
            machine_id: node.text("machineid"),
            machine_alias: node.text("machinealias"),
            lang: node.text("lang"),
            board: node.text("board"),
            hardware_class: node.text("hardware_class"),
            delta_okay: node.flag("delta_okay"),
            multi_manifest_ok: node.flag("multi_manifest_ok"),
            ping: node.child("ping").map(Ping::read).transpose()?,
            update_check: node.child("updatecheck").map(UpdateCheck::read),
            events: node.children("event").map(read_event).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.element(
            "app",
            |at| {
                at.put("appid", self.id.as_sent())
                    .put("version", &self.version)
                    .put("track", &self.track);
                at.some("from_track", &self.from_track)
                    .put("bootid", &self.boot_id)
                    .put("oem", &self.oem);
                at.put("oemversion", &self.oem_version).put("alephversion", &self.aleph_version);
                at.put("machineid", &self.machine_id).put("machinealias", &self.machine_alias);
                at.put("lang", &self.lang)
                    .put("board", &self.board)
                    .put("hardware_class", &self.hardware_class);
                at.put("delta_okay", if self.delta_okay { "true" } else { "false" });
                at.option("multi_manifest_ok", self.multi_manifest_ok.then_some("true"));
            },
            |out| {
                if let Some(ping) = &self.ping {
                    ping.write(out);
                }
                if let Some(check) = &self.update_check {
                    out.leaf("updatecheck", |at| {
                        at.some("targetversionprefix", &check.target_version_prefix);
                    });
                }
                self.events.iter().for_each(|event| write_event(event, out));
            },
        );
    }
}

impl Ping {
    fn read(node: &Element<'_>) -> Result<Self, OmahaError> {
        Ok(Self {
            active: node.flag("active"),
            days_since_active: node.number("ping", "a")?,
            days_since_roll_call: node.number("ping", "r")?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.leaf("ping", |at| {
            at.put("active", if self.active { "1" } else { "0" });
            at.option("a", self.days_since_active).option("r", self.days_since_roll_call);
        });
    }
}

impl UpdateCheck {
    fn read(node: &Element<'_>) -> Self {
        Self { target_version_prefix: node.text("targetversionprefix") }
    }
}

fn read_event(node: &Element<'_>) -> Result<Event, OmahaError> {
    let kind = node.number("event", "eventtype")?;
    let kind = kind.ok_or(OmahaError::Missing { element: "event", attribute: "eventtype" })?;
    let result = node.number("event", "eventresult")?;
    let result =
        result.ok_or(OmahaError::Missing { element: "event", attribute: "eventresult" })?;
    Ok(Event {
        kind: EventType::from_number(kind),
        result: EventResult::from_number(result),
        error_code: node.number("event", "errorcode")?.map(ErrorCode::new),
        previous_version: node.get("previousversion").map(str::to_owned),
        next_version: node.get("nextversion").map(str::to_owned),
    })
}

fn write_event(event: &Event, out: &mut Writer) {
    out.leaf("event", |at| {
        at.put("eventtype", &event.kind.number().to_string());
        at.put("eventresult", &event.result.number().to_string());
        at.option("errorcode", event.error_code.map(ErrorCode::raw));
        at.option("previousversion", event.previous_version.as_deref());
        at.option("nextversion", event.next_version.as_deref());
    });
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When the document breaks a limit of this crate, is not well-formed, is no `request` of protocol 3.0, or lacks
    /// what no request can be without (`app/@appid`, `event/@eventtype`, `event/@eventresult`).
    pub fn parse(document: &[u8]) -> Result<Self, OmahaError> {
        let root = xml::parse(document, "request")?;
        check_protocol(&root)?;
        Ok(Self {
            version: root.text("version"),
            updater_version: root.text("updaterversion"),
            install_source: InstallSource::from_word(root.get("installsource").unwrap_or_default()),
            is_machine: root.flag("ismachine"),
            request_id: root.text("requestid"),
            session_id: root.text("sessionid"),
            os: root.child("os").map(Os::read).unwrap_or_default(),
            apps: root.children("app").map(App::read).collect::<Result<_, _>>()?,
        })
    }

    /// Writes it, in the order of the update engine of CoreOS.
    pub fn to_xml(&self) -> String {
        let mut out = Writer::new();
        out.element(
            "request",
            |at| {
                at.put("protocol", PROTOCOL).put("version", &self.version);
                at.put("updaterversion", &self.updater_version);
                at.some("installsource", self.install_source.as_word());
                at.put("ismachine", if self.is_machine { "1" } else { "0" });
                at.some("requestid", &self.request_id).some("sessionid", &self.session_id);
            },
            |out| {
                self.os.write(out);
                self.apps.iter().for_each(|app| app.write(out));
            },
        );
        out.finish()
    }

    /// Whether this is Nebraska's syncer and not a host: the two marks by which Nebraska knows it.
    pub fn is_syncer(&self) -> bool {
        self.version == SYNCER_VERSION && self.install_source == InstallSource::Scheduler
    }

    /// The architecture of an application of this request.
    pub fn arch(&self, app: &App) -> Arch {
        Arch::of(&app.board, &self.os.arch)
    }
}

impl Os {
    fn read(node: &Element<'_>) -> Self {
        Self {
            version: node.text("version"),
            platform: node.text("platform"),
            service_pack: node.text("sp"),
            arch: node.text("arch"),
        }
    }

    fn write(&self, out: &mut Writer) {
        out.leaf("os", |at| {
            at.put("version", &self.version)
                .put("platform", &self.platform)
                .put("sp", &self.service_pack);
            at.some("arch", &self.arch);
        });
    }
}

/// A missing version is taken for 3.0, as the update engine takes it in answers.
pub(crate) fn check_protocol(root: &Element<'_>) -> Result<(), OmahaError> {
    match root.get("protocol") {
        None | Some(PROTOCOL) => Ok(()),
        Some(other) => Err(OmahaError::Protocol { found: crate::error::excerpt(other) }),
    }
}
