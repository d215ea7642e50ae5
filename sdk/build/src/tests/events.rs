//! Events: what consumers outside of this program see. A changed line here is a changed format.

use insta::assert_snapshot;
use serde_json::Value;

use super::support::{World, id, ids, options};
use crate::{Cancel, Counts, Event, How, Kind, Reason, RunEnd, RunOptions};

/// One of each.
fn all() -> Vec<Event> {
    let (a, kind) = (id("a"), Kind::Package);
    let (start, end) = (1.5, 3.5);
    vec![
        Event::Waiting { holder: "process 7: cargo".to_owned() },
        Event::PlanReady {
            counts: Counts { fresh: 1, stale: 2, unknown: 3 },
            estimate_seconds: 90.0,
        },
        Event::Started {
            id: a.clone(),
            kind,
            reason: Reason::EnvChanged {
                name: "USE".to_owned(),
                old: None,
                new: Some("ssl".to_owned()),
            },
            at: start,
            estimate_seconds: 2.0,
            log: "/logs/a.log".into(),
        },
        Event::Phase { id: a.clone(), phase: "compile".to_owned(), at: start },
        Event::Finished { id: a.clone(), kind, how: How::CutOff, start, end, seconds: 2.0 },
        Event::Failed {
            id: a.clone(),
            kind,
            start,
            end,
            error: "exited with status 1".to_owned(),
            log: Some("/logs/a.log".into()),
            last_lines: vec!["ld: cannot find -lz".to_owned()],
        },
        Event::Stopped { id: a.clone(), start, end },
        Event::Skipped { id: id("b"), because: a.clone() },
        Event::Postponed { id: id("b"), waits_for: a },
        Event::Draining { running: ids("a b") },
        Event::Forcing { running: ids("a") },
        Event::Progress { done: 1, total: 5, remaining_seconds: 80.0 },
        Event::RunFinished {
            end: RunEnd::Interrupted,
            built: 1,
            cached: 2,
            cut_off: 3,
            failed: 4,
            skipped: 5,
            seconds: 6.0,
        },
    ]
}

#[test]
fn the_format_of_events() {
    let lines: String =
        all().iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    assert_snapshot!(lines, @r#"
        {"event":"waiting","holder":"process 7: cargo"}
        {"event":"plan-ready","counts":{"fresh":1,"stale":2,"unknown":3},"estimate_seconds":90.0}
        {"event":"started","id":"a","kind":"package","reason":{"reason":"env-changed","name":"USE","old":null,"new":"ssl"},"at":1.5,"estimate_seconds":2.0,"log":"/logs/a.log"}
        {"event":"phase","id":"a","phase":"compile","at":1.5}
        {"event":"finished","id":"a","kind":"package","how":"cut-off","start":1.5,"end":3.5,"seconds":2.0}
        {"event":"failed","id":"a","kind":"package","start":1.5,"end":3.5,"error":"exited with status 1","log":"/logs/a.log","last_lines":["ld: cannot find -lz"]}
        {"event":"stopped","id":"a","start":1.5,"end":3.5}
        {"event":"skipped","id":"b","because":"a"}
        {"event":"postponed","id":"b","waits_for":"a"}
        {"event":"draining","running":["a","b"]}
        {"event":"forcing","running":["a"]}
        {"event":"progress","done":1,"total":5,"remaining_seconds":80.0}
        {"event":"run-finished","end":"interrupted","built":1,"cached":2,"cut_off":3,"failed":4,"skipped":5,"seconds":6.0}
        "#);
}

#[test]
fn events_come_back_from_json() {
    for event in all() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn every_event_has_its_name() {
    for event in all() {
        assert!(matches!(serde_json::to_value(event).unwrap()["event"], Value::String(_)));
    }
}

/// The stream as a whole: one plan before anything else, one end after everything, each start with its end, progress that
/// never goes back.
async fn check_stream(script: &str, wanted: &str, keep_going: bool) {
    let world = World::new();
    let (_, events) = world.events(script, wanted, RunOptions { keep_going, ..options() }).await;
    assert!(matches!(events.first(), Some(Event::PlanReady { .. })));
    assert!(matches!(events.last(), Some(Event::RunFinished { .. })));
    let count = |of: fn(&Event) -> bool| events.iter().filter(|event| of(event)).count();
    assert_eq!(
        count(|event| matches!(event, Event::PlanReady { .. } | Event::RunFinished { .. })),
        2
    );
    let starts = count(|event| matches!(event, Event::Started { .. }));
    let ends = |event: &Event| {
        matches!(event, Event::Finished { how: How::Built, .. } | Event::Failed { .. })
    };
    assert_eq!(starts, count(ends));
    let done: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { done, total, .. } => {
                assert!(done <= total);
                Some(*done)
            }
            _ => None,
        })
        .collect();
    assert!(done.is_sorted(), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn streams_are_well_formed() {
    check_stream("a:\nb: a\nc: a b", "c", false).await;
    check_stream("a:; fail\nb: a\nc:; 3s\nd: c", "b d", false).await;
    check_stream("a:; fail\nb: a\nc:; 3s\nd: c", "b d", true).await;
    check_stream("a:; panic\nb:", "a b", true).await;
}

#[test]
fn requests_to_end_add_up() {
    let cancel = Cancel::new();
    let clone = cancel.clone();
    assert!(!cancel.drain.is_cancelled());
    clone.request();
    assert!(cancel.drain.is_cancelled() && !cancel.force.is_cancelled());
    clone.request();
    clone.request();
    assert!(cancel.force.is_cancelled());
}
