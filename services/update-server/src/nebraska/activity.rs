//! What happened.

use axum::Json;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Ask, Refusal, Reply, wire::ActivityForm};
use crate::{
    coreupdate::Failure,
    store::{Activity, ActivityFilter, Catalog, Role, Severity},
};

fn severity(number: i64) -> Result<Severity, Refusal> {
    let known = [Severity::Success, Severity::Info, Severity::Warning, Severity::Error];
    let problem =
        || Failure::bad(format!("`severity` is `{number}`; 1 (success) to 4 (error) are possible"));
    Ok(known.into_iter().find(|severity| severity.number() == number).ok_or_else(problem)?)
}

fn time(ask: &Ask, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let problem = |text: &str| {
        Failure::bad(format!(
            "`{name}` is `{text}`; a time such as `2026-11-25T22:00:00Z` is expected"
        ))
    };
    Ok(ask.asked(name).map(|text| text.parse().map_err(|_| problem(text))).transpose()?)
}

async fn filter(ask: &Ask) -> Result<ActivityFilter, Refusal> {
    let app = match ask.asked("appIDorProductID") {
        Some(name) => {
            let app = ask
                .app
                .store
                .find_app(name)
                .await?
                .ok_or_else(|| Failure::missing("application", name))?;
            Some(app.id)
        }
        None => None,
    };
    ask.needs(Role::Viewer, app.as_ref())?;
    Ok(ActivityFilter {
        app,
        group: ask.asked("groupID").map(str::parse).transpose()?,
        machine: ask.asked("instanceID").map(str::parse).transpose()?,
        severity: ask
            .asked_number("severity")?
            .filter(|number| *number != 0)
            .map(severity)
            .transpose()?,
        from: time(ask, "start")?,
        until: time(ask, "end")?,
    })
}

fn form(activity: &Activity, catalog: &Catalog) -> ActivityForm {
    let app = catalog.apps.get(&activity.what.app);
    let name = app.map(|app| app.app.label.clone()).unwrap_or_default();
    let group = activity.what.group.as_ref().and_then(|id| app?.groups.get(id));
    ActivityForm::new(activity, name, group.map(|group| group.group.label.clone()))
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let filter = filter(&ask).await?;
    let found = ask.app.store.activity(&filter, ask.page()?).await?;
    let catalog = ask.app.store.catalog().await?;
    let version = ask.asked("version");
    let wanted = found
        .items
        .iter()
        .filter(|activity| version.is_none_or(|version| activity.what.version == version));
    let forms: Vec<_> = wanted.map(|activity| form(activity, &catalog)).collect();
    Ok(Json(json!({ "totalCount": found.total, "count": forms.len(), "activities": forms })))
}
