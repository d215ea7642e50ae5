//! The decision, by tables and by properties.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use semver::Version;

use super::*;

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn graph() -> Graph {
    let yes = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"].map(|text| (version(text), Allowed::Yes));
    Graph::new(yes).with_target(version("4.0.0"))
}

fn machine(version: &str) -> Machine<'_> {
    Machine {
        id: "machine",
        version,
        oem: "qemu",
        pin: None,
        trigger: Trigger::Timer,
        lease: None,
        rolled_back: None,
    }
}

fn group(policy: &Policy) -> GroupState<'_> {
    GroupState { policy, stopped: None, channel_changed: Timestamp::UNIX_EPOCH }
}

fn check_with(
    machine: &Machine<'_>,
    policy: &Policy,
    graph: &Graph,
    counters: &Counters,
    expected: &str,
) {
    let decision = decide(machine, group(policy), graph, counters, now());
    let answer = match &decision.answer {
        Answer::Grant(version) => format!("grant {version}"),
        Answer::Again(version) => format!("again {version}"),
        Answer::Wait => "wait".to_owned(),
        Answer::Nothing => "nothing".to_owned(),
    };
    let turn = decision.turn.map(|turn| format!(" from {turn}")).unwrap_or_default();
    assert_eq!(format!("{answer}{turn}: {}", decision.reason), expected);
}

fn check(machine: &Machine<'_>, policy: &Policy, expected: &str) {
    check_with(machine, policy, &graph(), &Counters::default(), expected);
}

#[test]
fn versions_decide_first() {
    let policy = Policy::default();
    check(&machine("1.0.0"), &policy, "grant 4.0.0: nothing is in its way");
    check(&machine("4.0.0"), &policy, "nothing: it has the version that it shall have");
    check(&machine("4.0.0+build"), &policy, "nothing: it has the version that it shall have");
    check(
        &machine("4.0.1"),
        &policy,
        "nothing: it has a newer version than 4.0.0, and the group allows no way back",
    );
    check(&machine("4.0.0-rc.1"), &policy, "grant 4.0.0: nothing is in its way");
    check(&machine("four"), &policy, "nothing: the machine says version `four`, which is none");
    let none = "nothing: the group has no channel, or its channel points to nothing";
    check_with(&machine("1.0.0"), &policy, &Graph::default(), &Counters::default(), none);
}

#[test]
fn the_way_back_needs_permission() {
    let policy = Policy { pin: Some("2.0.0".to_owned()), ..Policy::default() };
    check(&machine("1.0.0"), &policy, "grant 2.0.0: nothing is in its way");
    check(
        &machine("3.0.0"),
        &policy,
        "nothing: it has a newer version than 2.0.0, and the group allows no way back",
    );
    let back = Policy { allow_downgrade: true, ..policy };
    check(&machine("3.0.0"), &back, "grant 2.0.0: it goes back to an older version");
    let lost = Policy { pin: Some("9.0.0".to_owned()), ..Policy::default() };
    check(&machine("3.0.0"), &lost, "nothing: it is pinned to 9.0.0, and there is no such package");
    check(&machine("9.0.0"), &lost, "nothing: it has the version that it shall have");
    let own = Machine { pin: Some("3.0.0"), ..machine("1.0.0") };
    check(&own, &lost, "grant 3.0.0: nothing is in its way");
}

#[test]
fn floors_come_one_after_the_other() {
    let floors = graph().with_floor(version("3.0.0"), "").with_floor(version("2.0.0"), "new disk");
    let policy = Policy::default();
    let check = |running: &str, expected: &str| {
        check_with(&machine(running), &policy, &floors, &Counters::default(), expected);
    };
    check("1.0.0", "grant 2.0.0: a version that may not be skipped comes first: new disk");
    check("2.0.0", "grant 3.0.0: a version that may not be skipped comes first");
    check("2.5.0", "grant 3.0.0: a version that may not be skipped comes first");
    check("3.0.0", "grant 4.0.0: nothing is in its way");
    // On the way back, and below the pin, floors are of no interest.
    let pinned =
        Policy { pin: Some("1.0.0".to_owned()), allow_downgrade: true, ..Policy::default() };
    check_with(
        &machine("4.0.0"),
        &pinned,
        &floors,
        &Counters::default(),
        "grant 1.0.0: it goes back to an older version",
    );
}

#[test]
fn what_is_forbidden_nobody_passes_over() {
    let counters = Counters::default();
    let never = Graph::new([(version("4.0.0"), Allowed::Never)]).with_target(version("4.0.0"));
    for trigger in [Trigger::Timer, Trigger::Person] {
        let lease = Granted { version: "4.0.0", expires_at: now() + SignedDuration::from_secs(60) };
        let machine = Machine { trigger, lease: Some(lease), ..machine("1.0.0") };
        let off = Policy {
            updates_enabled: false,
            on_demand: OnDemand::LimitsAndWindows,
            ..Policy::default()
        };
        check(&machine, &off, "nothing: updates of the group are switched off");
        let oem = Policy { oem_blacklist: vec!["QEMU".to_owned()], ..Policy::default() };
        check(&machine, &oem, "nothing: machines on `qemu` get no updates in this group");
        check_with(
            &machine,
            &Policy::default(),
            &never,
            &counters,
            "nothing: 4.0.0 is blacklisted in the channel",
        );
        let policy = Policy::default();
        let stopped = GroupState { stopped: Some("too many failed"), ..group(&policy) };
        let decision = decide(&machine, stopped, &graph(), &counters, now());
        assert_eq!(decision.reason.to_string(), "the group stopped by itself: too many failed");
    }
}

#[test]
fn a_version_that_did_not_work_is_tried_again_by_hand_only() {
    let back = Machine { rolled_back: Some("4.0.0"), ..machine("1.0.0") };
    let policy = Policy::default();
    check(&back, &policy, "nothing: it came back from 4.0.0; a check by hand tries it again");
    check(
        &Machine { trigger: Trigger::Person, ..back.clone() },
        &policy,
        "grant 4.0.0: nothing is in its way",
    );
    check(
        &Machine { rolled_back: Some("3.0.0"), ..back },
        &policy,
        "grant 4.0.0: nothing is in its way",
    );
}

#[test]
fn limits_make_machines_wait() {
    let check = |policy: Policy, counters: Counters, expected: &str| {
        check_with(&machine("1.0.0"), &policy, &graph(), &counters, expected);
    };
    let period =
        Policy { per_period: Some(PerPeriod { count: 3, seconds: 60 }), ..Policy::default() };
    let oldest = Some(now() - SignedDuration::from_secs(20));
    let full = Counters { granted_in_period: 3, oldest_in_period: oldest, ..Counters::default() };
    check(
        period.clone(),
        full,
        "wait from 2026-11-25T12:00:40Z: 3 of 3 updates were granted in this period",
    );
    check(period, Counters { granted_in_period: 2, ..full }, "grant 4.0.0: nothing is in its way");
    let once = Policy { at_once: Some(2), ..Policy::default() };
    check(
        once.clone(),
        Counters { in_progress: 2, ..Counters::default() },
        "wait: 2 of 2 updates are under way",
    );
    check(
        once,
        Counters { in_progress: 1, ..Counters::default() },
        "grant 4.0.0: nothing is in its way",
    );
    let safe = Policy { safe_mode: true, ..Policy::default() };
    check(
        safe.clone(),
        Counters { in_progress: 1, ..Counters::default() },
        "wait: another machine tries the version first",
    );
    check(
        safe,
        Counters { in_progress: 1, completed: 1, ..Counters::default() },
        "grant 4.0.0: nothing is in its way",
    );
    let window = Policy { windows: vec!["Thu 09:00 +8h".parse().unwrap()], ..Policy::default() };
    check(
        window,
        Counters::default(),
        "wait from 2026-11-26T09:00:00Z: no maintenance window is open",
    );
}

#[test]
fn a_person_passes_over_what_the_group_allows() {
    let full = Counters { in_progress: 9, granted_in_period: 9, ..Counters::default() };
    let strict = Policy { at_once: Some(1), percent: 0.0, safe_mode: true, ..Policy::default() };
    let asked = Machine { trigger: Trigger::Person, ..machine("1.0.0") };
    let check = |on_demand, windows: &[&str], expected: &str| {
        let windows = windows.iter().map(|window| window.parse().unwrap()).collect();
        let policy = Policy { on_demand, windows, ..strict.clone() };
        let decision = decide(&asked, group(&policy), &graph(), &full, now());
        assert_eq!(decision.reason.to_string(), expected);
    };
    check(OnDemand::Limits, &[], "nothing is in its way");
    check(OnDemand::Limits, &["Thu 09:00 +1h"], "no maintenance window is open");
    check(OnDemand::LimitsAndWindows, &["Thu 09:00 +1h"], "nothing is in its way");
    let place = place("machine", "4.0.0");
    check(
        OnDemand::Nothing,
        &[],
        &format!("its place in the rollout is {place:.2} %, and the rollout is at 0 %"),
    );
}

#[test]
fn the_turn_of_a_machine_is_when_the_frames_reach_it() {
    let place = place("machine", "4.0.0");
    let frames = vec![
        Frame { seconds: 100, percent: 0.0 },
        Frame { seconds: 100, percent: place / 2.0 },
        Frame { seconds: 100, percent: 100.0 },
    ];
    let policy = Policy { rollout: Rollout { frames, since: Some(now()) }, ..Policy::default() };
    let decision = decide(&machine("1.0.0"), group(&policy), &graph(), &Counters::default(), now());
    assert_eq!(decision.turn, Some(now() + SignedDuration::from_secs(200)));
    let later = now() + SignedDuration::from_secs(200);
    let granted = decide(&machine("1.0.0"), group(&policy), &graph(), &Counters::default(), later);
    assert_eq!(granted.answer, Answer::Grant("4.0.0".to_owned()));
    // A version that comes later begins its frames anew.
    let changed = GroupState { channel_changed: later, ..group(&policy) };
    let again = decide(&machine("1.0.0"), changed, &graph(), &Counters::default(), later);
    assert_eq!(again.answer, Answer::Wait);
}

#[test]
fn a_grant_that_goes_on_is_given_again() {
    let lease = |version, seconds| Granted {
        version,
        expires_at: now() + SignedDuration::from_secs(seconds),
    };
    let full = Counters { in_progress: 5, ..Counters::default() };
    let policy = Policy {
        at_once: Some(5),
        percent: 0.0,
        windows: vec!["Thu 09:00 +1h".parse().unwrap()],
        ..Policy::default()
    };
    let held = Machine { lease: Some(lease("4.0.0", 1)), ..machine("1.0.0") };
    check_with(
        &held,
        &policy,
        &graph(),
        &full,
        "again 4.0.0: it was granted before, and has not finished",
    );
    let over = Machine { lease: Some(lease("4.0.0", 0)), ..held.clone() };
    assert_eq!(decide(&over, group(&policy), &graph(), &full, now()).answer, Answer::Wait);
    let other = Machine { lease: Some(lease("3.0.0", 1)), ..held };
    assert_eq!(decide(&other, group(&policy), &graph(), &full, now()).answer, Answer::Wait);
}

#[test]
fn a_group_stops_above_its_thresholds() {
    let check =
        |error, missing, (completed, failed, lost): (u64, u64, u64), expected: Option<&str>| {
            let stop = AutoStop { error_percent: error, missing_percent: missing, minimum: 10 };
            let policy = Policy { auto_stop: Some(stop), ..Policy::default() };
            let counters = Counters { completed, failed, missing: lost, ..Counters::default() };
            assert_eq!(should_stop(&policy, &counters).as_deref(), expected);
        };
    check(Some(10.0), None, (0, 9, 0), None);
    check(Some(10.0), None, (9, 1, 0), None);
    check(Some(10.0), None, (8, 2, 0), Some("2 of 10 attempts failed, more than 10 %"));
    check(None, Some(5.0), (0, 10, 0), None);
    check(
        None,
        Some(5.0),
        (9, 0, 1),
        Some("1 of 10 machines were not heard of again, more than 5 %"),
    );
    assert_eq!(
        should_stop(&Policy::default(), &Counters { failed: 1000, ..Counters::default() }),
        None
    );
}

#[test]
fn places_are_spread_evenly_and_differ_per_version() {
    let count = |version: &str, below: f64| {
        (0..10_000).filter(|number| place(&format!("{number:032x}"), version) < below).count()
    };
    for (percent, expected) in [(1.0, 100i64), (10.0, 1000), (50.0, 5000)] {
        let found = count("4.0.0", percent) as i64;
        assert!((found - expected).abs() < expected / 4 + 30, "{found} of {expected}");
    }
    let both = (0..10_000)
        .map(|number| format!("{number:032x}"))
        .filter(|id| place(id, "4.0.0") < 10.0 && place(id, "5.0.0") < 10.0)
        .count();
    assert!(both < 200, "the same machines are not always first: {both}");
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let limits = (proptest::option::of(0u32..4), proptest::option::of(0u32..4), 0.0f64..=100.0);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let pin = proptest::option::of(prop_oneof![Just("2.0.0"), Just("9.0.0"), Just("3.0.0")]);
    (limits, flags, pin).prop_map(|((at_once, count, percent), (on, safe, down), pin)| Policy {
        updates_enabled: on,
        pin: pin.map(str::to_owned),
        allow_downgrade: down,
        percent,
        per_period: count.map(|count| PerPeriod { count, seconds: 60 }),
        at_once,
        safe_mode: safe,
        auto_stop: Some(AutoStop { error_percent: Some(50.0), missing_percent: None, minimum: 4 }),
        ..Policy::default()
    })
}

fn any_counters() -> impl Strategy<Value = Counters> {
    (0u64..6, 0u64..6, 0u64..6, 0u64..6).prop_map(
        |(granted_in_period, in_progress, completed, failed)| Counters {
            granted_in_period,
            in_progress,
            completed,
            failed,
            ..Counters::default()
        },
    )
}

proptest! {
    /// What is granted breaks no rule, whatever the policy and whatever was counted.
    #[test]
    fn a_grant_breaks_no_rule(
        policy in any_policy(),
        counters in any_counters(),
        running in prop_oneof![Just("1.0.0"), Just("2.0.0"), Just("3.5.0"), Just("4.0.0"), Just("5.0.0"), Just("x")],
        id in "[0-9a-f]{32}",
        asked in any::<bool>(),
        blacklisted in any::<bool>(),
    ) {
        let last = if blacklisted { Allowed::Never } else { Allowed::Yes };
        let releases = [("2.0.0", Allowed::Yes), ("3.0.0", Allowed::Yes), ("4.0.0", last)];
        let graph = Graph::new(releases.map(|(text, allowed)| (version(text), allowed)))
            .with_target(version("4.0.0"))
            .with_floor(version("3.0.0"), "");
        let trigger = if asked { Trigger::Person } else { Trigger::Timer };
        let machine = Machine { id: &id, trigger, ..machine(running) };
        let decision = decide(&machine, group(&policy), &graph, &counters, now());
        prop_assert_eq!(&decision, &decide(&machine, group(&policy), &graph, &counters, now()));
        let Answer::Grant(granted) = &decision.answer else { return Ok(()) };
        let (granted, running) = (version(granted), version(running));
        prop_assert!(policy.updates_enabled);
        prop_assert_eq!(graph.allowed(&granted), Some(Allowed::Yes));
        prop_assert!(granted > running || policy.allow_downgrade);
        prop_assert!(granted <= running || graph.floor_between(&running, &granted).is_none());
        prop_assert!(should_stop(&policy, &counters).is_none());
        if !asked {
            prop_assert!(place(&id, &granted.to_string()) < policy.percent);
            prop_assert!(policy.at_once.is_none_or(|count| counters.in_progress < count.into()));
            prop_assert!(policy.per_period.is_none_or(|period| counters.granted_in_period < period.count.into()));
            prop_assert!(!policy.safe_mode || counters.completed > 0 || counters.in_progress == 0);
        }
    }

    /// A larger share never takes away what a smaller one gave.
    #[test]
    fn a_rollout_only_grows(id in "[0-9a-f]{32}", small in 0.0f64..=100.0, more in 0.0f64..=100.0) {
        let large = (small + more).min(100.0);
        let granted = |percent| {
            let policy = Policy { percent, ..Policy::default() };
            let decision = decide(&Machine { id: &id, ..machine("1.0.0") }, group(&policy), &graph(), &Counters::default(), now());
            decision.answer != Answer::Wait
        };
        prop_assert!(!granted(small) || granted(large));
    }

    /// From any version, whatever floors there are, the target is reached, by ever newer versions.
    #[test]
    fn floors_lead_to_the_target(floors in proptest::collection::btree_set(1u64..40, 0..6), start in 0u64..40) {
        let text = |number: u64| format!("{number}.0.0");
        let releases = (0..=40).map(|number| (version(&text(number)), Allowed::Yes));
        let graph = floors.iter().fold(
            Graph::new(releases).with_target(version("40.0.0")),
            |graph, floor| graph.with_floor(version(&text(*floor)), ""),
        );
        let mut running = text(start);
        let mut steps = 0;
        while running != "40.0.0" {
            let policy = Policy::default();
            let decision = decide(&machine(&running), group(&policy), &graph, &Counters::default(), now());
            let Answer::Grant(next) = decision.answer else { return Err(TestCaseError::fail("stuck")) };
            prop_assert!(version(&next) > version(&running));
            running = next;
            steps += 1;
        }
        prop_assert_eq!(steps, floors.iter().filter(|floor| **floor > start).count() + 1);
    }

    #[test]
    fn windows_are_read_as_they_are_written(day in 0usize..7, hour in 0u8..24, minute in 0u8..60, length in 1u32..=10_080) {
        let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day];
        let text = format!("{day} {hour:02}:{minute:02} +{length}m Europe/Berlin");
        let window: Window = text.parse().unwrap();
        prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window.clone());
        // It opens when it says that it does.
        if let Err(Some(next)) = window.state(now()) {
            prop_assert!(next > now());
            prop_assert_eq!(window.state(next), Ok(()));
        }
    }

    #[test]
    fn no_text_breaks_a_window(text in "\\PC{0,40}") {
        let _parsed: Result<Window, _> = text.parse();
    }
}
