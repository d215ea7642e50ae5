//! Numbers that stay fresh while a page is open: server-sent events, until the reader leaves or the server ends.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Path, State},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::stream;

use super::{
    group::{Numbers, find, fresh_numbers},
    page::PageError,
    session::Visitor,
};
use crate::app::App;

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(5);

/// A stream's state: what it asks for, and what it said last.
struct Watch {
    app: App,
    of: (crate::ids::AppId, crate::ids::GroupId),
    last: Option<Numbers>,
}

/// The numbers of a group, at once and whenever they change.
pub(super) async fn group(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, group) = find(&app, &visitor, &path).await?;
    let watch = Watch { app, of: (row.id, group.id), last: None };
    let stream = stream::unfold(watch, next);
    Ok(Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

/// The next change; `None` ends the stream. A database that does not answer is asked again.
async fn next(mut watch: Watch) -> Option<(Result<Event, Infallible>, Watch)> {
    loop {
        if *watch.app.ending.borrow() {
            return None;
        }
        let numbers = fresh_numbers(&watch.app, &watch.of.0, &watch.of.1).await.ok();
        if let Some(numbers) = numbers.filter(|numbers| watch.last.as_ref() != Some(numbers)) {
            let event = Event::default().event("numbers").json_data(&numbers).ok()?;
            watch.last = Some(numbers);
            return Some((Ok(event), watch));
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            // An error says that the server is gone already.
            changed = watch.app.ending.changed() => if changed.is_err() { return None },
        }
    }
}
