//! Applications.

use axum::Json;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Ask, Refusal, Reply, channels, groups,
    wire::{AppConfig, AppForm},
};
use crate::{
    coreupdate::Failure,
    ids::{AppId, new_uuid},
    store::{Application, InstanceFilter, Role},
};

/// Instances that were not seen for so long do not count, as with Nebraska.
const ALIVE: SignedDuration = SignedDuration::from_hours(24);

/// Since when an instance must have been seen to count.
pub(super) fn alive_since(now: Timestamp) -> Timestamp {
    now.checked_sub(ALIVE).unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn form(ask: &Ask, app: &Application) -> Result<AppForm, Refusal> {
    let groups = groups::forms(ask, &app.id).await?;
    let channels = channels::forms(ask, &app.id).await?;
    let filter = InstanceFilter {
        app: Some(app.id.clone()),
        seen_from: Some(alive_since(ask.by.at)),
        ..InstanceFilter::default()
    };
    Ok(AppForm::new(app, groups, channels, ask.app.store.count_instances(&filter).await?))
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let page = ask.page()?;
    let apps = ask.app.store.apps().await?;
    let visible: Vec<_> =
        apps.iter().filter(|app| ask.principal.may(Role::Viewer, Some(&app.id))).collect();
    let mut forms = Vec::new();
    for app in part(&visible, page) {
        forms.push(form(&ask, app).await?);
    }
    Ok(Json(json!({ "totalCount": visible.len(), "count": forms.len(), "applications": forms })))
}

/// A part of a list that is in memory.
pub(super) fn part<T>(all: &[T], page: crate::store::Page) -> &[T] {
    let skip = usize::try_from(page.skip).unwrap_or(usize::MAX).min(all.len());
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX).min(all.len() - skip);
    &all[skip..skip + limit]
}

fn label(name: &str) -> Result<String, Refusal> {
    let fine = !name.trim().is_empty() && name.len() <= 256;
    if fine { Ok(name.to_owned()) } else { Err(Failure::bad("`name` has 1 to 256 bytes").into()) }
}

pub(super) async fn create(ask: Ask) -> Reply<AppForm> {
    ask.needs(Role::Admin, None)?;
    let AppConfig { name, description, product_id } = ask.body()?;
    let source = match ask.asked("clone_from") {
        Some(source) => {
            let found = ask.app.store.find_app(source).await?;
            Some(found.ok_or_else(|| Failure::missing("application", source))?)
        }
        None => None,
    };
    let id: AppId = new_uuid().parse()?;
    let product_id = product_id.filter(|product| !product.is_empty());
    let app =
        Application { id, product_id, label: label(&name)?, description, created_at: ask.by.at };
    ask.app.store.create_app(&ask.by, &app).await?;
    if let Some(source) = source {
        groups::copy(&ask, &source.id, &app.id).await?;
    }
    Ok(Json(form(&ask, &app).await?))
}

pub(super) async fn show(ask: Ask) -> Reply<AppForm> {
    let app = ask.application(Role::Viewer).await?;
    Ok(Json(form(&ask, &app).await?))
}

pub(super) async fn update(ask: Ask) -> Reply<AppForm> {
    let app = ask.application(Role::Operator).await?;
    let AppConfig { name, description, product_id } = ask.body()?;
    let label = label(&name)?;
    let change = |app: &mut Application| {
        app.product_id = product_id.filter(|product| !product.is_empty());
        app.label = label;
        app.description = description;
    };
    let app = ask.app.store.change_app(&ask.by, &app.id, change).await?;
    Ok(Json(form(&ask, &app).await?))
}

pub(super) async fn delete(ask: Ask) -> Result<(), Refusal> {
    let app = ask.application(Role::Admin).await?;
    Ok(ask.app.store.delete_app(&ask.by, &app.id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Page;

    #[test]
    fn a_part_of_a_list() {
        let all = [1, 2, 3, 4, 5];
        let check =
            |skip, limit, expected: &[i32]| assert_eq!(part(&all, Page { skip, limit }), expected);
        check(0, 2, &[1, 2]);
        check(4, 2, &[5]);
        check(5, 2, &[]);
        check(u64::MAX, u64::MAX, &[]);
        check(0, u64::MAX, &all);
    }
}
