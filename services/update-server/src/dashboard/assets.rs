//! Style, script and icon: parts of the program, under addresses that change with their content.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use super::page::PageError;
use crate::ids::hex;

const STYLE: &str = include_str!("../../static/style.css");
const SCRIPT: &str = include_str!("../../static/live.js");
const ICON: &str = include_str!("../../static/icon.svg");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("style", STYLE, "css"));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("live", SCRIPT, "js"));

fn path(name: &str, content: &str, extension: &str) -> String {
    let digest = hex(&Sha256::digest(content.as_bytes()));
    format!("/static/{name}-{}.{extension}", &digest[..12])
}

/// Where the style is.
pub(super) fn style_path() -> &'static str {
    &STYLE_PATH
}

/// Where the script is.
pub(super) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

/// A file of the dashboard. Only the present content is there, so it may be kept for ever.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, PageError> {
    let is = |path: &str| path.strip_prefix("/static/") == Some(name.as_str());
    let (kind, content, keep) = match name.as_str() {
        _ if is(style_path()) => {
            ("text/css; charset=utf-8", STYLE, "public, max-age=31536000, immutable")
        }
        _ if is(script_path()) => {
            ("text/javascript; charset=utf-8", SCRIPT, "public, max-age=31536000, immutable")
        }
        "icon.svg" => ("image/svg+xml", ICON, "public, max-age=3600"),
        _ => return Err(PageError::NotFound { what: "file".to_owned() }),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], content).into_response())
}
