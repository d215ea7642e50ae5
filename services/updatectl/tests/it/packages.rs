//! Packages: described, uploaded, downloaded, one by one and in bulk.

use super::{APP, World, package_file};

#[tokio::test]
async fn a_package_is_described_by_its_file() {
    let world = World::furnished().await;
    let file = package_file(world.path());
    fs_err::write(
        world.path().join("meta"),
        r#"{"metadata_size":"190","metadata_signature_rsa":"c2ln"}"#,
    )
    .unwrap();
    fs_err::write(world.path().join("notes"), "new").unwrap();
    let line = format!(
        "package create --app-id {APP} --version 1.2.0 --url https://h.example/f --file {} --meta meta --release-notes notes",
        file.display()
    );
    let out = world.good(&line).await;
    let (described, table) = out.split_once("\n}\n").unwrap();
    assert!(
        described.contains("\"metadataSize\": \"190\"")
            && described.contains("\"releaseNotes\": \"new\""),
        "{out}"
    );
    assert_eq!(table, "Version\tURL\t\t\tSize\n1.2.0\thttps://h.example/f\t12\n");
    let list = world.json(&format!("package list --app-id {APP}")).await;
    assert_eq!(
        (&list["total"], &list["items"][0]["sha1Sum"]),
        (&3.into(), &"t+lnR7LBqNQY578xZ7M9N50a+fo=".into())
    );
    world.good(&format!("package delete --app-id {APP} --version 1.2.0")).await;
    world.bad(&format!("package delete --app-id {APP} --version 1.0.0"), 1, "in use").await;
    world
        .bad(&line.replace("--meta meta", "--meta notes"), 1, "`notes` is not what it should be")
        .await;
    world.bad(&format!("{line} --url x"), 2, "cannot be used multiple times").await;
}

#[tokio::test]
async fn a_payload_goes_up_and_comes_down_again() {
    let world = World::furnished().await;
    let file = package_file(world.path());
    let uploaded = world.good(&format!("package upload --file {}", file.display())).await;
    assert_eq!(uploaded, format!("uploaded file {}\n", file.display()));
    let down = world.path().join("down");
    fs_err::create_dir(&down).unwrap();
    let saved = world.good("package download --dir down").await;
    assert_eq!(saved, "Packages downloaded. Total=1 Errors=0\n");
    let name = format!("{APP}_1.0.0_update.gz");
    assert_eq!(fs_err::read_to_string(down.join(&name)).unwrap(), "twelve bytes");

    // What was downloaded can be described to another server.
    let other = World::new().await;
    other.good(&format!("app create --app-id {APP}")).await;
    let made = other
        .good(&format!(
            "package create bulk --dir {} --base-url https://mirror.example/p/",
            down.display()
        ))
        .await;
    assert_eq!(made, "Package metadata uploaded. Total=1 Errors=0\n");
    let list = other.json(&format!("package list --app-id {APP}")).await;
    assert_eq!(list["items"][0]["url"], format!("https://mirror.example/p/{name}"));
    let again = other.run(&format!("package create bulk --dir {}", down.display())).await;
    assert_eq!(
        (again.code, again.out.as_str()),
        (1, "Package metadata uploaded. Total=1 Errors=1\n")
    );
    let payloads = other.good(&format!("package upload bulk --dir {}", down.display())).await;
    assert_eq!(payloads, "Package payloads uploaded. Total=1 Errors=0\n");
    assert_eq!(
        fs_err::read_to_string(other.path().join("packages").join(&name)).unwrap(),
        "twelve bytes"
    );
}

#[tokio::test]
async fn a_damaged_payload_does_not_stay() {
    let world = World::furnished().await;
    fs_err::write(world.path().join("packages/update.gz"), "other bytes!").unwrap();
    let done = world.run("package download --dir .").await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("wrong SHA-1"), "{done:?}");
    let left = fs_err::read_dir(world.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(APP));
    assert_eq!(left.count(), 0);
    assert_eq!(
        world.good("package download --dir . --version 9.9.9").await,
        "Packages downloaded. Total=0 Errors=0\n"
    );
}
