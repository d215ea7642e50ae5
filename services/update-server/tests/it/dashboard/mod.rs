//! The dashboard, through its router and a real database, and in a real browser.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap as the tests do")]

mod browser;
mod forms;
mod issuer;
mod oidc;
mod pages;
mod safety;
mod webdriver;
mod world;
