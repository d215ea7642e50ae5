//! Whatever comes in, the server says what is wrong with it, and goes on.

use slipway_update_server::policy::Policy;

use crate::world::{APP, Host, World, on_both};

fn request(app: &str, track: &str, machine: &str, version: &str, board: &str) -> String {
    format!(
        r#"<request protocol="3.0"><app appid="{app}" track="{track}" machineid="{machine}" version="{version}" board="{board}"><updatecheck/></app></request>"#
    )
}

/// So many applications, each with so many events.
fn many(apps: usize, events: usize) -> String {
    let event = r#"<event eventtype="13" eventresult="1"/>"#.repeat(events);
    let app = format!(r#"<app appid="{APP}" track="stable" machineid="m">{event}</app>"#);
    format!(r#"<request protocol="3.0">{}</request>"#, app.repeat(apps))
}

async fn check(world: &World, name: &str, content_type: &str, body: Vec<u8>, expected: u16) {
    let (status, answer) = world.post("/v1/update/", content_type, body).await;
    assert_eq!(status, expected, "{name}: {answer}");
    assert!(!answer.is_empty(), "{name}");
}

on_both! {
    async fn documents_that_are_none_are_refused(world) {
        world.fleet(Policy::default()).await;
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let wide = format!("<request protocol=\"3.0\">{}</request>", "<a/>".repeat(200_000));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><request protocol=\"3.0\">&b;</request>";
        for (name, content_type, body, status) in [
            ("empty", "text/xml", Vec::new(), 400),
            ("text", "text/xml", b"hello".to_vec(), 400),
            ("cut", "text/xml", b"<request protocol=\"3.0\"><app".to_vec(), 400),
            ("other root", "text/xml", b"<response protocol=\"3.0\"/>".to_vec(), 400),
            ("other protocol", "text/xml", b"<request protocol=\"2.0\"/>".to_vec(), 400),
            ("no UTF-8", "text/xml", b"<request protocol=\"3.0\"><app appid=\"\xff\xfe\"/></request>".to_vec(), 400),
            ("nul", "text/xml", b"<request protocol=\"3.0\"\0/>".to_vec(), 400),
            ("deep", "text/xml", deep.into_bytes(), 400),
            ("wide", "text/xml", wide.into_bytes(), 400),
            ("entities", "text/xml", bomb.as_bytes().to_vec(), 400),
            ("huge", "text/xml", vec![b' '; (1 << 20) + 1], 413),
            ("many applications", "text/xml", many(33, 1).into_bytes(), 413),
            ("many events", "text/xml", many(1, 65).into_bytes(), 413),
            ("as many as may be", "text/xml", many(32, 64).into_bytes(), 200),
            ("JSON", "application/json", b"{}".to_vec(), 415),
            ("UTF-16", "text/xml; charset=utf-16", b"<request protocol=\"3.0\"/>".to_vec(), 415),
        ] {
            check(&world, name, content_type, body, status).await;
        }
        assert!(Host::new("still").ask(&world).await.is_some());
    }

    async fn what_is_unknown_is_said(world) {
        world.fleet(Policy::default()).await;
        let app = "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}";
        let status = async |document: String| {
            let answer = slipway_omaha::Response::parse(world.omaha(&document).await.as_bytes()).unwrap();
            let check = answer.apps[0].update_check.clone().unwrap();
            format!("{} {}", answer.apps[0].status.as_word(), check.status.as_word())
        };
        let check = async |document: String, expected: &str| assert_eq!(status(document).await, expected);
        check(request("{00000000-1111-2222-3333-444444444444}", "stable", "m", "1.0.0", ""), "error-unknownApplication error-internal").await;
        check(request(app, "nightly", "m", "1.0.0", ""), "error-unknownApplicationOrGroup error-internal").await;
        check(request(app, "stable", "m", "1.0.0", "arm64-usr"), "error-unknownApplicationOrGroup error-internal").await;
        check(request(app, "stable", "", "1.0.0", ""), "error-instanceRegistrationFailed error-internal").await;
        // A version that is none gets nothing, and the machine is known all the same.
        check(request(app, "stable", "odd", "next", ""), "ok noupdate").await;
        assert_eq!(world.instance("odd").await.version, "next");
        check(request(app, "stable", "long", &"9".repeat(5000), ""), "ok noupdate").await;
        assert_eq!(world.instance("long").await.version.len(), 256);
    }
}

#[tokio::test]
async fn only_posts_are_requests() {
    let world = World::with(&[]).await;
    assert_eq!(world.get("/v1/update/").await.0, 405);
}

/// The database goes, machines are told to come again; it comes back, and they are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_said() {
    let world = World::with(&[]).await;
    world.fleet(Policy::default()).await;
    assert!(Host::new("before").ask(&world).await.is_some());
    world.store().close().await;
    let (status, _) =
        world.post("/v1/update/", "text/xml", Host::new("during").check().to_xml()).await;
    assert_eq!(status, 503);
    assert_eq!(world.get("/ready").await.0, 503);
    assert_eq!(world.get("/health").await, (200, "ok\n".to_owned()));
}
