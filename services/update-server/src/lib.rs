//! The update server: an Omaha endpoint, the APIs of CoreUpdate and Nebraska, an API of its own, and a dashboard.
//!
//! Concepts:
//! - [`store`]: what is kept, in SQLite or PostgreSQL.
//! - [`policy`]: who gets which version, and when; a pure function.
//! - [`checks`]: machines that ask.
//! - [`app::App`]: what every request handler gets.
//! - [`oidc`]: people who log in through an issuer.
//! - [`syncer`]: another Omaha server that channels follow.
//! - [`tls`]: the certificate of a server that no proxy is in front of.

pub mod api;
pub mod app;
pub mod checks;
pub mod clock;
pub mod config;
pub mod coreupdate;
pub mod dashboard;
pub mod endpoint;
pub mod http;
pub mod ids;
pub mod nebraska;
pub mod oidc;
pub mod ops;
pub mod policy;
pub mod releases;
pub mod store;
pub mod syncer;
pub mod tls;

/// An error with everything that caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
