//! What is read though it is not what the update engine writes.

use slipway_omaha::{
    AppId, Arch, COREOS_APP_ID, EventResult, EventType, InstallSource, LegacyGroup, Ping, Request,
    Response,
};

fn parse(xml: &str) -> Request {
    Request::parse(xml.as_bytes()).unwrap()
}

#[test]
fn fake_instance_without_braces() {
    let request = parse(
        r#"<request protocol="3.0" installsource="scheduler"><os platform="CoreOS" version="lsb"></os>
           <app appid="E96281A6-d1af-4bde-9a0a-97b76e56dc57" version="1.0.0" track="beta" machineid="deadbeef01">
           <updatecheck/><event eventtype="3" eventresult="2"/></app></request>"#,
    );
    let app = &request.apps[0];
    assert_eq!(app.id, COREOS_APP_ID.parse::<AppId>().unwrap());
    assert_eq!(app.id.to_string(), "E96281A6-d1af-4bde-9a0a-97b76e56dc57");
    assert_eq!(app.id.bare(), "e96281a6-d1af-4bde-9a0a-97b76e56dc57");
    assert_eq!(app.events[0].previous_version, None);
    assert_eq!(request.install_source, InstallSource::Scheduler);
}

#[test]
fn unknown_things_are_passed_over() {
    let request = parse(
        r#"<?xml version='1.0' encoding='utf-8'?><!-- hello --><?php no?>
           <o:request xmlns:o="urn:x" protocol="3.0" future="1"><hw sse2="1"><deep><deeper/></deep></hw>words &amp; &#65;
           <![CDATA[<app appid="hidden"/>]]><o:app appid="a.b" o:version="9" version="1" zeta="&lt;&quot;&#x41;"><o:ping a="-1" r="-1"/>
           <data name="x">text</data></o:app></o:request>"#,
    );
    assert_eq!(request.apps.len(), 1);
    assert_eq!(request.apps[0].version, "1");
    let ping = Ping { active: false, days_since_active: Some(-1), days_since_roll_call: Some(-1) };
    assert_eq!(request.apps[0].ping, Some(ping));
}

#[test]
fn several_apps_with_several_events() {
    let request = parse(
        r#"<request><app appid="a"/><app appid="b"><event eventtype="13" eventresult="1"/>
           <event eventtype="777" eventresult="99"/></app></request>"#,
    );
    assert_eq!(request.apps.iter().map(|app| app.id.bare()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(request.apps[1].events[0].kind, EventType::UpdateDownloadStarted);
    assert_eq!(request.apps[1].events[1].kind, EventType::Other(777));
    assert_eq!(request.apps[1].events[1].result, EventResult::Other(99));
}

#[test]
fn byte_order_mark_and_entities() {
    let request =
        parse("\u{feff}<request><app appid='a' machinealias='a&amp;b &#x1F680;\n c'/></request>");
    assert_eq!(request.apps[0].machine_alias, "a&b \u{1F680}  c");
}

#[test]
fn syncer() {
    let syncer = |version: &str, source: &str| {
        parse(&format!(r#"<request version="{version}" installsource="{source}"/>"#)).is_syncer()
    };
    assert!(syncer("CoreOSUpdateEngine-0.1.0.0", "scheduler"));
    assert!(!syncer("CoreOSUpdateEngine-0.1.0.0", "ondemandupdate"));
    assert!(!syncer("update_engine-0.4.10", "scheduler"));
}

#[test]
fn numbers_may_be_empty() {
    let response = Response::parse(
        br#"<response protocol="3.0" server="s"><daystart elapsed_seconds=""/><app appid="a"><updatecheck status="ok" PollInterval="90">
            <urls><url codebase="a"/><url/><url codebase="b"/></urls><manifest version="1"><packages><package name="p" size=""/></packages>
            <actions><action event="postinstall" ChromeOSVersion="7" IsDeltaPayload="true" MetadataSize="12"/></actions></manifest>
            </updatecheck></app></response>"#,
    )
    .unwrap();
    let check = response.apps[0].update_check.as_ref().unwrap();
    assert_eq!(check.codebases, ["a", "b"]);
    assert_eq!(check.poll_interval, Some(90));
    assert_eq!(check.manifests[0].packages[0].size, 0);
    let action = &check.manifests[0].actions[0];
    assert_eq!(
        (action.display_version.as_str(), action.is_delta, action.metadata_size),
        ("7", true, Some(12))
    );
}

#[test]
fn architecture() {
    for (board, os_arch, expected) in [
        ("amd64-usr", "arm", Arch::Amd64),
        ("arm64-usr", "", Arch::Arm64),
        ("", "arm", Arch::Arm64),
        ("", "x86", Arch::X86),
        ("", "x64", Arch::Amd64),
        ("toaster", "", Arch::Amd64),
    ] {
        assert_eq!(Arch::of(board, os_arch), expected, "{board:?} {os_arch:?}");
    }
}

#[test]
fn legacy_groups() {
    let group = LegacyGroup::of("{9A2DEB70-37be-4026-853f-bfdd6b347bbe}").unwrap();
    assert_eq!((group.arch, group.track), (Arch::Amd64, "stable"));
    assert_eq!(LegacyGroup::of("b4b2fa22-c1ea-498c-a8ac-c1dc0b1d7c17").unwrap().arch, Arch::Arm64);
    assert_eq!(LegacyGroup::of("stable"), None);
}
