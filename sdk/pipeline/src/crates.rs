//! Crates of the registry: taken from what the user's own cargo has downloaded, so that its settings (registry, mirror, proxy,
//! credentials) are the only ones.

use std::sync::Arc;

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use slipway_build::{Outputs, RunContext, RunError, Runner};
use slipway_store::{Digest, Ingest};
use tokio::sync::Mutex;

use crate::{RegistryCrate, Shared, package::blocking};

/// The user's cargo.
#[derive(Debug)]
pub struct Cargo {
    program: Utf8PathBuf,
    home: Utf8PathBuf,
    workspace: Utf8PathBuf,
    /// Whether it was asked to download all that the lock file names.
    asked: Mutex<bool>,
}

/// Why a crate cannot be had.
#[derive(Debug, thiserror::Error)]
enum CrateError {
    #[error("`{program} fetch` cannot be started")]
    Start {
        program: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`cargo fetch --locked` failed; its words are in the log")]
    Fetch,
    #[error(
        "`cargo fetch` left no `{file}` with the digest of `Cargo.lock` in `{home}/registry/cache`: a source replacement of cargo's configuration may only name a registry"
    )]
    Absent { file: String, home: Utf8PathBuf },
}

impl Cargo {
    /// The cargo `program` with its folder `home` (`CARGO_HOME`), for the workspace in the folder `workspace`.
    pub fn new(program: Utf8PathBuf, home: Utf8PathBuf, workspace: Utf8PathBuf) -> Self {
        Self { program, home, workspace, asked: Mutex::new(false) }
    }

    /// The archive of a crate, if it was downloaded: `registry/cache/REGISTRY/NAME-VERSION.crate` in cargo's home.
    fn find(&self, wanted: &RegistryCrate) -> Option<Utf8PathBuf> {
        let registries = self.home.join("registry/cache").read_dir_utf8().ok()?;
        let paths = registries.flatten().map(|entry| entry.path().join(wanted.file_name()));
        paths.into_iter().find(|path| {
            path.is_file() && Digest::of_file(path).is_ok_and(|digest| digest == wanted.sha256)
        })
    }

    /// Lets cargo download everything that the lock file names, once in this run.
    async fn download(&self, cx: &RunContext) -> Result<(), RunError> {
        let failed = |error| RunError::failed("fetch a crate", error);
        let mut asked = self.asked.lock().await;
        if *asked {
            return Ok(());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the user's own cargo, with the user's environment: both say where crates come from"
        )]
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["fetch", "--locked", "--manifest-path"])
            .arg(self.workspace.join("Cargo.toml"))
            .current_dir(&self.workspace)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::select! {
            output = command.output() => output,
            () = cx.cancel.cancelled() => return Err(RunError::Cancelled),
        };
        let output = output.map_err(|source| {
            failed(CrateError::Start { program: self.program.clone(), source })
        })?;
        cx.log.write(&output.stderr).map_err(|error| RunError::failed("write the log", error))?;
        if !output.status.success() {
            return Err(failed(CrateError::Fetch));
        }
        *asked = true;
        Ok(())
    }
}

/// Fetches one crate.
pub(crate) struct CrateRunner {
    pub(crate) wanted: RegistryCrate,
    pub(crate) shared: Arc<Shared>,
}

impl Runner for CrateRunner {
    fn run(&self, cx: RunContext) -> BoxFuture<'static, Result<Outputs, RunError>> {
        let (wanted, shared) = (self.wanted.clone(), self.shared.clone());
        Box::pin(async move {
            let path = match find(&shared, &wanted).await? {
                Some(path) => path,
                None => {
                    shared.cargo.download(&cx).await?;
                    find(&shared, &wanted).await?.ok_or_else(|| {
                        let (file, home) = (wanted.file_name(), shared.cargo.home.clone());
                        RunError::failed("fetch a crate", CrateError::Absent { file, home })
                    })?
                }
            };
            let store = cx.store.clone();
            let stored = blocking("store the crate", move || {
                store
                    .put_file(&path, Ingest::Copy)
                    .map_err(|error| RunError::failed("store the crate", error))
            });
            Ok([("file".to_owned(), stored.await?)].into())
        })
    }
}

async fn find(
    shared: &Arc<Shared>,
    wanted: &RegistryCrate,
) -> Result<Option<Utf8PathBuf>, RunError> {
    let (shared, wanted) = (shared.clone(), wanted.clone());
    blocking("look for the crate", move || Ok(shared.cargo.find(&wanted))).await
}

#[cfg(test)]
mod tests;
