//! `channel` and `verify`: what the channels say, and what a client sees of it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp as Time;
use slipway_channels::{Artefact, ChannelPolicy, ReleaseRecord, State, record_digest, set_policy};
use slipway_signing::{ChannelName, RoleName, RoleState};

use super::desk::{Desk, channel, remedy};
use crate::{
    cli::{ChannelVerb, Releases},
    context::Context,
    report::{print, say},
};

/// `channel`.
pub(crate) async fn channel_verb(context: &Context, verb: &ChannelVerb) -> anyhow::Result<()> {
    match verb {
        ChannelVerb::Status { releases } => status(context, releases).await,
        ChannelVerb::Policy { releases, channel: name, dry_run } => {
            let mut desk = Desk::open(context, releases)?;
            let state = desk.state().await?;
            let change = set_policy(&state, &channel(context, name)?)?;
            desk.apply(state, change, *dry_run).await
        }
    }
}

/// What a channel says.
struct Row {
    name: ChannelName,
    newest: Option<String>,
    version: u64,
    signatures: usize,
    threshold: u64,
    expires: Time,
    development: bool,
    policy: ChannelPolicy,
}

async fn rows(desk: &Desk, state: &State) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, role) in &state.channels {
        let keys = state.keys(&RoleName::Channel(name.clone()))?;
        rows.push(Row {
            name: name.clone(),
            newest: state.releases(name).last().map(|release| release.version.to_string()),
            version: role.content().version.get(),
            signatures: role.signed().signatures.len(),
            threshold: keys.threshold.get(),
            expires: role.content().expires,
            development: keys.for_development(),
            policy: desk.repository.policy(state, name).await?,
        });
    }
    Ok(rows)
}

async fn status(context: &Context, releases: &Releases) -> anyhow::Result<()> {
    let desk = Desk::open(context, releases)?;
    let state = desk.state().await?;
    let rows = rows(&desk, &state).await?;
    // What has expired is the first thing to know, and no reason to say nothing.
    let seen = desk.look().await;
    let roles = seen.as_ref().map(|(seen, _)| seen.roles());
    if context.global.json {
        let roles = roles.unwrap_or_default();
        print(serde_json::json!({
            "channels": rows.iter().map(row_json).collect::<Vec<_>>(),
            "expires": roles.iter().map(role_json).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for row in &rows {
        print(row_text(row, desk.now));
        for (what, notes) in [("floor", &row.policy.floors), ("revoked", &row.policy.revoked)] {
            for note in notes {
                print(format_args!("  {what} {}: {}", note.version, note.reason));
            }
        }
    }
    if let Ok(roles) = &roles
        && let Some(first) = roles.first()
    {
        print(first_text(first, desk.now));
    }
    seen.map(drop)
}

fn row_text(row: &Row, now: Time) -> String {
    let Row { name, signatures, threshold, expires, .. } = row;
    let newest = row.newest.as_deref().unwrap_or("nothing");
    let mark = if row.development { ", keys for development" } else { "" };
    let left = left(*expires, now);
    format!(
        "{name}: {newest}; {signatures} of {threshold} signatures; expires {expires} ({left}){mark}"
    )
}

fn first_text(first: &RoleState, now: Time) -> String {
    let (role, expires) = (&first.role, first.expires);
    let left = left(expires, now);
    format!("first to expire: {role} at {expires} ({left}); {}", remedy(role))
}

/// How long something still holds.
fn left(expires: Time, now: Time) -> String {
    match expires.duration_since(now).as_hours() {
        hours if hours < 0 => "expired".to_owned(),
        hours if hours < 48 => format!("in {hours} hours"),
        hours => format!("in {} days", hours / 24),
    }
}

fn row_json(row: &Row) -> serde_json::Value {
    let notes = |notes: &[slipway_channels::VersionNote]| -> Vec<serde_json::Value> {
        let note = |note: &slipway_channels::VersionNote| serde_json::json!({ "version": note.version.to_string(), "reason": note.reason });
        notes.iter().map(note).collect()
    };
    serde_json::json!({
        "channel": row.name.as_str(),
        "newest": row.newest,
        "version": row.version,
        "signatures": row.signatures,
        "threshold": row.threshold,
        "expires": row.expires.to_string(),
        "development": row.development,
        "floors": notes(&row.policy.floors),
        "revoked": notes(&row.policy.revoked),
    })
}

fn role_json(role: &RoleState) -> serde_json::Value {
    serde_json::json!({
        "role": role.role.to_string(),
        "version": role.version,
        "expires": role.expires.to_string(),
    })
}

/// `verify`.
pub(crate) async fn verify(context: &Context, releases: &Releases) -> anyhow::Result<()> {
    let desk = Desk::open(context, releases)?;
    let (seen, _memory) = desk.look().await?;
    let mut names: Vec<String> = seen.targets().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    let mut blobs: BTreeMap<String, (String, Artefact)> = BTreeMap::new();
    let mut count = 0;
    for name in &names {
        let bytes = seen.read(name).await?.with_context(|| format!("`{name}` is not there"))?;
        if name.ends_with("/channel.json") {
            ChannelPolicy::from_bytes(&bytes)?;
        } else {
            count += 1;
            for (file, artefact) in ReleaseRecord::from_bytes(&bytes)?.artefacts {
                blobs.insert(artefact.object(), (format!("{name}: {file}"), artefact));
            }
        }
        say(format_args!("{name}: good"));
    }
    for (object, (name, artefact)) in &blobs {
        let there = desk.repository.remote().digest(object).await?;
        let (found, length) = there.with_context(|| format!("{name} is not there"))?;
        let (found, wanted) = (record_digest(found), artefact.length);
        anyhow::ensure!(length == wanted, "{name} has {length} bytes, and should have {wanted}");
        let good = found == artefact.sha256;
        anyhow::ensure!(good, "{name} is damaged: {found} instead of {}", artefact.sha256);
    }
    for role in seen.roles() {
        say(format_args!("{}: version {}, holds until {}", role.role, role.version, role.expires));
    }
    print(format_args!("{count} releases and {} files are as signed", blobs.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_in_hours_or_days() {
        #[track_caller]
        fn check(expires: &str, expected: &str) {
            let now = "2030-01-10T00:00:00Z".parse().unwrap();
            assert_eq!(left(expires.parse().unwrap(), now), expected);
        }
        check("2030-01-09T22:00:00Z", "expired");
        check("2030-01-10T01:30:00Z", "in 1 hours");
        check("2030-01-11T23:00:00Z", "in 47 hours");
        check("2030-01-13T01:00:00Z", "in 3 days");
    }

    #[test]
    fn what_expires_first_comes_with_what_to_do() {
        #[track_caller]
        fn check(role: &str, expected: &str) {
            let now = "2030-01-10T00:00:00Z".parse::<Time>().unwrap();
            let state = RoleState {
                role: role.parse().unwrap(),
                version: std::num::NonZeroU64::MIN,
                expires: now,
                for_development: false,
            };
            let text = first_text(&state, now);
            assert!(text.ends_with(expected), "{text}");
        }
        check("timestamp", "(in 0 hours); `cargo xtask refresh` renews it");
        check("stable", "the next release or promotion renews it");
        check("root", "`cargo xtask key rotate` renews it");
    }
}
