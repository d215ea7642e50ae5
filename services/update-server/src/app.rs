//! What every request handler gets.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{self, Interval, MissedTickBehavior},
};

use crate::{
    checks::Engine,
    clock::Clock,
    config::Config,
    oidc::Provider,
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
    /// The issuer that people log in through, if there is one.
    pub oidc: Option<Arc<Provider>>,
}

impl App {
    /// The state of a server that begins.
    pub fn new(
        store: Store,
        engine: Engine,
        config: Config,
        clock: Clock,
        ending: watch::Receiver<bool>,
    ) -> Self {
        let issuer = config.oidc.clone().zip(config.base_url.as_deref());
        let oidc = issuer.map(|(settings, base)| Arc::new(Provider::new(settings, base)));
        let (config, metrics) = (Arc::new(config), Arc::default());
        Self { store, engine, config, clock, ending, metrics, oidc }
    }

    /// Who changes something now: a person or program, from an address.
    pub fn by(&self, principal: &Principal, address: &str) -> By {
        By { who: principal.name.clone(), address: address.to_owned(), at: self.clock.now() }
    }

    /// When something that goes on by itself is due: at once, and then after each `period`.
    pub fn ticks(&self, period: Duration) -> Ticks {
        let mut ticks = time::interval(period);
        // Who is late does not make up for it.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ticks { ticks, ending: self.ending.clone() }
    }
}

/// Turns of something that goes on by itself while the server runs.
#[derive(Debug)]
pub struct Ticks {
    ticks: Interval,
    ending: watch::Receiver<bool>,
}

impl Ticks {
    /// Waits for the next turn; `None` once the server ends.
    pub async fn next(&mut self) -> Option<()> {
        tokio::select! {
            _ = self.ticks.tick() => Some(()),
            _ = self.ending.wait_for(|ending| *ending) => None,
        }
    }
}
