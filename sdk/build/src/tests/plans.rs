//! Plans as text: which action, why, how long.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use slipway_store::Digest;

use super::support::{World, id, ids, options, plain};
use crate::{Action, Counts, Graph, Inventory, Reason, State, plan};

/// Builds `before`, then plans `after` for the action `end`.
async fn check(before: &str, after: &str) -> String {
    let world = World::new();
    world.run(before, "end").await;
    world.plan(after, "end", "").to_string()
}

#[test]
fn a_first_plan() {
    let world = World::new();
    let plan = world.plan("a:\nb: a\nend: a b", "end", "");
    assert_snapshot!(plan, @"
        stale    a: never built
        unknown  b: waits for a
        unknown  end: waits for a, b
        ");
    assert_eq!(plan.counts(), Counts { fresh: 0, stale: 1, unknown: 2 });
    assert!(!plan.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_no_op_plan() {
    assert_snapshot!(check("a:\nb: a\nend: a b", "a:\nb: a\nend: a b").await, @"
        fresh    a
        fresh    b
        fresh    end
        ");
}

#[tokio::test(start_paused = true)]
async fn reasons() {
    assert_snapshot!(check("end:; arg:-O2", "end:; arg:-O3").await, @r#"stale    end: argument 2 "-O2" -> "-O3""#);
    assert_snapshot!(check("end:; arg:-O2", "end:").await, @r#"stale    end: argument 2 "-O2" -> nothing"#);
    assert_snapshot!(check("end:; env:USE=a", "end:; env:USE=b").await, @r#"stale    end: variable USE "a" -> "b""#);
    assert_snapshot!(check("end:; env:USE=a", "end:; env:CFLAGS=-g").await, @r#"stale    end: variable CFLAGS nothing -> "-g"; variable USE "a" -> nothing"#);
    assert_snapshot!(check("end:; in:src=1", "end:; in:src=2").await, @"stale    end: input src 6b86b273 -> d4735e3a");
    assert_snapshot!(check("end:; in:src=1", "end:; in:patch=1").await, @"stale    end: input patch is new: 6b86b273; input src is gone: 6b86b273");
    assert_snapshot!(check("end:", "end:; fetch").await, @"stale    end: kind package -> fetch");
}

#[tokio::test(start_paused = true)]
async fn reasons_for_other_outputs() {
    let world = World::new();
    world.run("end:", "end").await;
    let mut actions = world.actions("end:");
    actions[0].outputs = ["doc".to_owned(), "lib".to_owned()].into();
    let graph = crate::Graph::new(actions).unwrap();
    let states = crate::NodeStates::of(&world.store);
    let inventory = crate::survey(&graph, &ids("end"), &[].into(), &world.store, &states).unwrap();
    assert_snapshot!(plan(&graph, &ids("end"), &inventory).unwrap(), @"stale    end: outputs +doc +lib -out");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_unknown() {
    assert_snapshot!(
        check("a:\nb:\nc: a b\nend: c b", "a:; arg:new\nb:; env:X=1\nc: a b\nend: c b").await,
        @r#"
        stale    a: argument 2 nothing -> "new"
        stale    b: variable X nothing -> "1"
        unknown  c: waits for a, b
        unknown  end: waits for b, c
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn forced_and_lost() {
    let world = World::new();
    world.run("a:\nb: a\nend: b", "end").await;
    assert_snapshot!(world.plan("a:\nb: a\nend: b", "end", "b"), @"
        fresh    a
        stale    b: forced
        unknown  end: waits for b
        ");
    fs_err::remove_file(world.output_file("a")).unwrap();
    assert_snapshot!(world.plan("a:\nb: a\nend: b", "end", "b"), @"
        stale    a: output out is missing or damaged
        stale    b: forced
        unknown  end: waits for b
        ");
    assert_snapshot!(world.plan("a:\nb: a\nend: b", "end", ""), @"
        fresh    a
        fresh    b
        fresh    end
        ");
}

#[tokio::test(start_paused = true)]
async fn estimates_come_from_the_last_run() {
    let world = World::new();
    world.run("a:; 7s\nb:; 5s\nc:; 4s\nend: a b c; 2s", "end").await;
    let plan = world.plan("a:; 7s arg:x\nb:; 5s arg:x\nc:; 4s arg:x\nend: a b c; 2s", "end", "");
    let estimates: Vec<f64> = plan.steps.iter().map(|step| step.estimate_seconds.round()).collect();
    assert_eq!(estimates, [7.0, 5.0, 4.0, 2.0]);
    // All the work on one core; shared by two; the longest chain when there are enough.
    assert_eq!(plan.estimate_seconds(1).round(), 18.0);
    assert_eq!(plan.estimate_seconds(2).round(), 9.0);
    assert_eq!(plan.estimate_seconds(9).round(), 9.0);
}

#[test]
fn a_guess_holds_until_there_was_a_run() {
    let graph = Graph::new(vec![Action { guess_seconds: Some(900.0), ..plain("a") }]).unwrap();
    let plan = plan(&graph, &[id("a")], &Inventory::default()).unwrap();
    assert_eq!(plan.steps[0].estimate_seconds, 900.0);
}

#[test]
fn fetches_do_not_add_up() {
    let plan = World::new().plan("a:; fetch\nb:; fetch\nc:; fetch", "a b c", "");
    assert_eq!(plan.estimate_seconds(1), crate::Kind::Fetch.default_seconds());
}

/// A plan needs no store: the answers are enough.
#[test]
fn a_plan_is_pure() {
    let world = World::new();
    let graph = world.graph("a:\nb: a");
    let a = graph.get(&id("a")).unwrap();
    let outputs = BTreeMap::from([("out".to_owned(), Digest::of_bytes(b"x"))]);
    let records = BTreeMap::from([(a.key(&BTreeMap::new()), outputs)]);
    let plan = plan(&graph, &ids("b"), &Inventory { records, ..Inventory::default() }).unwrap();
    assert_snapshot!(plan, @"
        fresh    a
        stale    b: never built
        ");
    assert!(matches!(
        plan.step(&id("b")).unwrap().state,
        State::Stale { reason: Reason::NeverBuilt, .. }
    ));
    assert_eq!(plan.step(&id("c")), None);
}

#[test]
fn a_plan_is_json() {
    let world = World::new();
    let plan = world.plan("a:; =x\nb: a", "b", "");
    assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap(), @r#"
        {
          "wanted": [
            "b"
          ],
          "steps": [
            {
              "id": "a",
              "kind": "package",
              "needs": [],
              "state": {
                "state": "stale",
                "reason": {
                  "reason": "never-built"
                },
                "more": []
              },
              "estimate_seconds": 40.0
            },
            {
              "id": "b",
              "kind": "package",
              "needs": [
                "a"
              ],
              "state": {
                "state": "unknown",
                "waits_for": [
                  "a"
                ]
              },
              "estimate_seconds": 40.0
            }
          ]
        }
        "#);
}

#[test]
fn reasons_survive_json() {
    let reason = Reason::InputChanged {
        name: "src".to_owned(),
        old: Digest::of_bytes(b"1"),
        new: Digest::of_bytes(b"2"),
    };
    let text = serde_json::to_string(&reason).unwrap();
    assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), reason);
}

#[test]
fn long_values_are_cut_when_shown() {
    let reason =
        Reason::EnvChanged { name: "USE".to_owned(), old: None, new: Some("ü".repeat(200)) };
    assert_eq!(reason.to_string(), format!("variable USE nothing -> \"{}\"…", "ü".repeat(40)));
}

/// The survey of a large fresh graph looks at one record for each action, and at the bytes of the end only: with the
/// bytes, the states and the logs of all others gone it finds nothing to do.
#[tokio::test(start_paused = true)]
async fn a_survey_reads_little() {
    let world = World::new();
    let script: String = (0..60)
        .map(|n| {
            format!("n{n}: {}; 0s\n", if n == 0 { String::new() } else { format!("n{}", n - 1) })
        })
        .collect();
    world.events(&script, "n59", options()).await.0.unwrap();
    for n in 0..59 {
        fs_err::remove_file(world.output_file(&format!("n{n}"))).unwrap();
    }
    fs_err::remove_dir_all(world.store.root().join("nodes")).unwrap();
    assert!(world.plan(&script, "n59", "").is_fresh());
}

/// Run with `--ignored --nocapture` to see how long a no-op takes to find out that it is one.
#[tokio::test]
#[ignore = "a benchmark"]
async fn no_op_survey_of_150() {
    let world = World::new();
    let need = |n: u32| (1..=n.min(3)).map(|back| format!("n{} ", n - back)).collect::<String>();
    let script: String =
        (0..150).map(|n| format!("n{n}: {}; 0s env:USE=a in:src={n}\n", need(n))).collect();
    world.events(&script, "n149", options()).await.0.unwrap();
    let begin = std::time::Instant::now();
    let plan = world.plan(&script, "n149", "");
    println!("with the graph: {:?}, {:?}", begin.elapsed(), plan.counts());
    let graph = world.graph(&script);
    let begin = std::time::Instant::now();
    let states = crate::NodeStates::of(&world.store);
    crate::survey(&graph, &ids("n149"), &[].into(), &world.store, &states).unwrap();
    println!("survey: {:?}", begin.elapsed());
    let begin = std::time::Instant::now();
    world.events(&script, "n149", options()).await.0.unwrap();
    println!("whole run: {:?}", begin.elapsed());
}
