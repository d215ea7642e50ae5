//! Groups and their policy.

use axum::Json;
use serde_json::{Value, json};

use super::{
    Ask, Refusal, Reply, apps, channels, duration,
    wire::{GroupConfig, GroupForm, UNLIMITED},
};
use crate::{
    coreupdate::Failure,
    ids::{AppId, ChannelId, GroupId, new_uuid},
    policy::{PerPeriod, Policy, Window},
    store::{Channel, Group, Role},
};

/// Nebraska's office hours.
const OFFICE: &str = "Mon-Fri 09:00 +8h";

/// The groups of an application with their channels.
pub(super) async fn forms(ask: &Ask, app: &AppId) -> Result<Vec<GroupForm>, Refusal> {
    let mut forms = Vec::new();
    for group in ask.app.store.groups(app).await? {
        forms.push(form(ask, &group).await?);
    }
    Ok(forms)
}

async fn form(ask: &Ask, group: &Group) -> Result<GroupForm, Refusal> {
    let channel = match &group.channel {
        Some(id) => ask.app.store.channel(id).await?,
        None => None,
    };
    let channel = match channel {
        Some(channel) => Some(channels::form(ask, &channel).await?),
        None => None,
    };
    Ok(GroupForm::new(group, channel))
}

/// Sets in a policy what Nebraska knows of one; the rest stays.
fn set_policy(policy: &mut Policy, config: &GroupConfig) -> Result<(), Failure> {
    let seconds = |name: &str, text: &str| {
        let problem = || {
            Failure::bad(format!(
                "`{name}` is `{text}`; a duration such as `15 minutes` is expected"
            ))
        };
        duration::parse(text).ok_or_else(problem)
    };
    let period = seconds("policy_period_interval", &config.policy_period_interval)?;
    let count = config.policy_max_updates_per_period;
    policy.per_period = (count < UNLIMITED).then_some(PerPeriod { count, seconds: period });
    policy.lease_seconds = seconds("policy_update_timeout", &config.policy_update_timeout)?;
    policy.updates_enabled = config.policy_updates_enabled;
    policy.safe_mode = config.policy_safe_mode;
    let zone = if config.policy_timezone.is_empty() { "UTC" } else { &config.policy_timezone };
    let unchanged = policy.windows.first().is_some_and(|window| window.zone() == zone);
    if !config.policy_office_hours {
        policy.windows = Vec::new();
    } else if !unchanged {
        // Windows that were set by other means stay, unless the time zone changes.
        let window: Window = format!("{OFFICE} {zone}")
            .parse()
            .map_err(|error: crate::policy::WindowError| Failure::bad(error.to_string()))?;
        policy.windows = vec![window];
    }
    Ok(())
}

async fn channel_of(
    ask: &Ask,
    app: &AppId,
    config: &GroupConfig,
) -> Result<Option<ChannelId>, Refusal> {
    let Some(id) = config.channel_id.as_ref().filter(|id| !id.is_empty()) else { return Ok(None) };
    let missing = || Failure::missing("channel", id);
    let channel: ChannelId = id.parse().map_err(|_| missing())?;
    let channel = ask.app.store.channel(&channel).await?.filter(|channel| channel.app == *app);
    Ok(Some(channel.ok_or_else(missing)?.id))
}

/// What a group of an application shall be.
async fn wanted(ask: &Ask, app: &AppId) -> Result<(GroupConfig, Option<ChannelId>), Refusal> {
    let config: GroupConfig = ask.body()?;
    if config.name.trim().is_empty()
        || config.name.len() > 50
        || config.description.len() > 250
        || config.track.len() > 256
    {
        return Err(Failure::bad(
            "`name` has 1 to 50 bytes, `description` up to 250, `track` up to 256",
        )
        .into());
    }
    let channel = channel_of(ask, app, &config).await?;
    Ok((config, channel))
}

fn set(
    group: &mut Group,
    (config, channel): (GroupConfig, Option<ChannelId>),
) -> Result<(), Refusal> {
    set_policy(&mut group.policy, &config)?;
    group.channel = channel;
    group.label = config.name;
    group.description = config.description;
    if !config.track.is_empty() {
        group.track = config.track;
    }
    Ok(())
}

pub(super) async fn list(ask: Ask) -> Reply<Value> {
    let app = ask.application(Role::Viewer).await?;
    let groups = ask.app.store.groups(&app.id).await?;
    let mut forms = Vec::new();
    for group in apps::part(&groups, ask.page()?) {
        forms.push(form(&ask, group).await?);
    }
    Ok(Json(json!({ "totalCount": groups.len(), "count": forms.len(), "groups": forms })))
}

pub(super) async fn create(ask: Ask) -> Reply<GroupForm> {
    let app = ask.application(Role::Operator).await?;
    let id: GroupId = new_uuid().parse()?;
    let wanted = wanted(&ask, &app.id).await?;
    let mut group = Group::new(app.id, id, "");
    set(&mut group, wanted)?;
    ask.app.store.create_group(&ask.by, &group).await?;
    Ok(Json(form(&ask, &Group { created_at: ask.by.at, ..group }).await?))
}

pub(super) async fn show(ask: Ask) -> Reply<GroupForm> {
    let group = ask.group(Role::Viewer).await?;
    Ok(Json(form(&ask, &group).await?))
}

pub(super) async fn update(ask: Ask) -> Reply<GroupForm> {
    let group = ask.group(Role::Operator).await?;
    let wanted = wanted(&ask, &group.app).await?;
    let change = |group: &mut Group| set(group, wanted);
    let group = ask.app.store.change_group(&ask.by, &group.app, &group.id, change).await?;
    Ok(Json(form(&ask, &group).await?))
}

pub(super) async fn delete(ask: Ask) -> Result<(), Refusal> {
    let group = ask.group(Role::Operator).await?;
    Ok(ask.app.store.delete_group(&ask.by, &group.app, &group.id).await?)
}

/// Copies channels (which then point to nothing) and groups of an application into another.
pub(super) async fn copy(ask: &Ask, from: &AppId, to: &AppId) -> Result<(), Refusal> {
    let mut new_ids = Vec::new();
    for channel in ask.app.store.channels(from).await? {
        let id: ChannelId = new_uuid().parse()?;
        new_ids.push((channel.id.clone(), id.clone()));
        let channel =
            Channel { id, app: to.clone(), package: None, upstream: String::new(), ..channel };
        ask.app.store.create_channel(&ask.by, &channel).await?;
    }
    for group in ask.app.store.groups(from).await? {
        let channel = new_ids
            .iter()
            .find(|(old, _)| Some(old) == group.channel.as_ref())
            .map(|(_, new)| new.clone());
        let id: GroupId = new_uuid().parse()?;
        ask.app
            .store
            .create_group(&ask.by, &Group { app: to.clone(), id, channel, ..group })
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GroupConfig {
        serde_json::from_value(json!({
            "name": "Berlin", "policy_updates_enabled": true, "policy_safe_mode": true, "policy_office_hours": true,
            "policy_timezone": "Europe/Berlin", "policy_period_interval": "15 minutes", "policy_max_updates_per_period": 2,
            "policy_update_timeout": "1 hour",
        }))
        .unwrap()
    }

    #[test]
    fn a_policy_is_set_and_shown_in_nebraskas_words() {
        let mut group = Group::new("e9".parse().unwrap(), "g".parse().unwrap(), "Berlin");
        set_policy(&mut group.policy, &config()).unwrap();
        assert_eq!(group.policy.per_period, Some(PerPeriod { count: 2, seconds: 900 }));
        assert_eq!(group.policy.lease_seconds, 3600);
        let shown = serde_json::to_value(GroupForm::new(&group, None)).unwrap();
        for (name, value) in [
            ("policy_updates_enabled", json!(true)),
            ("policy_safe_mode", json!(true)),
            ("policy_office_hours", json!(true)),
            ("policy_timezone", json!("Europe/Berlin")),
            ("policy_period_interval", json!("15 minutes")),
            ("policy_max_updates_per_period", json!(2)),
            ("policy_update_timeout", json!("1 hours")),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
    }

    #[test]
    fn nine_hundred_thousand_is_no_limit() {
        let mut policy = Policy::default();
        set_policy(
            &mut policy,
            &GroupConfig { policy_max_updates_per_period: UNLIMITED, ..config() },
        )
        .unwrap();
        assert_eq!(policy.per_period, None);
    }

    #[test]
    fn what_nebraska_does_not_know_stays() {
        let mut policy = Policy { percent: 7.0, pin: Some("1.2.3".into()), ..Policy::default() };
        policy.windows = vec!["Sat 22:00 +2h Europe/Berlin".parse().unwrap()];
        set_policy(&mut policy, &config()).unwrap();
        assert_eq!((policy.percent, policy.pin.as_deref()), (7.0, Some("1.2.3")));
        assert_eq!(policy.windows, ["Sat 22:00 +2h Europe/Berlin".parse().unwrap()]);
        set_policy(&mut policy, &GroupConfig { policy_timezone: "Asia/Tokyo".into(), ..config() })
            .unwrap();
        assert_eq!(policy.windows, ["Mon-Fri 09:00 +8h Asia/Tokyo".parse().unwrap()]);
        set_policy(&mut policy, &GroupConfig { policy_office_hours: false, ..config() }).unwrap();
        assert!(policy.windows.is_empty());
    }

    #[test]
    fn nonsense_is_named() {
        let check = |config: GroupConfig, expected: &str| {
            let failure = set_policy(&mut Policy::default(), &config).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
        };
        check(
            GroupConfig { policy_period_interval: "soon".into(), ..config() },
            "policy_period_interval",
        );
        check(
            GroupConfig { policy_update_timeout: "".into(), ..config() },
            "policy_update_timeout",
        );
        check(GroupConfig { policy_timezone: "Moon/Sea".into(), ..config() }, "Moon/Sea");
    }
}
