//! What goes wrong, and with which code the program ends.

use super::{APP, World};

#[tokio::test]
async fn codes_are_those_of_the_ancestor() {
    let world = World::new().await;
    let code = async |line: &str| world.run(line).await.code;
    assert_eq!(code("app list").await, 0);
    assert_eq!(code("--help").await, 0);
    assert_eq!(code("--version").await, 0);
    assert_eq!(code("app delete --app-id nothing").await, 1);
    assert_eq!(code("app delete").await, 2);
    assert_eq!(code("app").await, 2);
    assert_eq!(code("frobnicate").await, 3);
    assert_eq!(code("").await, 3);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_server() {
    let world = World::new().await;
    world
        .bad(
            "app delete --app-id nothing",
            1,
            "error: the server refused (404): there is no application `nothing`",
        )
        .await;
    world.bad("--key wrong app list", 1, "refused (401): the signature does not match").await;
    world.bad("--token wrong app list", 1, "refused (401): the token is unknown").await;
    world.bad("--server nonsense app list", 2, "`nonsense` is no server").await;
    world.bad("--server http://127.0.0.1:9 app list", 1, "cannot reach `http://127.0.0.1:9`").await;
    let done = world.run_with(&[("UPDATECTL_SERVER", &world.base)], "app list").await;
    assert!(done.code == 1 && done.err.contains("needs a Hawk signature"), "{done:?}");
}

#[tokio::test]
async fn flags_win_over_variables_and_one_dash_will_do() {
    let world = World::new().await;
    let done = world
        .run_with(
            &[
                ("UPDATECTL_SERVER", "http://127.0.0.1:9"),
                ("UPDATECTL_TOKEN", &world.token().await),
            ],
            "app list",
        )
        .await;
    assert_eq!(done.code, 1);
    let token = world.token().await;
    let line = format!("-server {} -token={token} app list", world.base);
    let done = world.run_with(&[("UPDATECTL_SERVER", "http://127.0.0.1:9")], &line).await;
    assert_eq!((done.code, done.out.as_str()), (0, "Id\tLabel\tDescription\n"));
}

#[tokio::test]
async fn what_is_asked_is_told_on_demand() {
    let world = World::new().await;
    let done = world.run(&format!("--debug app create --app-id {APP}")).await;
    assert_eq!(done.err, format!("POST {}/_ah/api/update/v1/apps?alt=json 200 OK\n", world.base));
}
