//! Making, changing, pausing, resuming and removing a group. What stops or starts updates asks first.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;

use super::{
    activity::Choice,
    address,
    form::{Fields, Problems, Submitted, values},
    group::find_operated,
    operated,
    page::{AppFrame, PageError, Shell, render, render_with},
    session::Visitor,
};
use crate::{
    app::App,
    ids::{ChannelId, GroupId},
    store::{Application, Arch, Channel, Group},
};

const NAMES: [&str; 5] = ["id", "label", "track", "channel", "description"];

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    heading: String,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
    channels: Vec<Choice>,
    action: String,
    back: String,
    fresh: bool,
}

/// A question before something is done.
#[derive(Serialize)]
pub(super) struct Confirm {
    pub(super) shell: Shell,
    pub(super) app: AppFrame,
    pub(super) heading: String,
    pub(super) text: Vec<String>,
    pub(super) button: &'static str,
    pub(super) danger: bool,
    pub(super) action: String,
    pub(super) back: String,
}

/// A channel with its architecture, for people.
pub(super) fn channel_label(channel: &Channel) -> String {
    match channel.arch {
        Arch::All => channel.label.clone(),
        arch => format!("{} ({arch})", channel.label),
    }
}

async fn show(
    app: &App,
    visitor: &Visitor,
    row: &Application,
    group: Option<&Group>,
    values: BTreeMap<&'static str, String>,
    problems: Problems,
) -> Result<Response, PageError> {
    let chosen = values.get("channel").cloned().unwrap_or_default();
    let channels = app.store.channels(&row.id).await?;
    let heading = group.map_or("New group".to_owned(), |group| format!("Edit {}", group.label));
    let here = |more: &[&str]| {
        let id = group.map(|group| group.id.as_str());
        let parts: Vec<&str> =
            ["groups"].into_iter().chain(id).chain(more.iter().copied()).collect();
        address(&row.id, &parts)
    };
    let view = View {
        shell: Shell::new(visitor, "apps", format!("{heading} · {}", row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "groups"),
        heading,
        values,
        problems: problems.clone(),
        channels: channels
            .iter()
            .map(|one| Choice::new(&one.id, channel_label(one), &chosen))
            .collect(),
        action: if group.is_some() { here(&["edit"]) } else { here(&[]) },
        back: if group.is_some() { here(&[]) } else { address(&row.id, &[]) },
        fresh: group.is_none(),
    };
    render_with(problems.status(), "group_form.html", &view)
}

/// The form for a new group.
pub(super) async fn new(
    State(app): State<App>,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let row = operated(&app, &visitor, &name).await?;
    show(&app, &visitor, &row, None, values(&NAMES, |_| String::new()), Problems::default()).await
}

/// Reads the form over a group.
fn read(fields: &Fields, problems: &mut Problems, group: &mut Group) {
    group.label = problems.need_text(fields, "label", 100);
    group.description = problems.text(fields, "description", 2000);
    let track = problems.text(fields, "track", 128);
    group.track = if track.is_empty() { group.id.to_string() } else { track };
    group.channel = problems.take::<ChannelId>(fields, "channel");
}

/// Makes a group.
pub(super) async fn create(
    State(app): State<App>,
    Path(name): Path<String>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let row = operated(&app, &visitor, &name).await?;
    let mut problems = Problems::default();
    let id = match fields.get("id") {
        "" => crate::ids::new_uuid().parse::<GroupId>().ok(),
        _ => problems.need(&fields, "id"),
    };
    if let Some(id) = id {
        let mut group = Group::new(row.id.clone(), id, "");
        read(&fields, &mut problems, &mut group);
        if problems.is_empty() {
            match app.store.create_group(&visitor.by(&app), &group).await {
                Ok(()) => return Ok(to_group(&group)),
                Err(error) => problems.store("id", error)?,
            }
        }
    }
    show(&app, &visitor, &row, None, values(&NAMES, |name| fields.get(name).to_owned()), problems)
        .await
}

pub(super) fn to_group(group: &Group) -> Response {
    Redirect::to(&address(&group.app, &["groups", group.id.as_str()])).into_response()
}

/// The form for a group that is there.
pub(super) async fn edit(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    let now = values(&NAMES, |name| match name {
        "id" => group.id.to_string(),
        "label" => group.label.clone(),
        "track" => group.track.clone(),
        "channel" => group.channel.clone().map(String::from).unwrap_or_default(),
        _ => group.description.clone(),
    });
    show(&app, &visitor, &row, Some(&group), now, Problems::default()).await
}

/// Changes a group.
pub(super) async fn update(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    let mut problems = Problems::default();
    let mut wanted = group.clone();
    read(&fields, &mut problems, &mut wanted);
    if problems.is_empty() {
        // The policy may have changed since; only this form's fields are written.
        let change = |group: &mut Group| {
            *group = Group { policy: group.policy.clone(), ..wanted };
            Ok(())
        };
        match app.store.change_group(&visitor.by(&app), &row.id, &group.id, change).await {
            Ok(changed) => return Ok(to_group(&changed)),
            Err(error) => problems.store("channel", error)?,
        }
    }
    let sent = values(&NAMES, |name| {
        if name == "id" { group.id.to_string() } else { fields.get(name).to_owned() }
    });
    show(&app, &visitor, &row, Some(&group), sent, problems).await
}

/// What a confirmation is about.
struct Question {
    verb: &'static str,
    heading: String,
    text: Vec<String>,
    button: &'static str,
    danger: bool,
}

async fn ask(
    app: &App,
    path: &(String, String),
    visitor: &Visitor,
    question: impl FnOnce(&Group) -> Question,
) -> Result<Response, PageError> {
    let (row, group) = find_operated(app, visitor, path).await?;
    let Question { verb, heading, text, button, danger } = question(&group);
    let view = Confirm {
        shell: Shell::new(visitor, "apps", format!("{heading} · {}", row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "groups"),
        heading,
        text,
        button,
        danger,
        action: address(&row.id, &["groups", group.id.as_str(), verb]),
        back: address(&row.id, &["groups", group.id.as_str()]),
    };
    render("confirm.html", &view)
}

/// Asks whether to pause.
pub(super) async fn ask_pause(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let question = |group: &Group| Question {
        verb: "pause",
        heading: format!("Pause updates of {}?", group.label),
        text: vec![
            "No instance of this group gets an update until somebody resumes it.".to_owned(),
            "Instances that were granted an update already go on with it.".to_owned(),
        ],
        button: "Pause updates",
        danger: true,
    };
    ask(&app, &path, &visitor, question).await
}

/// Asks whether to resume.
pub(super) async fn ask_resume(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let question = |group: &Group| Question {
        verb: "resume",
        heading: format!("Resume updates of {}?", group.label),
        text: match &group.stopped_reason {
            Some(reason) => vec![
                format!("This group stopped by itself: {reason}."),
                "Failures before now do not count for the next automatic stop.".to_owned(),
            ],
            None => {
                vec!["Instances get updates again, as the policy of the group allows.".to_owned()]
            }
        },
        button: "Resume updates",
        danger: false,
    };
    ask(&app, &path, &visitor, question).await
}

/// Asks whether to remove the group.
pub(super) async fn ask_delete(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let question = |group: &Group| Question {
        verb: "delete",
        heading: format!("Remove the group {}?", group.label),
        text: vec![
            "Its policy is lost. Instances that still ask for it get no updates.".to_owned(),
            "The audit log keeps what was done.".to_owned(),
        ],
        button: "Remove group",
        danger: true,
    };
    ask(&app, &path, &visitor, question).await
}

async fn switch(
    app: &App,
    path: &(String, String),
    submitted: Submitted,
    enabled: fn(&mut crate::policy::Policy),
) -> Result<Response, PageError> {
    let (row, group) = find_operated(app, &submitted.visitor, path).await?;
    let changed =
        app.store.change_policy(&submitted.visitor.by(app), &row.id, &group.id, enabled).await?;
    Ok(to_group(&changed))
}

/// Pauses.
pub(super) async fn pause(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    switch(&app, &path, submitted, |policy| policy.updates_enabled = false).await
}

/// Resumes.
pub(super) async fn resume(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    switch(&app, &path, submitted, |policy| policy.updates_enabled = true).await
}

/// Removes.
pub(super) async fn delete(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let (row, group) = find_operated(&app, &submitted.visitor, &path).await?;
    app.store.delete_group(&submitted.visitor.by(&app), &row.id, &group.id).await?;
    Ok(Redirect::to(&address(&row.id, &[])).into_response())
}
