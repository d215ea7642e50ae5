//! What CoreUpdate's client asks for outside its API.

use slipway_update_server::store::{Role, Scope, Store};

use super::world::As;
use super::{World, json};

#[tokio::test]
async fn the_database_is_ready() {
    let world = World::new().await;
    assert_eq!(world.send(As::Nobody, "GET", "/admin/v1/init", None).await, (200, json!("ok")));
}

#[tokio::test]
async fn a_backup_is_a_database() {
    let world = World::furnished().await;
    let header = world.authorization(As::Signer("root", &world.key), "GET", "/db/backup").unwrap();
    let url = format!("{}/db/backup", world.base);
    let response =
        reqwest::Client::new().get(url).header("authorization", header).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let path = world.folder.path().join("copy.sqlite");
    fs_err::write(&path, response.bytes().await.unwrap()).unwrap();
    let copy = Store::open(&format!("sqlite:{}", path.display()), 2).await.unwrap();
    assert_eq!(copy.apps().await.unwrap(), world.store.apps().await.unwrap());
    assert!(world.audited().await.contains(&("root".into(), "backup".into())));
}

#[tokio::test]
async fn only_administrators_save_and_upload() {
    let world = World::new().await;
    let key =
        world.store.create_user(&world.by(), &"op".parse().unwrap(), Role::Operator).await.unwrap();
    assert_eq!(world.send(As::Signer("op", &key), "GET", "/db/backup", None).await.0, 403);
    assert_eq!(world.send(As::Nobody, "GET", "/db/backup", None).await.0, 401);
    assert_eq!(world.send(As::Signer("op", &key), "POST", "/package-upload", None).await.0, 403);
}

/// A form with one file.
fn form(name: &str, content: &str) -> (String, String) {
    let body = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: application/octet-stream\r\n\r\n{content}\r\n--b--\r\n"
    );
    ("multipart/form-data; boundary=b".to_owned(), body)
}

async fn upload(world: &World, (kind, body): (String, String)) -> (u16, String) {
    let header =
        world.authorization(As::Signer("root", &world.key), "POST", "/package-upload").unwrap();
    let request = reqwest::Client::new()
        .post(format!("{}/package-upload", world.base))
        .header("authorization", header);
    let response = request.header("content-type", kind).body(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_payload_is_uploaded_whole() {
    let world = World::new().await;
    let content = "payload ".repeat(100_000);
    let (status, text) = upload(&world, form("e9_1.0.0_update.gz", &content)).await;
    assert_eq!(status, 200, "{text}");
    let packages = world.folder.path().join("packages");
    assert_eq!(fs_err::read_to_string(packages.join("e9_1.0.0_update.gz")).unwrap(), content);
    assert_eq!(fs_err::read_dir(&packages).unwrap().count(), 1, "nothing is left beside it");
    assert!(world.audited().await.contains(&("root".into(), "package.upload".into())));
    // The same name again replaces it.
    assert_eq!(upload(&world, form("e9_1.0.0_update.gz", "new")).await.0, 200);
    assert_eq!(fs_err::read_to_string(packages.join("e9_1.0.0_update.gz")).unwrap(), "new");
}

#[tokio::test]
async fn uploads_that_cannot_be() {
    let world = World::new().await;
    for (form, expected) in [
        (form("../evil", "x"), "a file's name"),
        (form(".hidden", "x"), "a file's name"),
        (("text/plain".into(), "x".into()), "cannot be read"),
        (("multipart/form-data; boundary=b".into(), "--b\r\n".into()), "upload"),
        (("multipart/form-data; boundary=b".into(), "--b--\r\n".into()), "has no file"),
    ] {
        let (status, text) = upload(&world, form).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(fs_err::read_dir(world.folder.path().join("packages")).unwrap().count(), 0);
    let reader = world.token(Scope::Read).await;
    assert_eq!(world.send(As::Holder(&reader), "POST", "/package-upload", None).await.0, 403);
}
