//! The stages of this crate against a small repository of the test's own, and against the real one on request.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test, also in its helpers")]

mod locking;
mod making;
mod real;
mod support;
