//! What every request handler gets.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    checks::Engine,
    clock::Clock,
    config::Config,
    store::{By, Principal, Store},
};

/// The state of the server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// Everything that is kept.
    pub store: Store,
    /// Takes what machines say.
    pub engine: Engine,
    /// What was configured.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Clock,
    /// Becomes `true` when the server shall end; streams (SSE) end then.
    pub ending: watch::Receiver<bool>,
    /// What was counted, for `/metrics`.
    pub metrics: Arc<crate::ops::Metrics>,
}

impl App {
    /// Who changes something now: a person or program, from an address.
    pub fn by(&self, principal: &Principal, address: &str) -> By {
        By { who: principal.name.clone(), address: address.to_owned(), at: self.clock.now() }
    }
}
