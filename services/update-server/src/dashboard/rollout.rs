//! The frames of a rollout: drawn, written, generated, activated.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Serialize;

use super::{
    address,
    chart::{self, Chart},
    form::{Fields, Problems, Submitted},
    group::{self, find_operated},
    group_forms::to_group,
    page::{AppFrame, PageError, Shell, render_with, sentence},
    session::Visitor,
    time::{seconds, short},
    words,
};
use crate::{
    app::App,
    policy::{Frame, Policy},
    store::{Application, Group},
};

/// As many frames as the policy takes.
const MOST: usize = 20_000;

#[derive(Serialize)]
struct View {
    shell: Shell,
    app: AppFrame,
    label: String,
    frames: String,
    duration: String,
    steps: String,
    chart: Option<Chart>,
    active: bool,
    since: String,
    problems: Problems,
    action: String,
    back: String,
}

/// What a form of the page asks for.
enum Wish {
    Frames(Vec<Frame>),
    Activate,
    Deactivate,
}

fn written(frames: &[Frame]) -> String {
    let line =
        |frame: &Frame| format!("{}: {}", short(frame.seconds), words::percent(frame.percent));
    frames.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Frames as text: a duration, a colon, a percentage; one a line.
fn frames(fields: &Fields, problems: &mut Problems) -> Vec<Frame> {
    let text = fields.get("frames");
    let mut frames = Vec::new();
    for (number, line) in
        text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty())
    {
        match frame(line) {
            Ok(frame) => frames.push(frame),
            Err(problem) => {
                problems.add("frames", format!("Line {}: {problem}", number + 1));
                if number > 10 {
                    break;
                }
            }
        }
        if frames.len() > MOST {
            problems.add("frames", format!("At most {MOST} frames."));
            break;
        }
    }
    frames
}

fn frame(line: &str) -> Result<Frame, String> {
    let (time, share) =
        line.split_once(':').ok_or("Write a duration, a colon and a share, such as 1h: 5 %.")?;
    let length = seconds(time).map_err(|error| sentence(&error))?;
    if length == 0 {
        return Err("A frame has to last longer than nothing.".to_owned());
    }
    match share.trim().trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Frame { seconds: length, percent }),
        _ => Err("The share has to be a number from 0 to 100.".to_owned()),
    }
}

/// Equal steps up to everybody.
fn linear(fields: &Fields, problems: &mut Problems) -> Vec<Frame> {
    let length = seconds(fields.get("duration"))
        .map_err(|error| problems.add("duration", sentence(&error)))
        .ok();
    let steps = problems.number::<u64>(fields, "steps", 1, 1000);
    if fields.get("steps").is_empty() {
        problems.add("steps", "This field is needed.");
    }
    let (Some(length), Some(steps)) = (length, steps) else { return Vec::new() };
    if length < steps {
        problems.add("duration", "This is less than a second for each step.");
        return Vec::new();
    }
    let each = length / steps;
    // Hundredths are enough, and read better.
    let percent = |step: u64| (step as f64 * 10_000.0 / steps as f64).round() / 100.0;
    (1..=steps).map(|step| Frame { seconds: each, percent: percent(step) }).collect()
}

fn read(fields: &Fields, problems: &mut Problems, known: &[Frame]) -> Option<Wish> {
    let wish = match fields.get("do") {
        "frames" => Wish::Frames(frames(fields, problems)),
        "linear" => Wish::Frames(linear(fields, problems)),
        "activate" if known.is_empty() => {
            problems.add(
                "frames",
                "There are no frames yet. Write or generate some, then activate them.",
            );
            return None;
        }
        "activate" => Wish::Activate,
        "deactivate" => Wish::Deactivate,
        _ => {
            problems.add("frames", "Use one of the buttons of the page.");
            return None;
        }
    };
    problems.is_empty().then_some(wish)
}

fn show(
    app: &App,
    visitor: &Visitor,
    (row, group): (&Application, &Group),
    fields: Option<&Fields>,
    problems: Problems,
) -> Result<Response, PageError> {
    let plan = &group.policy.rollout;
    let now = app.clock.now();
    let elapsed =
        plan.since.map(|since| u64::try_from(now.as_second() - since.as_second()).unwrap_or(0));
    let sent = |name: &str, otherwise: String| match fields.map(|fields| fields.get(name)) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => otherwise,
    };
    let view = View {
        shell: Shell::new(visitor, "apps", format!("Rollout of {} · {}", group.label, row.label)),
        app: AppFrame::new(visitor, &row.id, &row.label, "groups"),
        label: group.label.clone(),
        frames: sent("frames", written(&plan.frames)),
        duration: sent("duration", "1d".to_owned()),
        steps: sent("steps", "10".to_owned()),
        chart: (!plan.frames.is_empty()).then(|| chart::frames(&plan.frames, elapsed)),
        active: plan.since.is_some(),
        since: group::since(group, now),
        problems: problems.clone(),
        action: address(&row.id, &["groups", group.id.as_str(), "rollout"]),
        back: address(&row.id, &["groups", group.id.as_str()]),
    };
    render_with(problems.status(), "rollout.html", &view)
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    show(&app, &visitor, (&row, &group), None, Problems::default())
}

/// Sets frames, activates or deactivates them.
pub(super) async fn save(
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    submitted: Submitted,
) -> Result<Response, PageError> {
    let Submitted { visitor, fields } = submitted;
    let (row, group) = find_operated(&app, &visitor, &path).await?;
    let mut problems = Problems::default();
    if let Some(wish) = read(&fields, &mut problems, &group.policy.rollout.frames) {
        let stays = matches!(wish, Wish::Frames(_));
        let now = app.clock.now();
        let change = |policy: &mut Policy| match wish {
            Wish::Frames(frames) => policy.rollout.frames = frames,
            Wish::Activate => policy.rollout.since = Some(now),
            Wish::Deactivate => policy.rollout.since = None,
        };
        match app.store.change_policy(&visitor.by(&app), &row.id, &group.id, change).await {
            Ok(changed) if stays => return show(&app, &visitor, (&row, &changed), None, problems),
            Ok(changed) => return Ok(to_group(&changed)),
            Err(error) => problems.store("frames", error)?,
        }
    }
    show(&app, &visitor, (&row, &group), Some(&fields), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_are_written() {
        let mut problems = Problems::default();
        let text = "1h: 1 %\n4h: 5 %\n1d: 33.33 %\n1s: 100 %";
        let fields = sent(text);
        let read = frames(&fields, &mut problems);
        assert!(problems.is_empty());
        assert_eq!(read.len(), 4);
        assert_eq!(written(&read), text);
    }

    fn sent(frames: &str) -> Fields {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("frames", frames)
            .finish();
        Fields::parse(query.as_bytes())
    }

    #[test]
    fn odd_frames_are_named_with_their_line() {
        for (text, expected) in [
            ("1h 5", "Line 1: Write a duration"),
            ("1h: 1\n\n1h: 101", "Line 3: The share"),
            ("0s: 1", "Line 1: A frame"),
            ("soon: 1", "Line 1: `soon` is no duration"),
        ] {
            let mut problems = Problems::default();
            frames(&sent(text), &mut problems);
            let said = serde_json::to_string(&problems).unwrap();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn linear_rollouts_end_with_everybody() {
        let mut problems = Problems::default();
        let made = linear(&Fields::parse(b"duration=3h&steps=3"), &mut problems);
        assert_eq!(written(&made), "1h: 33.33 %\n1h: 66.67 %\n1h: 100 %");
        for bad in
            ["duration=1s&steps=5", "duration=x&steps=5", "duration=1h&steps=0", "duration=1h", ""]
        {
            let mut problems = Problems::default();
            assert!(linear(&Fields::parse(bad.as_bytes()), &mut problems).is_empty());
            assert!(!problems.is_empty(), "{bad}");
        }
    }
}
