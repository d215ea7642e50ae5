//! The pipeline with a real server, without containers.

mod manifest;
mod server;
