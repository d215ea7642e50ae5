//! What is written is read back as it was, and nothing that comes from outside makes the reader fall over.

use proptest::option;
use proptest::prelude::*;
use slipway_omaha::{
    Action, App, AppId, AppResponse, AppStatus, CheckResponse, CheckStatus, ErrorCode, Event,
    EventResult, EventType, InstallSource, Manifest, Os, Package, Ping, Request, Response,
    UpdateCheck,
};

/// Anything that XML can carry, with a taste for what has to be escaped.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.-]{0,12}",
        r#"[ \t\r\n<>&"'\]\[;#a]{0,12}"#,
        any::<String>().prop_map(|s| s
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
            .collect()),
    ]
}

fn id() -> impl Strategy<Value = AppId> {
    r"[a-zA-Z0-9._-]{1,40}|\{[a-f0-9-]{1,36}\}".prop_map(|text: String| text.parse().unwrap())
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u32>(), any::<u32>(), option::of(any::<u32>()), option::of(text()), option::of(text()))
        .prop_map(|(kind, result, code, previous_version, next_version)| Event {
            kind: EventType::from_number(kind),
            result: EventResult::from_number(result),
            error_code: code.map(ErrorCode::new),
            previous_version,
            next_version,
        })
}

fn ping() -> impl Strategy<Value = Ping> {
    (any::<bool>(), option::of(any::<i32>()), option::of(any::<i32>())).prop_map(
        |(active, days_since_active, days_since_roll_call)| Ping {
            active,
            days_since_active,
            days_since_roll_call,
        },
    )
}

fn app() -> impl Strategy<Value = App> {
    let texts = prop::array::uniform13(text());
    let rest = (
        any::<bool>(),
        any::<bool>(),
        option::of(ping()),
        option::of(text()),
        prop::collection::vec(event(), 0..3),
    );
    (id(), texts, rest).prop_map(
        |(id, texts, (delta_okay, multi_manifest_ok, ping, prefix, events))| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().unwrap();
            App {
                id,
                version: next(),
                track: next(),
                from_track: next(),
                boot_id: next(),
                oem: next(),
                oem_version: next(),
                aleph_version: next(),
                machine_id: next(),
                machine_alias: next(),
                lang: next(),
                board: next(),
                hardware_class: next(),
                delta_okay,
                multi_manifest_ok,
                ping,
                update_check: prefix
                    .map(|target_version_prefix| UpdateCheck { target_version_prefix }),
                events,
            }
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let source = prop_oneof![
        Just(InstallSource::OnDemand),
        Just(InstallSource::Scheduler),
        Just(InstallSource::Unsaid),
        "other[a-z]*".prop_map(InstallSource::Other),
    ];
    (prop::array::uniform8(text()), source, any::<bool>(), prop::collection::vec(app(), 0..3))
        .prop_map(
            |(
                [version, updater_version, request_id, session_id, v, platform, service_pack, arch],
                install_source,
                is_machine,
                apps,
            )| {
                Request {
                    version,
                    updater_version,
                    install_source,
                    is_machine,
                    request_id,
                    session_id,
                    os: Os { version: v, platform, service_pack, arch },
                    apps,
                }
            },
        )
}

fn package() -> impl Strategy<Value = Package> {
    (text(), text(), text(), any::<u64>(), any::<bool>()).prop_map(
        |(name, sha1_base64, sha256_hex, size, required)| Package {
            name,
            sha1_base64,
            sha256_hex,
            size,
            required,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let numbers =
        (any::<bool>(), any::<bool>(), option::of(any::<u32>()), option::of(any::<u64>()));
    (prop::array::uniform5(text()), numbers).prop_map(
        |(
            [event, sha256_base64, display_version, metadata_signature, deadline],
            (backoff, is_delta, failures, size),
        )| Action {
            event,
            sha256_base64,
            disable_payload_backoff: backoff,
            max_failures_per_url: failures,
            is_delta,
            display_version,
            metadata_signature,
            metadata_size: size,
            deadline,
        },
    )
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let files = (prop::collection::vec(package(), 0..3), prop::collection::vec(action(), 0..2));
    (text(), option::of(text()), any::<bool>(), files).prop_map(
        |(version, floor, is_target, (packages, actions))| Manifest {
            version,
            floor,
            is_target,
            packages,
            actions,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let check = (
        text(),
        option::of(any::<u64>()),
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(manifest(), 0..3),
    )
        .prop_map(|(status, poll_interval, codebases, manifests)| CheckResponse {
            status: CheckStatus::from_word(&status),
            poll_interval,
            codebases,
            manifests,
        });
    let app = (id(), text(), any::<bool>(), option::of(check), 0usize..4).prop_map(
        |(id, status, ping, update_check, events)| AppResponse {
            id,
            status: AppStatus::from_word(&status),
            ping,
            update_check,
            events,
        },
    );
    (text(), any::<u32>(), prop::collection::vec(app, 0..3))
        .prop_map(|(server, elapsed_seconds, apps)| Response { server, elapsed_seconds, apps })
}

proptest! {
    #[test]
    fn requests(request in request()) {
        let xml = request.to_xml();
        let back = Request::parse(xml.as_bytes()).unwrap();
        // Identifiers are equal without braces and case, so the bytes are compared as well.
        prop_assert_eq!(back.to_xml(), xml);
        prop_assert_eq!(back, request);
    }

    #[test]
    fn responses(response in response()) {
        let xml = response.to_xml();
        let back = Response::parse(xml.as_bytes()).unwrap();
        prop_assert_eq!(back.to_xml(), xml);
        prop_assert_eq!(back, response);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(Request::parse(&bytes));
        drop(Response::parse(&bytes));
    }

    #[test]
    fn nearly_xml(parts in prop::collection::vec(r#"<request|<app|appid="a"|>|/>|</app>|</request>|<!--|-->|<!|\[|&[a#0-9x]{0,4};|"|=|<\?xml"#, 0..20)) {
        let document = parts.join(" ");
        if let Ok(request) = Request::parse(document.as_bytes()) {
            prop_assert_eq!(Request::parse(request.to_xml().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn a_changed_byte(request in request(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = request.to_xml().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(Request::parse(request.to_xml().as_bytes()), Ok(request));
        }
    }
}

#[test]
fn forbidden_characters_become_the_replacement() {
    let mut response = Response::new("a\u{0}\u{1b}\u{ffff}b");
    response = Response::parse(response.to_xml().as_bytes()).unwrap();
    assert_eq!(response.server, "a\u{fffd}\u{fffd}\u{fffd}b");
}
