//! The exchanges A, B and C of the protocol's description, as they are on the wire.

use slipway_omaha::{
    Action, App, AppResponse, AppStatus, Arch, COREOS_APP_ID, CheckResponse, CheckStatus,
    ErrorCode, Event, EventResult, EventType, InstallSource, Manifest, Os, Package, Ping, Request,
    Response, UpdateCheck,
};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A listing made for readers, without the white space that the wire does not have.
fn compact(listing: &str) -> String {
    let lines: Vec<_> = listing.lines().map(str::trim).collect();
    // A line that does not begin an element goes on with the attributes of the line before.
    lines.iter().fold(HEAD.to_owned(), |mut out, line| {
        if !line.is_empty() && !line.starts_with('<') {
            out.push(' ');
        }
        out.push_str(line);
        out
    })
}

fn host(version: &str) -> App {
    App {
        track: "stable".into(),
        boot_id: "{6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11}".into(),
        oem: "qemu".into(),
        oem_version: "0.1".into(),
        aleph_version: "3975.2.0".into(),
        machine_id: "0f3a5c0e1b7d4e55a0b6c2d19e8f7a42".into(),
        machine_alias: "rack7-03".into(),
        lang: "en-US".into(),
        board: "amd64-usr".into(),
        ..App::new(COREOS_APP_ID.parse().unwrap(), version)
    }
}

fn request(app: App) -> Request {
    Request {
        version: "update_engine-0.4.10".into(),
        updater_version: "update_engine-0.4.10".into(),
        install_source: InstallSource::Scheduler,
        is_machine: true,
        os: Os {
            version: "Chateau".into(),
            platform: "CoreOS".into(),
            service_pack: "4000.1.0_x86_64".into(),
            arch: String::new(),
        },
        apps: vec![app],
        ..Request::default()
    }
}

fn after_reboot(previous: &str) -> Event {
    Event {
        previous_version: Some(previous.into()),
        ..Event::new(EventType::UpdateComplete, EventResult::SuccessReboot)
    }
}

fn check_request(listing: &str, expected: &Request) {
    let wire = compact(listing);
    assert_eq!(Request::parse(wire.as_bytes()).as_ref(), Ok(expected));
    assert_eq!(expected.to_xml(), wire);
}

fn check_response(listing: &str, expected: &Response) {
    let wire = compact(listing);
    assert_eq!(Response::parse(wire.as_bytes()).as_ref(), Ok(expected));
    assert_eq!(expected.to_xml(), wire);
}

#[test]
fn a_check() {
    let app = App {
        ping: Some(Ping { active: true, ..Ping::default() }),
        update_check: Some(UpdateCheck::default()),
        events: vec![after_reboot("")],
        ..host("4000.1.0")
    };
    let expected = request(app);
    check_request(
        r#"
        <request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
          <os version="Chateau" platform="CoreOS" sp="4000.1.0_x86_64"></os>
          <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" version="4000.1.0" track="stable" bootid="{6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11}"
               oem="qemu" oemversion="0.1" alephversion="3975.2.0" machineid="0f3a5c0e1b7d4e55a0b6c2d19e8f7a42" machinealias="rack7-03"
               lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false">
            <ping active="1"></ping>
            <updatecheck></updatecheck>
            <event eventtype="3" eventresult="2" previousversion=""></event>
          </app>
        </request>"#,
        &expected,
    );
    assert_eq!(expected.arch(&expected.apps[0]), Arch::Amd64);
    assert!(!expected.is_syncer());
}

#[test]
fn a_update_granted() {
    let manifest = Manifest {
        version: "4001.2.0".into(),
        packages: vec![
            Package {
                name: "update.gz".into(),
                sha1_base64: "qvTGHdzF6KLavt4PO0gs2a6pQ00=".into(),
                size: 382_137_917,
                required: true,
                ..Package::default()
            },
            Package {
                name: "oem-qemu.gz".into(),
                sha1_base64: "C1zU6bOuAbK0eUCNYOsYjnDHSxM=".into(),
                sha256_hex: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                    .into(),
                size: 2282,
                required: false,
            },
        ],
        actions: vec![Action::postinstall("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=")],
        ..Manifest::default()
    };
    let check = CheckResponse {
        codebases: vec!["https://updates.example/amd64-usr/4001.2.0/".into()],
        manifests: vec![manifest],
        ..CheckResponse::with_status(CheckStatus::Ok)
    };
    let app = AppResponse {
        ping: true,
        update_check: Some(check),
        events: 1,
        ..AppResponse::new(COREOS_APP_ID.parse().unwrap())
    };
    let expected = Response { apps: vec![app], ..Response::new("our-server") };
    check_response(
        r#"
        <response protocol="3.0" server="our-server">
          <daystart elapsed_seconds="0"></daystart>
          <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" status="ok">
            <ping status="ok"></ping>
            <updatecheck status="ok">
              <urls><url codebase="https://updates.example/amd64-usr/4001.2.0/"></url></urls>
              <manifest version="4001.2.0">
                <packages>
                  <package name="update.gz" hash="qvTGHdzF6KLavt4PO0gs2a6pQ00=" size="382137917" required="true"></package>
                  <package name="oem-qemu.gz" hash="C1zU6bOuAbK0eUCNYOsYjnDHSxM=" hash_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" size="2282" required="false"></package>
                </packages>
                <actions>
                  <action event="postinstall" sha256="n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=" DisablePayloadBackoff="true"></action>
                </actions>
              </manifest>
            </updatecheck>
            <event status="ok"></event>
          </app>
        </response>"#,
        &expected,
    );
    let check = expected.apps[0].update_check.as_ref().unwrap();
    let package = &check.manifests[0].packages[0];
    assert_eq!(
        package.url(&check.codebases[0]),
        "https://updates.example/amd64-usr/4001.2.0/update.gz"
    );
    assert_eq!(package.url("https://updates.example/x"), "https://updates.example/x/update.gz");
}

#[test]
fn b_failure_report() {
    let app = App { events: vec![Event::failure(ErrorCode::new(268_435_474))], ..host("4000.1.0") };
    check_request(
        r#"
        <request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
          <os version="Chateau" platform="CoreOS" sp="4000.1.0_x86_64"></os>
          <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" version="4000.1.0" track="stable" bootid="{6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11}"
               oem="qemu" oemversion="0.1" alephversion="3975.2.0" machineid="0f3a5c0e1b7d4e55a0b6c2d19e8f7a42" machinealias="rack7-03"
               lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false">
            <event eventtype="3" eventresult="0" errorcode="268435474"></event>
          </app>
        </request>"#,
        &request(app),
    );
}

#[test]
fn b_throttled_by_nebraska() {
    let app = AppResponse {
        status: AppStatus::Other("error-maxUpdatesPerPeriodLimitReached".into()),
        ping: true,
        update_check: Some(CheckResponse::with_status(CheckStatus::Internal)),
        events: 1,
        ..AppResponse::new(COREOS_APP_ID.parse().unwrap())
    };
    check_response(
        r#"
        <response protocol="3.0" server="nebraska"><daystart elapsed_seconds="0"></daystart>
          <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" status="error-maxUpdatesPerPeriodLimitReached">
            <ping status="ok"></ping><updatecheck status="error-internal"></updatecheck><event status="ok"></event>
          </app></response>"#,
        &Response { apps: vec![app], ..Response::new("nebraska") },
    );
}

#[test]
fn c_first_check_after_reboot() {
    let app = App {
        ping: Some(Ping { active: true, ..Ping::default() }),
        update_check: Some(UpdateCheck::default()),
        events: vec![after_reboot("4000.1.0")],
        ..host("4001.2.0")
    };
    let back = Request::parse(request(app.clone()).to_xml().as_bytes()).unwrap();
    assert_eq!(back.apps, [app]);
    assert_eq!(back.apps[0].events[0].words(), "running after an update from 4000.1.0");

    let answer = AppResponse {
        ping: true,
        update_check: Some(CheckResponse::no_update()),
        events: 1,
        ..AppResponse::new(COREOS_APP_ID.parse().unwrap())
    };
    check_response(
        r#"
        <response protocol="3.0" server="our-server"><daystart elapsed_seconds="0"></daystart>
          <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" status="ok">
            <ping status="ok"></ping><updatecheck status="noupdate"></updatecheck><event status="ok"></event>
          </app></response>"#,
        &Response { apps: vec![answer], ..Response::new("our-server") },
    );
}

#[test]
fn c_rolled_back() {
    let xml = br#"<request protocol="3.0"><app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" version="4000.1.0">
        <event eventtype="3" eventresult="0" errorcode="44"/></app></request>"#;
    let request = Request::parse(xml).unwrap();
    assert_eq!(request.apps[0].events, [Event::failure(ErrorCode::ROLLED_BACK)]);
}

/// The versions of the manifests of an answer, and which of them is the target.
fn check_target(manifests: &str, versions: &[&str], target: Option<&str>) {
    let xml = format!(
        r#"<response protocol="3.0"><app appid="a"><updatecheck status="ok">{manifests}</updatecheck></app></response>"#
    );
    let response = Response::parse(xml.as_bytes()).unwrap();
    let check = response.apps[0].update_check.as_ref().unwrap();
    assert_eq!(
        check.manifests.iter().map(|m| m.version.as_str()).collect::<Vec<_>>(),
        versions,
        "{manifests}"
    );
    assert_eq!(check.target().map(|m| m.version.as_str()), target, "{manifests}");
}

#[test]
fn c_several_manifests() {
    check_target(
        r#"<manifest version="3900.0.0" is_floor="true" floor_reason="new layout"></manifest><manifest version="4001.2.0" is_target="true"/>"#,
        &["3900.0.0", "4001.2.0"],
        Some("4001.2.0"),
    );
    check_target(
        r#"<manifest version="1" is_floor="true"/><manifest version="2"/><manifest version="3"/>"#,
        &["1", "2", "3"],
        Some("3"),
    );
    check_target(r#"<manifest version="1" is_floor="true"/>"#, &["1"], None);
    check_target(r#"<manifest version="1" is_floor="true" is_target="true"/>"#, &["1"], Some("1"));
    check_target("", &[], None);
}
