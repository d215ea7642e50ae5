//! Logs: kept once, read from the end.

use camino::{Utf8Path, Utf8PathBuf};

use super::support::{World, id, options};
use crate::{Event, LogWriter, last_lines};

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().join("logs");
    (dir, path)
}

#[test]
fn the_log_before_is_kept() {
    let (_dir, logs) = folder();
    for text in ["first", "second", "third"] {
        LogWriter::create(&logs, &id("package:a/b-1")).unwrap().line(text).unwrap();
    }
    assert_eq!(fs_err::read_to_string(logs.join("package=a,b-1.log")).unwrap(), "third\n");
    assert_eq!(fs_err::read_to_string(logs.join("package=a,b-1.log.1")).unwrap(), "second\n");
}

#[test]
fn clones_write_to_one_file() {
    let (_dir, logs) = folder();
    let log = LogWriter::create(&logs, &id("a")).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let log = log.clone();
            std::thread::spawn(move || (0..100).for_each(|_| log.line("0123456789").unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let text = fs_err::read_to_string(log.path()).unwrap();
    assert_eq!(text.lines().filter(|line| *line == "0123456789").count(), 400);
}

#[track_caller]
fn check_last(text: &[u8], count: usize, expected: &[&str]) {
    let (_dir, logs) = folder();
    let log = LogWriter::create(&logs, &id("a")).unwrap();
    log.write(text).unwrap();
    assert_eq!(log.last_lines(count).unwrap(), expected);
}

#[test]
fn last_lines_of_odd_logs() {
    check_last(b"", 3, &[]);
    check_last(b"one", 3, &["one"]);
    check_last(b"1\n2\n3\n4\n", 2, &["3", "4"]);
    check_last(b"1\n\n", 2, &["1", ""]);
    check_last(b"1\n2\n", 0, &[]);
    check_last(b"bad \xff byte\r\n", 1, &["bad \u{fffd} byte"]);
}

#[test]
fn last_lines_of_a_huge_log_are_whole() {
    let (_dir, logs) = folder();
    let log = LogWriter::create(&logs, &id("a")).unwrap();
    for number in 0..20_000 {
        log.write(format!("line {number}\n").as_bytes()).unwrap();
    }
    let lines = log.last_lines(100_000).unwrap();
    assert_eq!(lines.last().unwrap(), "line 19999");
    assert!(lines.len() > 1000 && lines.iter().all(|line| line.starts_with("line ")));
}

#[test]
fn a_missing_log_is_an_error_that_names_it() {
    let error = last_lines(Utf8Path::new("/nonexistent/x.log"), 3).unwrap_err();
    assert!(crate::work::chain(&error).contains("/nonexistent/x.log"));
}

#[tokio::test(start_paused = true)]
async fn events_name_the_log() {
    let world = World::new();
    let (_, events) = world.events("a:", "a", options()).await;
    let log = events.iter().find_map(|event| match event {
        Event::Started { log, .. } => Some(log.clone()),
        _ => None,
    });
    assert_eq!(fs_err::read_to_string(log.unwrap()).unwrap(), "making a\n");
}

#[test]
fn events_survive_json() {
    let event = Event::Phase { id: id("a"), phase: "compile".to_owned(), at: 1.5 };
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(text, r#"{"event":"phase","id":"a","phase":"compile","at":1.5}"#);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}
