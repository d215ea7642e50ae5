//! Methods about what happened, and who did it.

use axum::Json;
use serde::Deserialize;

use super::{
    call::{Asked, Caller},
    failure::Failure,
};
use crate::{
    ids::{AppId, GroupId},
    store::{Activity, ActivityFilter, AuditEntry, Page, Paged, Role},
};

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    app: Option<AppId>,
    group: Option<GroupId>,
    skip: Option<u64>,
    limit: Option<u64>,
}

impl Which {
    fn page(&self) -> Page {
        Page {
            skip: self.skip.unwrap_or(0).min(1 << 40),
            limit: self.limit.unwrap_or(100).clamp(1, 1000),
        }
    }
}

pub(super) async fn activity(
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Paged<Activity>>, Failure> {
    caller.needs(Role::Viewer, which.app.as_ref())?;
    let page = which.page();
    let filter = ActivityFilter { app: which.app, group: which.group, ..ActivityFilter::default() };
    Ok(Json(caller.app.store.activity(&filter, page).await?))
}

pub(super) async fn audit(
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Paged<AuditEntry>>, Failure> {
    caller.needs(Role::Admin, which.app.as_ref())?;
    let page = which.page();
    Ok(Json(caller.app.store.audit_log(which.app.as_ref(), page).await?))
}
