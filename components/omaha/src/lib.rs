//! Omaha version 3 as hosts of the CoreOS family speak it: requests and responses as types. No I/O.
//!
//! Both sides use this crate. A server reads a [`Request`] and writes a [`Response`]; an update client writes the
//! one and reads the other. Reading is tolerant about *what* a document holds (unknown elements and attributes,
//! braces around identifiers, the order of things) and strict about *how much* ([`MAX_DOCUMENT`], [`MAX_DEPTH`],
//! no document type, no entities of its own). Writing has one fixed order, so equal values are equal bytes.
//!
//! ```
//! use slipway_omaha::{Request, Response};
//!
//! let request = Request::parse(
//!     br#"<request protocol="3.0"><app appid="e96281a6-d1af-4bde-9a0a-97b76e56dc57" version="1.0.0"><ping active="1"/></app></request>"#,
//! )?;
//! assert_eq!(request.apps[0].id, slipway_omaha::COREOS_APP_ID.parse()?);
//! let response = Response::new("example");
//! assert!(response.to_xml().starts_with("<?xml"));
//! # Ok::<(), slipway_omaha::OmahaError>(())
//! ```

mod arch;
mod code;
mod error;
mod event;
mod id;
mod request;
mod response;
mod status;
mod write;
mod xml;

pub use arch::{Arch, LegacyGroup};
pub use code::{CodeFlag, ErrorCode};
pub use error::OmahaError;
pub use event::{Event, EventResult, EventType};
pub use id::AppId;
pub use request::{App, InstallSource, Os, Ping, Request, SYNCER_VERSION, UpdateCheck};
pub use response::{Action, AppResponse, CheckResponse, Manifest, Package, Response};
pub use status::{AppStatus, CheckStatus};

/// The application identifier of Slipway Linux.
pub const SLIPWAY_APP_ID: &str = "{5a1b0b6e-5c1e-4d6f-9d0a-4f2b7d3c8e11}";

/// The application identifier of CoreOS Container Linux, which Flatcar kept.
pub const COREOS_APP_ID: &str = "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}";

/// The only protocol version that is understood.
pub const PROTOCOL: &str = "3.0";

/// The longest document that is read, in bytes: 1 MiB, as the clients of the CoreOS family have it.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// How deep elements may nest. The protocol needs seven levels (`response` to `package`).
pub const MAX_DEPTH: usize = 16;

/// How many elements a document may hold. A megabyte of real requests holds about six thousand.
pub const MAX_ELEMENTS: usize = 10_000;

/// How many attributes an element may have. The protocol knows at most twenty at one.
pub const MAX_ATTRIBUTES: usize = 64;

/// The longest value of an attribute, in bytes after its references are resolved.
pub const MAX_VALUE: usize = 8 << 10;
