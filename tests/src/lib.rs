//! The repository's own rules, checked as tests; end-to-end tests are in `it/`.

pub mod caches;
pub mod dependencies;
pub mod sources;
pub mod tidy;
