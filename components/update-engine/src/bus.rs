//! D-Bus: names, methods and signal of the ancestors, so that their clients work, and one method for everything that came later.

use zbus::{fdo, interface, object_server::SignalEmitter};

use crate::{
    agent::Report,
    service::{Command, Handle},
};

/// The bus name (CoreOS and Flatcar have the same).
pub const NAME: &str = "com.coreos.update1";

/// The object.
pub const PATH: &str = "/com/coreos/update1";

/// The object on the bus.
#[derive(Debug)]
pub struct Bus {
    handle: Handle,
}

/// `(x last_checked_time, d progress, s current_operation, s new_version, x new_size)`.
type Old = (i64, f64, String, String, i64);

fn old(report: &Report) -> Old {
    let (progress, size) = report.status.progress();
    (
        report.last_checked,
        progress,
        report.status.stage().dbus_name().to_owned(),
        report.status.version().unwrap_or("0.0.0").to_owned(),
        i64::try_from(size).unwrap_or(i64::MAX),
    )
}

fn json(value: &impl serde::Serialize) -> fdo::Result<String> {
    serde_json::to_string(value).map_err(|error| fdo::Error::Failed(error.to_string()))
}

impl Bus {
    /// An object for a daemon.
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Serves on a connection, and tells of every change, until the agent ends.
    ///
    /// # Errors
    /// When the bus refuses the name or goes away.
    pub async fn serve(handle: Handle, builder: zbus::connection::Builder<'_>) -> zbus::Result<()> {
        let mut reports = handle.reports();
        let builder = builder.name(NAME)?.serve_at(PATH, Self::new(handle))?;
        let connection = builder.build().await?;
        let object = connection.object_server().interface::<_, Self>(PATH).await?;
        while reports.changed().await.is_ok() {
            let (checked, progress, operation, version, size) = old(&reports.borrow_and_update());
            let emitter = object.signal_emitter();
            Self::status_update(emitter, checked, progress, &operation, &version, size).await?;
            let bus = object.get().await;
            bus.state_changed(emitter).await?;
            bus.reason_changed(emitter).await?;
        }
        Ok(())
    }

    fn report(&self) -> Report {
        self.handle.reports().borrow().clone()
    }
}

#[interface(name = "com.coreos.update1.Manager")]
impl Bus {
    /// Checks, and updates if there is something; does not wait for the end.
    fn attempt_update(&self) -> fdo::Result<()> {
        match self.handle.order(Command::Update { folder: None }) {
            true => Ok(()),
            false => Err(fdo::Error::LimitsExceeded("the agent is busy".to_owned())),
        }
    }

    /// Forgets failures, and takes back what waits for a reboot.
    async fn reset_status(&self) -> fdo::Result<()> {
        let reply = self.handle.ask(Command::Reset).await;
        match reply.answer {
            crate::service::Answer::Done => Ok(()),
            _ => Err(fdo::Error::Failed(reply.message)),
        }
    }

    /// When the server was asked last, how far a download is, what the agent does, to which version, of how many bytes.
    #[zbus(out_args(
        "last_checked_time",
        "progress",
        "current_operation",
        "new_version",
        "new_size"
    ))]
    fn get_status(&self) -> (i64, f64, String, String, i64) {
        old(&self.report())
    }

    /// Everything that the agent tells about itself, as JSON.
    fn describe(&self) -> fdo::Result<String> {
        json(&self.report())
    }

    /// Takes a command as JSON, waits for its end, and gives a reply as JSON.
    async fn control(&self, command: &str) -> fdo::Result<String> {
        let command: Command = serde_json::from_str(command)
            .map_err(|error| fdo::Error::InvalidArgs(error.to_string()))?;
        json(&self.handle.ask(command).await)
    }

    /// The same as `GetStatus`, at every change.
    #[zbus(signal)]
    async fn status_update(
        emitter: &SignalEmitter<'_>,
        last_checked_time: i64,
        progress: f64,
        current_operation: &str,
        new_version: &str,
        new_size: i64,
    ) -> zbus::Result<()>;

    /// What the agent does.
    #[zbus(property)]
    fn state(&self) -> String {
        format!("{:?}", self.report().status.stage())
    }

    /// Why it does not update, if it does not.
    #[zbus(property)]
    fn reason(&self) -> String {
        match self.report().status {
            crate::Status::Blocked { reason } | crate::Status::Error { reason, .. } => reason,
            _ => String::new(),
        }
    }

    /// The version that runs.
    #[zbus(property)]
    fn running_version(&self) -> String {
        self.report().running
    }

    /// The channel.
    #[zbus(property)]
    fn channel(&self) -> String {
        self.report().channel
    }
}
