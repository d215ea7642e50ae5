//! What CoreUpdate's client asks for outside its API: the first start, a backup, and uploads.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use camino::Utf8Path;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::{Failure, Gate, address_of};
use crate::{
    app::App,
    http::routing::{get, post},
    ids::{new_uuid, plain_file_name},
    store::{By, Role},
};

/// The largest file that may be uploaded, in bytes: 8 GiB.
const MAX_UPLOAD: u64 = 8 << 30;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/v1/init", get(initialize))
        .route("/db/backup", get(backup))
        .route("/package-upload", post(upload).layer(DefaultBodyLimit::disable()))
}

/// The tables are made when the server starts, so there is nothing to do; the client wants to read exactly this.
async fn initialize() -> &'static str {
    "ok"
}

/// Lets an administrator of everything in.
async fn administrator(app: &App, request: Request) -> Result<(By, Request), Failure> {
    let gate = request.extensions().get::<Arc<Gate>>().cloned();
    let gate = gate.ok_or_else(|| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server is put together wrongly")
    })?;
    let (parts, body) = request.into_parts();
    // Payloads are not signed: the stock client does not, and they are too long to be read first.
    let principal = gate.sender(app, &parts, &[]).await?;
    if !principal.may(Role::Admin, None) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "this needs the role admin in all applications",
        ));
    }
    let by = app.by(&principal, &address_of(app, &parts));
    Ok((by, Request::from_parts(parts, body)))
}

async fn backup(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (by, _request) = administrator(&app, request).await?;
    let folder =
        tempfile::tempdir().map_err(|error| internal("make a folder for the backup", &error))?;
    let path = folder.path().join("backup.sqlite");
    let path = Utf8Path::from_path(&path)
        .ok_or_else(|| Failure::bad("the folder for temporary files is not UTF-8"))?;
    app.store
        .backup(path)
        .await
        .map_err(|error| Failure::new(StatusCode::NOT_IMPLEMENTED, crate::chain(&error)))?;
    app.store.add_audit(&by, "backup", None, "database", &json!({})).await?;
    let file = fs_err::tokio::File::open(path)
        .await
        .map_err(|error| internal("open the backup", &error))?;
    // The file lives until it is closed, though its name goes now.
    drop(folder);
    let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.sqlite3"));
    let name = HeaderValue::from_static("attachment; filename=\"backup.sqlite\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

async fn upload(
    State(app): State<App>,
    request: Request,
) -> Result<Json<serde_json::Value>, Failure> {
    let (by, request) = administrator(&app, request).await?;
    let folder = app.config.packages.clone();
    let folder = folder.ok_or_else(|| {
        Failure::new(StatusCode::FORBIDDEN, "uploads are switched off on this server")
    })?;
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::bad(format!("the upload cannot be read: {error}"));
    let mut form =
        Multipart::from_request(request, &app).await.map_err(|error| unreadable(&error))?;
    while let Some(mut field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        let Some(name) = field.file_name().map(str::to_owned) else { continue };
        let name = file_name(&name)?;
        let aside = folder.join(format!(".upload-{}", new_uuid()));
        let written = write(&mut field, &aside).await;
        let size = match written {
            Ok(size) => size,
            Err(failure) => {
                // What is left of it would be in nobody's way; the failure is what counts.
                let _left_over = fs_err::tokio::remove_file(&aside).await;
                return Err(failure);
            }
        };
        let renamed = fs_err::tokio::rename(&aside, folder.join(&name)).await;
        renamed.map_err(|error| internal("put the upload in its place", &error))?;
        app.store.add_audit(&by, "package.upload", None, &name, &json!({ "size": size })).await?;
        return Ok(Json(json!({ "file": name, "size": size.to_string() })));
    }
    Err(Failure::bad("the upload has no file"))
}

/// A name that stays in its folder.
fn file_name(name: &str) -> Result<String, Failure> {
    if plain_file_name(name) {
        Ok(name.to_owned())
    } else {
        Err(Failure::bad(
            "a file's name has letters, digits and `._-+` only, and does not begin with a dot",
        ))
    }
}

async fn write(
    field: &mut axum::extract::multipart::Field<'_>,
    path: &Utf8Path,
) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| internal("write the upload", &error);
    let mut file = fs_err::tokio::File::create(path).await.map_err(failed)?;
    let mut size = 0u64;
    while let Some(chunk) = field
        .chunk()
        .await
        .map_err(|error| Failure::bad(format!("the upload broke off: {error}")))?
    {
        size += chunk.len() as u64;
        if size > MAX_UPLOAD {
            return Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "a file of more than 8 GiB is no package",
            ));
        }
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    Ok(size)
}

fn internal(what: &str, error: &dyn std::error::Error) -> Failure {
    tracing::error!(error = %crate::chain(error), "cannot {what}");
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("the server cannot {what}; see its log"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        assert_eq!(file_name("e9_1.2.3_update.gz").as_deref(), Ok("e9_1.2.3_update.gz"));
        for bad in
            ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "a\0b", &"x".repeat(201)]
        {
            assert!(file_name(bad).is_err(), "{bad:?}");
        }
    }
}
