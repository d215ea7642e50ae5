//! What runners need of the host.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use slipway_engine::{AutoConfig, Choice, Engine, EngineError, Keep, auto};
use slipway_portage::Target;
use tokio::sync::OnceCell;

use crate::{Cargo, Network};

/// A container engine that is started when it is first needed: a build with nothing to do starts none.
pub struct EngineSource {
    choice: Choice,
    config: AutoConfig,
    engine: OnceCell<Arc<dyn Engine>>,
}

impl EngineSource {
    /// The engine that `choice` asks for.
    pub fn new(choice: Choice, config: AutoConfig) -> Self {
        Self { choice, config, engine: OnceCell::new() }
    }

    /// The engine.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn get(&self) -> Result<Arc<dyn Engine>, EngineError> {
        self.engine.get_or_try_init(|| auto(self.choice, self.config.clone())).await.cloned()
    }
}

/// What all runners share.
pub struct Shared {
    /// Runs containers.
    pub engine: Arc<EngineSource>,
    /// The SDK root and the date for file formats.
    pub target: Target,
    /// Where work folders are made; on the file system of the store, so that files can be hard-linked.
    pub work: Utf8PathBuf,
    /// Where sources come from.
    pub network: Network,
    /// Where crates come from.
    pub cargo: Cargo,
    /// What becomes of a failed container.
    pub keep: Keep,
}

/// A folder for the time of one action. What an earlier run that was killed left there is removed first.
pub(crate) struct WorkDir(Utf8PathBuf);

impl WorkDir {
    pub(crate) fn create(work: &Utf8Path, name: &str) -> std::io::Result<Self> {
        let dir = work.join(name);
        if dir.exists() {
            fs_err::remove_dir_all(&dir)?;
        }
        fs_err::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// A new folder in it.
    pub(crate) fn dir(&self, name: &str) -> std::io::Result<Utf8PathBuf> {
        let dir = self.0.join(name);
        fs_err::create_dir_all(&dir)?;
        Ok(dir)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What stays is removed when the next run needs the name.
        fs_err::remove_dir_all(&self.0).ok();
    }
}
