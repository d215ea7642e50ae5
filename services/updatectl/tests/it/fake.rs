//! Hosts that do not exist, and `watch`.

use super::{APP, World};

const BERLIN: &str = "--app-id e96281a6-d1af-4bde-9a0a-97b76e56dc57 --group-id berlin";
const FLAT_OUT: &str = "--min-sleep 0 --max-sleep 0 --step-sleep 0 --version 0.9.0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_update_and_the_server_knows_it() {
    let world = World::furnished().await;
    let line = format!(
        "instance fake {BERLIN} {FLAT_OUT} --clients-per-app 10 --errorrate 0 --checks 400"
    );
    let report = world.json(&line).await;
    assert_eq!(
        (&report["checks"], &report["updated"], &report["granted"], &report["lost"]),
        (&400.into(), &10.into(), &10.into(), &0.into())
    );
    assert!(
        report["checks_per_second"].as_f64() > Some(0.0)
            && report["p99_ms"].as_f64() >= report["p50_ms"].as_f64(),
        "{report}"
    );
    let versions = world.good(&format!("instance list-app-versions --app-id {APP}")).await;
    assert_eq!(
        versions.lines().nth(1),
        Some(format!("{APP}\tberlin\t1.0.0\t10").as_str()),
        "{versions}"
    );
    let list = world.json(&format!("instance list-updates {BERLIN}")).await;
    let machine = list["items"][0]["clientId"].as_str().unwrap();
    assert!(machine.starts_with("deadbeef"));
    let history = world.good(&format!("instance history --client-id {machine}")).await;
    assert!(history.starts_with("Time\t") && history.lines().count() >= 4, "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_fail_with_a_code() {
    let world = World::furnished().await;
    let line = format!(
        "instance fake {BERLIN} {FLAT_OUT} --clients-per-app 3 --errorrate 100 --error-code 268435466 --checks 3"
    );
    let report = world.json(&line).await;
    assert_eq!((&report["updated"], &report["failed"]), (&0.into(), &3.into()));
    let list = world.json(&format!("instance list-updates {BERLIN}")).await;
    assert_eq!(list["items"][0]["errorCode"], "10", "without flag bits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_vanish_in_mid_update() {
    let mut world = World::furnished().await;
    let line =
        format!("instance fake {BERLIN} {FLAT_OUT} --clients-per-app 3 --vanish 100 --checks 100");
    let report = world.json(&line).await;
    assert_eq!(
        (&report["vanished"], &report["checks"], &report["reports"]),
        (&3.into(), &3.into(), &3.into())
    );
    assert!(!world.stopped(), "nobody said that the group shall stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_and_documents_are_bounded() {
    let world = World::furnished().await;
    let done = world.run(&format!("instance fake {BERLIN} --clients-per-app 2 --min-sleep 0 --max-sleep 0 --duration 1 --version 1.0.0 --verbose")).await;
    assert_eq!(done.code, 0, "{}", done.out);
    assert!(done.out.contains(" checks/s\np50 "), "{}", done.out);
    assert!(
        done.err.contains("<request ") && done.err.contains("<response "),
        "{}",
        &done.err[..200]
    );
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error() {
    let world = World::new().await;
    let line = format!(
        "--server http://127.0.0.1:9 instance fake {BERLIN} {FLAT_OUT} --clients-per-app 1 --checks 2"
    );
    world.bad(&line, 1, "no check had an answer").await;
}

#[tokio::test]
async fn a_command_runs_when_a_version_is_offered() {
    let world = World::furnished().await;
    let script = world.path().join("note");
    fs_err::write(&script, "echo $UPDATE_SERVICE_VERSION $UPDATE_SERVICE_OLD_VERSION $UPDATE_SERVICE_APP_ID $UPDATE_SERVICE_URL > noted\n").unwrap();
    world.good(&format!("watch {BERLIN} --version 0.9.0 --once /bin/sh note")).await;
    let noted = fs_err::read_to_string(world.path().join("noted")).unwrap();
    assert_eq!(noted, format!("1.0.0 0.9.0 {APP} {}/packages/update.gz\n", world.base));
}
