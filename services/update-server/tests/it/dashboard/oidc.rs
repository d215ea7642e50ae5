//! Logging in through an issuer, with one that the test runs.

use axum::http::{StatusCode, header};
use serde_json::json;
use slipway_update_server::{
    config::Config,
    store::{Page, Role, Scope},
};

use super::{
    issuer::{CLIENT, Fault, Issuer, SECRET},
    webdriver::Browser,
    world::{APP, Answer, World, by},
};

const BASE: &str = "https://updates.example";

fn config(database: &str, issuer: &str, base: &str) -> Config {
    let roles = format!("ops=operator, staff=viewer, admins=admin, lab=admin@{APP}");
    let config = Config::new(|setting| match setting.key {
        "database-url" => Some(database.to_owned()),
        "base-url" => Some(base.to_owned()),
        "oidc-issuer" => Some(issuer.to_owned()),
        "oidc-client-id" => Some(CLIENT.to_owned()),
        "oidc-client-secret" => Some(SECRET.to_owned()),
        "oidc-roles" => Some(roles.clone()),
        _ => None,
    });
    let config = config.unwrap();
    Config { authentication: config.decided(false), ..config }
}

async fn start() -> (Issuer, World) {
    let issuer = Issuer::start().await;
    let world = World::with(|database| config(database, &issuer.url, BASE)).await;
    world.fill().await;
    (issuer, world)
}

/// The path of the server that an issuer leads back to.
fn way_back(address: &str) -> String {
    assert!(address.starts_with(&format!("{BASE}/login/oidc/callback?")), "{address}");
    address[BASE.len()..].to_owned()
}

/// Goes to the issuer and comes back.
async fn log_in(world: &mut World, issuer: &Issuer) -> Answer {
    let begun = world.get("/login/oidc?next=/activity").await;
    let back = issuer.visit(begun.location()).await;
    world.get(&way_back(&back)).await
}

/// The cookies of an answer that hold something.
fn set(answer: &Answer, name: &str) -> Vec<String> {
    let all = answer.headers.get_all(header::SET_COOKIE).iter();
    let all = all.map(|cookie| cookie.to_str().unwrap().to_owned());
    all.filter(|cookie| {
        cookie.starts_with(&format!("{name}=")) && !cookie.starts_with(&format!("{name}=;"))
    })
    .collect()
}

#[tokio::test]
async fn a_person_logs_in_works_and_logs_out() {
    let (issuer, mut world) = start().await;
    let page = world.get("/activity").await;
    assert_eq!(page.location(), "/login?next=%2Factivity");
    world
        .get("/login?next=%2Factivity")
        .await
        .says("Log in through 127.0.0.1")
        .says("/login/oidc?next=%2Factivity");
    let begun = world.get("/login/oidc?next=/activity").await;
    let cookie = set(&begun, "__Host-slipway_login").remove(0);
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/;", "Max-Age=900"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let answer = log_in(&mut world, &issuer).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.says("<meta http-equiv=\"refresh\" content=\"0; url=/activity\">");
    let session = set(&answer, "slipway_session").remove(0);
    for part in ["HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(session.contains(part), "{session}");
    }
    assert_eq!(world.get("/activity").await.status, StatusCode::OK);
    let groups = format!("/apps/{APP}");
    world.get(&groups).await.says("ann@x.example");
    // An operator changes groups, and no users.
    let pause = format!("/apps/{APP}/groups/stable/pause");
    world.submit(&pause, &pause, &[]).await.location();
    assert_eq!(world.get("/settings").await.status, StatusCode::FORBIDDEN);
    let cookies = world.cookie_header();
    let leave = world.submit(&groups, "/logout", &[]).await;
    assert_eq!(leave.location(), "/login?left=yes");
    // The issuer still knows her, unless she tells it, too.
    let client = CLIENT.replace(' ', "+");
    let end = format!("href=\"{}/end?client_id={client}\"", issuer.url);
    world.get("/login?left=yes").await.says("Log out of 127.0.0.1 too").says(&end);
    assert!(!world.get("/login").await.body.contains("Log out of"));
    // Whoever kept the cookie has nothing of it.
    let again = axum::http::Request::get("/activity").header(header::COOKIE, cookies);
    let again = world.send(again.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(again.location(), "/login?next=%2Factivity");
    let log = world.app.store.audit_log(None, Page::first(5)).await.unwrap();
    let log: Vec<_> =
        log.items.iter().rev().map(|entry| (entry.who.as_str(), entry.action.as_str())).collect();
    let ann = |action| ("ann@x.example", action);
    assert_eq!(
        log,
        [
            ann("user.create"),
            ann("user.roles"),
            ann("session.begin"),
            ann("group.update"),
            ann("session.end")
        ]
    );
}

#[tokio::test]
async fn an_issuer_need_not_say_where_people_log_out_of_it() {
    for fault in [Fault::NoEnd, Fault::OddEnd, Fault::PlainEnd] {
        let (issuer, mut world) = start().await;
        issuer.does(fault);
        assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::OK, "{fault:?}");
        let page = world.get("/login?left=yes").await;
        page.says("You are logged out here.");
        assert!(!page.body.contains("Log out of"), "{fault:?}");
    }
}

/// Whatever does not hold is refused by its name, and leaves neither session nor user.
#[tokio::test]
async fn what_does_not_hold_is_refused_and_named() {
    let (issuer, mut world) = start().await;
    for (fault, status, text) in [
        (Fault::State, 401, "begun in another browser, or too long ago (`state` does not fit)"),
        (Fault::Answerer, 401, "another issuer answers (`iss` is `https://other.example`)"),
        (Fault::Refusal, 401, "The issuer refuses: access_denied (Ann said &lt;no&gt;)"),
        (
            Fault::Code,
            401,
            "does not take the code of this log-in: invalid_grant (the code is too old)",
        ),
        (Fault::Broken, 502, "the issuer answers 500 Internal Server Error"),
        (Fault::NoToken, 401, "it is no signed JSON web token"),
        (Fault::Signature, 401, "its signature is wrong"),
        (Fault::Changed, 401, "its signature is wrong"),
        (Fault::Key, 401, "the issuer has no key `a lost one`"),
        (Fault::Unsigned, 401, "it is signed by `none`"),
        (Fault::Secret, 401, "it is signed by `HS256`"),
        (Fault::Issuer, 401, "it is of another issuer, `https://other.example` (`iss`)"),
        (Fault::Audience, 401, "it is meant for another audience than this server (`aud`)"),
        (Fault::Party, 401, "it was given to another party than this server (`azp`)"),
        (Fault::Expired, 401, "it has expired (`exp`)"),
        (Fault::Early, 401, "it is not valid yet"),
        (Fault::Nonce, 401, "it answers another log-in (`nonce`)"),
        (Fault::NoNonce, 401, "it answers another log-in (`nonce`)"),
        (Fault::Subject, 401, "it names nobody (`sub`)"),
    ] {
        issuer.does(fault);
        let answer = log_in(&mut world, &issuer).await;
        assert_eq!(answer.status.as_u16(), status, "{fault:?}: {}", answer.body);
        let body = answer.body.to_lowercase();
        assert!(
            body.contains(&text.to_lowercase()),
            "{fault:?}: {text:?} is not in {}",
            answer.body
        );
        assert!(set(&answer, "slipway_session").is_empty(), "{fault:?}");
        assert!(world.app.store.users().await.unwrap().is_empty(), "{fault:?}");
    }
    issuer.does(Fault::Nothing);
    assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let (issuer, mut world) = start().await;
    let begun = world.get("/login/oidc").await;
    let back = way_back(&issuer.visit(begun.location()).await);
    // Somebody else is sent the address.
    let mut other = World::with(|database| config(database, &issuer.url, BASE)).await;
    let stranger = other.get(&back).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    stranger.says("`state` does not fit");
    other.get("/login/oidc").await.location();
    other.get(&back).await.says("`state` does not fit");
    assert_eq!(world.get(&back).await.status, StatusCode::OK);
    let twice = world.get(&back).await;
    assert_eq!(twice.status, StatusCode::UNAUTHORIZED);
    twice.says("`state` does not fit");
}

#[tokio::test]
async fn the_issuer_says_at_every_log_in_who_may_do_what() {
    let (issuer, mut world) = start().await;
    let roles = async |world: &World| {
        let user = world.app.store.user(&"ann@x.example".parse().unwrap()).await.unwrap();
        user.map(|user| user.roles).unwrap_or_default()
    };
    let app = Some(APP.parse().unwrap());
    for (groups, expected) in [
        (json!(["ops", "staff"]), vec![(None, Role::Operator)]),
        (json!("staff"), vec![(None, Role::Viewer)]),
        (json!(["lab", "staff"]), vec![(None, Role::Viewer), (app.clone(), Role::Admin)]),
        (json!(["lab"]), vec![(app, Role::Admin)]),
    ] {
        issuer.is_visited_by(json!({ "sub": "1001", "email": "ann@x.example", "groups": groups }));
        assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::OK);
        assert_eq!(roles(&world).await, expected, "{groups}");
    }
    issuer.is_visited_by(json!({ "sub": "1001", "email": "ann@x.example", "groups": ["others"] }));
    let answer = log_in(&mut world, &issuer).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.says("is in no group that may do anything on this server");
    issuer.is_visited_by(json!({ "sub": "1001", "groups": ["ops"] }));
    let answer = log_in(&mut world, &issuer).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.says("`email`").says("`oidc-name-claim`");
}

/// A name that the issuer gives is no proof that it is the user of that name.
#[tokio::test]
async fn a_name_alone_gives_nobody_the_rights_of_another() {
    let (issuer, mut world) = start().await;
    let token = world.token_of("ann@x.example", Role::Admin, &[Scope::Admin]).await;
    let answer = log_in(&mut world, &issuer).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    answer.says("User `ann@x.example` is a user of this server");
    assert!(set(&answer, "slipway_session").is_empty());
    assert!(world.app.store.authenticate(&token, by().at).await.unwrap().is_some());
    // The same person by another name is the same user; another person of that name is not.
    issuer.is_visited_by(json!({ "sub": "1002", "email": "bob@x.example", "groups": ["ops"] }));
    assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::OK);
    issuer
        .is_visited_by(json!({ "sub": "1002", "email": "robert@x.example", "groups": ["staff"] }));
    assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::OK);
    issuer.is_visited_by(json!({ "sub": "1003", "email": "bob@x.example", "groups": ["admins"] }));
    assert_eq!(log_in(&mut world, &issuer).await.status, StatusCode::CONFLICT);
    let users = world.app.store.users().await.unwrap();
    let names: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.roles[0].1)).collect();
    assert_eq!(names, [("ann@x.example", Role::Admin), ("bob@x.example", Role::Viewer)]);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let (issuer, mut world) = start().await;
    log_in(&mut world, &issuer).await;
    world.app.clock.turn(12 * 3600 - 1);
    assert_eq!(world.get("/activity").await.status, StatusCode::OK);
    world.app.clock.turn(1);
    assert_eq!(world.get("/activity").await.location(), "/login?next=%2Factivity");
}

#[tokio::test]
async fn an_issuer_that_is_away_or_another_is_named() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let mut world = World::with(|database| config(database, &address, BASE)).await;
    let answer = world.get("/login/oidc").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    answer.says("The issuer does not answer").says("Log in through 127.0.0.1");
    let issuer = Issuer::start().await;
    let slash = format!("{}/", issuer.url);
    let mut world = World::with(|database| config(database, &slash, BASE)).await;
    let answer = world.get("/login/oidc").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    answer.says("to the letter");
}

#[tokio::test]
async fn without_an_issuer_there_is_no_way_to_one() {
    let mut world = World::empty(slipway_update_server::config::Authentication::Required).await;
    assert_eq!(world.get("/login/oidc").await.status, StatusCode::NOT_FOUND);
    world.get("/login").await.hides("Log in through");
}

/// In a real browser, which sends cookies by its own rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_comes_back_logged_in() {
    let Some(browser) = Browser::start().await else { return };
    let issuer = Issuer::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Another site than the issuer's, as in the world.
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let world = World::with(|database| config(database, &issuer.url, &base)).await;
    world.fill().await;
    tokio::spawn(axum::serve(listener, world.router()).into_future());
    browser.open(&format!("{base}/activity")).await;
    browser.script("document.querySelector('a.primary').click()").await;
    for _ in 0..400 {
        if browser
            .script("return location.pathname + document.title")
            .await
            .as_str()
            .unwrap()
            .starts_with("/activityActivity")
        {
            let page = browser.script("return document.body.innerText").await;
            assert!(page.as_str().unwrap().contains("ann@x.example"), "{page}");
            browser.close().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{}", browser.script("return document.documentElement.outerHTML").await);
}
