//! Why something was not done, with the number that the server is told.

use std::io;

use crate::{
    boot::BootError, config::ConfigError, decide::Refusal, fetch::FetchError, host::HostError,
    install::InstallError, memory::MemoryError, status::IllegalStep, talk::TalkError,
    trust::TrustError,
};

/// Why something was not done. The running version is untouched.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another agent.
    #[error("another update agent works on this machine")]
    Locked,
    /// The agent's folders.
    #[error("the agent's folders cannot be used")]
    Folders(#[source] io::Error),
    /// The disk or the ESP.
    #[error("cannot open the disk or the ESP")]
    Hardware(#[source] io::Error),
    /// Updates are switched off.
    #[error("updates are switched off: no server is configured")]
    Off,
    /// A wish that cannot be fulfilled now.
    #[error("an update waits for its reboot; `reset` takes it back")]
    Waiting,
    /// A version that is none.
    #[error("`{0}` is no version; write three numbers, for example `4.2.0`")]
    Version(String),
    /// A payload that is not the one of the record.
    #[error("the payload is not for what its record says")]
    OtherPayload,
    /// The network.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Signed metadata.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server's answer.
    #[error(transparent)]
    Talk(#[from] TalkError),
    /// A version that is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A payload.
    #[error(transparent)]
    Payload(#[from] slipway_payload::PayloadError),
    /// The installation.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The boot loader's choice.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A mistake of this program.
    #[error(transparent)]
    Step(#[from] IllegalStep),
}

impl AgentError {
    /// The number that the server is told.
    pub fn code(&self) -> u32 {
        use slipway_payload::PayloadError as P;
        match self {
            Self::Fetch(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Talk(_) => 34,
            Self::Refused(refusal) => refusal.code(),
            Self::Install(error) => error.code(),
            Self::Hardware(_) => 7,
            Self::OtherPayload | Self::Payload(P::WrongHead { .. }) => 26,
            Self::Payload(P::WrongFrame { .. }) => 10,
            Self::Payload(P::NoPayload) => 21,
            Self::Payload(_) => 28,
            _ => 1,
        }
    }

    /// Whether it is a decision and no failure.
    pub fn is_block(&self) -> bool {
        match self {
            Self::Refused(refusal) => !refusal.is_attack(),
            Self::Install(error) => {
                matches!(error, InstallError::NotBlessed(_) | InstallError::Runs(_))
            }
            Self::Off | Self::Locked | Self::Waiting => true,
            _ => false,
        }
    }

    /// The error with all its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}
