//! Events: what a client tells of an update's progress.

use std::fmt;

use crate::ErrorCode;

/// Numbers on the wire with a variant and words each.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal, $words:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", stringify!($number), "`: ", $words, ".")] $variant,)*
            /// A number that this crate does not know.
            Other(u32),
        }

        impl $name {
            /// Every variant with a number of its own, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// By the number on the wire.
            pub fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The number on the wire.
            pub fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($words),)*
                    Self::Other(number) => write!(f, "unknown ({number})"),
                }
            }
        }
    };
}

numbered! {
    /// The kind of an event (google/omaha, `doc/ServerProtocolV3.md`; 800 is CoreUpdate's own).
    EventType {
        Unknown = 0, "unknown";
        DownloadComplete = 1, "download complete";
        InstallComplete = 2, "install complete";
        UpdateComplete = 3, "update complete";
        Uninstall = 4, "uninstalled";
        DownloadStarted = 5, "download started";
        InstallStarted = 6, "install started";
        NewApplicationInstallStarted = 9, "install of a new application started";
        SetupStarted = 10, "setup started";
        SetupFinished = 11, "setup finished";
        UpdateApplicationStarted = 12, "update of an application started";
        UpdateDownloadStarted = 13, "update download started";
        UpdateDownloadFinished = 14, "update download finished";
        UpdateInstallerStarted = 15, "update installer started";
        SetupUpdateBegin = 16, "update of the updater began";
        SetupUpdateComplete = 17, "update of the updater complete";
        RegisterProductComplete = 20, "registration complete";
        OemInstallFirstCheck = 30, "first check of a factory install";
        AppCommandStarted = 40, "command of an application started";
        AppCommandEnded = 41, "command of an application ended";
        UpdateCheckFailure = 50, "update check failed";
        Reboot = 54, "rebooting";
        SetupFailure = 100, "setup failed";
        ComServerFailure = 102, "updater's server failed";
        SetupUpdateFailure = 103, "update of the updater failed";
        Held = 800, "installed, reboot held back";
    }
}

numbered! {
    /// The outcome that an event reports.
    EventResult {
        Error = 0, "error";
        Success = 1, "success";
        SuccessReboot = 2, "success after reboot";
        SuccessRestartBrowser = 3, "success after restart";
        Cancelled = 4, "cancelled";
        InstallerMsiError = 5, "error of the installer service";
        InstallerError = 6, "error of the installer";
        NoUpdate = 7, "no update";
        InstallerSystemError = 8, "system error of the installer";
        UpdateDeferred = 9, "deferred";
        HandoffError = 10, "hand-over error";
    }
}

/// One event of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind.
    pub kind: EventType,
    /// The outcome.
    pub result: EventResult,
    /// Why, if the outcome is not a success.
    pub error_code: Option<ErrorCode>,
    /// The version before. `Some("")` differs from `None`: the update engine sends the empty one with every check,
    /// and nothing in other events. `0.0.0.0` stands for a new installation.
    pub previous_version: Option<String>,
    /// The version that is being installed (clients of go-omaha).
    pub next_version: Option<String>,
}

impl Event {
    /// An event of a kind with an outcome and nothing else.
    pub fn new(kind: EventType, result: EventResult) -> Self {
        Self { kind, result, error_code: None, previous_version: None, next_version: None }
    }

    /// The failure of an update.
    pub fn failure(code: ErrorCode) -> Self {
        Self { error_code: Some(code), ..Self::new(EventType::UpdateComplete, EventResult::Error) }
    }

    /// In words for people, for example `update applied, waiting for the reboot`.
    pub fn words(&self) -> String {
        match (self.kind, self.result) {
            (EventType::UpdateDownloadStarted, EventResult::Success) => "download started".into(),
            (EventType::UpdateDownloadFinished, EventResult::Success) => {
                "downloaded and verified".into()
            }
            (EventType::UpdateComplete, EventResult::Success) => {
                "update applied, waiting for the reboot".into()
            }
            (EventType::UpdateComplete, EventResult::SuccessReboot) => self.words_after_reboot(),
            (EventType::Held, EventResult::Success) => {
                "update applied, reboot held back by the host".into()
            }
            (EventType::UpdateComplete, EventResult::UpdateDeferred) => {
                self.with_code("update deferred")
            }
            (EventType::UpdateComplete, EventResult::Error) => self.with_code("update failed"),
            (kind, result) => self.with_code(&format!("{kind}: {result}")),
        }
    }

    fn words_after_reboot(&self) -> String {
        match self.previous_version.as_deref() {
            None | Some("") => "running".into(),
            Some("0.0.0.0") => "running, newly installed".into(),
            Some(version) => format!("running after an update from {version}"),
        }
    }

    fn with_code(&self, words: &str) -> String {
        match self.error_code {
            Some(code) => format!("{words}: {code}"),
            None => words.to_owned(),
        }
    }
}
