//! Who may ask, and how they prove who they are.

use slipway_coreupdate::{Access, METHODS};
use slipway_update_server::store::{Role, Scope};

use super::world::{APP, As, NOW, signature};
use super::{World, json};

const LIST: &str = "/_ah/api/update/v1/apps?alt=json";

async fn check(world: &World, sender: As<'_>, expected: u16, text: &str) {
    let (status, answer) = world.send(sender, "GET", LIST, None).await;
    assert_eq!(status, expected, "{answer}");
    assert!(answer.to_string().contains(text), "{answer}");
}

#[tokio::test]
async fn a_signature_or_a_token_lets_in() {
    let world = World::new().await;
    check(&world, As::Signer("root", &world.key), 200, "{}").await;
    let token = world.token(Scope::Read).await;
    check(&world, As::Holder(&token), 200, "{}").await;
}

#[tokio::test]
async fn nothing_else_does() {
    let world = World::new().await;
    check(&world, As::Nobody, 401, "authError").await;
    check(&world, As::Signer("root", "wrong"), 401, "signature does not match").await;
    // A user that is not there looks the same.
    check(&world, As::Signer("nobody", &world.key), 401, "signature does not match").await;
    check(&world, As::Holder("slipway_wrong"), 401, "token is unknown").await;
    check(&world, As::Header("Basic cm9vdDpyb290"), 401, "needs a Hawk signature").await;
    check(&world, As::Header("Hawk id=\"root\""), 401, "lacks `ts`").await;
}

#[tokio::test]
async fn a_signature_is_good_once_and_for_a_minute() {
    let world = World::new().await;
    let now = u64::try_from(NOW).unwrap();
    let header = |ts, nonce| signature("root", &world.key, "GET", LIST, &world.base, ts, nonce);
    let once = header(now, "once");
    check(&world, As::Header(&once), 200, "{}").await;
    check(&world, As::Header(&once), 401, "was there before").await;
    check(&world, As::Header(&header(now - 61, "old")), 401, "set the clock").await;
    check(&world, As::Header(&header(now + 60, "ahead")), 200, "{}").await;
    world.clock.turn(120);
    check(&world, As::Header(&header(now, "late")), 401, "set the clock").await;
}

#[tokio::test]
async fn another_request_is_not_what_was_signed() {
    let world = World::new().await;
    let now = u64::try_from(NOW).unwrap();
    let header = signature("root", &world.key, "GET", LIST, &world.base, now, "n");
    let (status, _) =
        world.send(As::Header(&header), "GET", "/_ah/api/update/v1/upstream?alt=json", None).await;
    assert_eq!(status, 401);
}

/// The Go client puts the whole URL into its request line for some methods, and signs that.
#[tokio::test]
async fn a_whole_url_in_the_request_line_is_fine() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let world = World::new().await;
    let url = format!("{}{LIST}", world.base);
    let now = u64::try_from(NOW).unwrap();
    let header = signature("root", &world.key, "GET", &url, &world.base, now, "n");
    let host = world.base.trim_start_matches("http://");
    let request = format!(
        "GET {url} HTTP/1.1\r\nhost: {host}\r\nauthorization: {header}\r\nconnection: close\r\n\r\n"
    );
    let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_stale_client_is_told_the_time() {
    let world = World::new().await;
    let header = signature("root", &world.key, "GET", LIST, &world.base, 1, "n");
    let url = format!("{}{LIST}", world.base);
    let response =
        reqwest::Client::new().get(url).header("authorization", header).send().await.unwrap();
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with(&format!("Hawk ts=\"{NOW}\", tsm=\"")), "{challenge}");
}

#[tokio::test]
async fn without_authentication_anybody_may() {
    let world = World::with("off").await;
    check(&world, As::Nobody, 200, "{}").await;
    // The stock client signs with whatever it has.
    check(&world, As::Signer("", ""), 200, "{}").await;
    let (status, _) =
        world.send(As::Nobody, "POST", "/_ah/api/update/v1/apps", Some(json!({ "id": APP }))).await;
    assert_eq!(status, 200);
    assert!(world.audited().await.contains(&("anybody".into(), "app.create".into())));
}

#[tokio::test]
async fn roles_and_scopes_limit_what_may_be_done() {
    let world = World::furnished().await;
    let viewer = world
        .store
        .create_user(&world.by(), &"viewer".parse().unwrap(), Role::Viewer)
        .await
        .unwrap();
    let check = async |sender: As<'_>, id: &str, values: &[&str], expected: u16| {
        let (status, answer) = world
            .call_as(sender, id, values, "", Some(json!({ "userName": "x", "label": "x" })))
            .await;
        assert_eq!(status, expected, "{id}: {answer}");
    };
    let viewer = As::Signer("viewer", &viewer);
    check(viewer, "update.group.get", &[APP, "berlin"], 200).await;
    check(viewer, "update.group.update", &[APP, "berlin"], 403).await;
    check(viewer, "update.admin.listUsers", &[], 403).await;
    let reader = world.token(Scope::Read).await;
    check(As::Holder(&reader), "update.group.get", &[APP, "berlin"], 200).await;
    check(As::Holder(&reader), "update.group.update", &[APP, "berlin"], 403).await;
    let writer = world.token(Scope::Write).await;
    check(As::Holder(&writer), "update.group.update", &[APP, "berlin"], 200).await;
    check(As::Holder(&writer), "update.admin.createUser", &[], 403).await;
}

#[tokio::test]
async fn each_sees_the_applications_of_their_role() {
    let world = World::furnished().await;
    world.good("update.app.insert", &[], json!({ "id": "other" })).await;
    let name = "guest".parse().unwrap();
    let key = world.store.create_user(&world.by(), &name, Role::Viewer).await.unwrap();
    world.store.set_role(&world.by(), &name, None, None).await.unwrap();
    world
        .store
        .set_role(&world.by(), &name, Some(&APP.parse().unwrap()), Some(Role::Operator))
        .await
        .unwrap();
    let guest = As::Signer("guest", &key);
    let (_, list) = world.call_as(guest, "update.app.list", &[], "", None).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    let status = async |id: &str, values: &[&str], query: &str| {
        world.call_as(guest, id, values, query, None).await.0
    };
    assert_eq!(status("update.app.get", &[APP], "").await, 200);
    assert_eq!(status("update.app.get", &["other"], "").await, 403);
    assert_eq!(status("update.clientupdate.list", &[], &format!("&appId={APP}")).await, 200);
    assert_eq!(status("update.clientupdate.list", &[], "").await, 403);
    assert_eq!(status("update.app.delete", &[APP], "").await, 403);
}

/// Naming their own application in the query makes nobody an administrator of everything.
#[tokio::test]
async fn an_administrator_of_one_application_is_none_of_all() {
    let world = World::furnished().await;
    let name = "owner".parse().unwrap();
    let key = world.store.create_user(&world.by(), &name, Role::Viewer).await.unwrap();
    let (app, admin) = (APP.parse().unwrap(), Some(Role::Admin));
    world.store.set_role(&world.by(), &name, None, None).await.unwrap();
    world.store.set_role(&world.by(), &name, Some(&app), admin).await.unwrap();
    let owner = As::Signer("owner", &key);
    let of_all = METHODS.iter().filter(|method| {
        method.access == Access::Admin
            && method.path != "apps/{id}"
            && !method.path_parameters().any(|parameter| parameter == "appId")
    });
    let mut refused = 0;
    for method in of_all {
        for query in ["", &format!("&appId={APP}")] {
            let (status, answer) = world.call_as(owner, method.id, &["root"], query, None).await;
            assert_eq!(status, 403, "{} {query}: {answer}", method.id);
            refused += 1;
        }
    }
    assert!(refused >= 20, "{refused}");
    assert!(world.store.has_users().await.unwrap());
    let (status, _) = world.call_as(owner, "update.app.delete", &[APP], "", None).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn bad_requests_are_answered_in_the_form_of_the_api() {
    let world = World::furnished().await;
    let sender = As::Signer("root", &world.key);
    let (status, answer) = world.send(sender, "GET", "/_ah/api/update/v1/nothing", None).await;
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
    let (status, answer) = world.send(sender, "PUT", LIST, None).await;
    assert_eq!((status, &answer["error"]["code"]), (405, &json!(405)));
    let target = "/_ah/api/update/v1/apps";
    let post = async |kind: &str, body: String| {
        let header = world.authorization(sender, "POST", target).unwrap();
        let request = reqwest::Client::new()
            .post(format!("{}{target}", world.base))
            .header("authorization", header);
        request.header("content-type", kind).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("application/json", "{".into()).await, 400);
    assert_eq!(post("application/json", "[]".into()).await, 400);
    assert_eq!(post("text/xml", "{}".into()).await, 415);
    assert_eq!(
        post("application/json", format!("{{\"label\":\"{}\"}}", "x".repeat(1 << 20))).await,
        413
    );
}
