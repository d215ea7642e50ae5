//! What people read about events and failures.

use slipway_omaha::{CodeFlag, ErrorCode, Event, EventResult, EventType};

#[test]
fn codes() {
    for (raw, code, expected) in [
        (18, 18, "the payload's signature is wrong (code 18)"),
        (268_435_474, 18, "the payload's signature is wrong (code 18)"),
        (0xf000_0009, 9, "the download failed (code 9)"),
        (44, 44, "the new version did not boot; the host went back (code 44)"),
        (2404, 2404, "the server answered with HTTP status 404 (code 2404)"),
        (268_437_956, 2500, "the server answered with HTTP status 500 (code 2500)"),
        (6, 6, "unknown error 6 (code 6)"),
        (5000, 5000, "unknown error 5000 (code 5000)"),
    ] {
        assert_eq!(ErrorCode::new(raw).code(), code);
        assert_eq!(ErrorCode::new(raw).to_string(), expected);
    }
    assert_eq!(ErrorCode::new(268_435_490).name(), Some("OmahaResponseInvalid"));
    assert_eq!(ErrorCode::new(6).name(), None);
}

#[test]
fn flags() {
    assert_eq!(ErrorCode::new(18).flags(), []);
    assert_eq!(ErrorCode::new(268_435_474).flags(), [CodeFlag::TestServer]);
    let all = ErrorCode::new(0xf000_0000).flags();
    let words: Vec<_> = all.iter().map(|flag| flag.words()).collect();
    assert_eq!(words, ["developer mode", "resumed download", "test image", "own update server"]);
}

fn check(kind: EventType, result: EventResult, code: Option<u32>, expected: &str) {
    let event = Event { error_code: code.map(ErrorCode::new), ..Event::new(kind, result) };
    assert_eq!(event.words(), expected);
}

#[test]
fn events() {
    use {EventResult as R, EventType as T};
    check(T::UpdateDownloadStarted, R::Success, None, "download started");
    check(T::UpdateDownloadFinished, R::Success, None, "downloaded and verified");
    check(T::UpdateComplete, R::Success, None, "update applied, waiting for the reboot");
    check(T::UpdateComplete, R::SuccessReboot, None, "running");
    check(T::Held, R::Success, None, "update applied, reboot held back by the host");
    check(
        T::UpdateComplete,
        R::Error,
        Some(10),
        "update failed: the payload's hash is wrong (code 10)",
    );
    check(T::UpdateComplete, R::Error, None, "update failed");
    check(
        T::UpdateComplete,
        R::UpdateDeferred,
        Some(36),
        "update deferred: the host's policy defers the update (code 36)",
    );
    check(T::Uninstall, R::Success, None, "uninstalled: success");
    check(T::Other(7777), R::Other(12), None, "unknown (7777): unknown (12)");
    let fresh = Event {
        previous_version: Some("0.0.0.0".into()),
        ..Event::new(T::UpdateComplete, R::SuccessReboot)
    };
    assert_eq!(fresh.words(), "running, newly installed");
}

#[test]
fn numbers_lead_back() {
    for kind in EventType::ALL {
        assert_eq!(EventType::from_number(kind.number()), *kind);
    }
    for result in EventResult::ALL {
        assert_eq!(EventResult::from_number(result.number()), *result);
    }
    assert_eq!(EventType::Held.number(), 800);
    assert_eq!((EventType::ALL.len(), EventResult::ALL.len()), (26, 11));
}
