//! Forms: what they change, and what they say to missing and odd fields.

use axum::http::{StatusCode, header};
use slipway_update_server::store::{Page, Status};

use super::world::{APP, World, machine};

fn of(rest: &str) -> String {
    format!("/apps/{APP}{rest}")
}

#[tokio::test]
async fn pausing_asks_first_and_is_in_the_audit_log() {
    let mut world = World::fleet().await;
    let ask = of("/groups/stable/pause");
    world.get(&ask).await.says("already go on with it");
    let id = APP.parse().unwrap();
    let stable = World::group_id("stable");
    assert!(
        world.app.store.group(&id, &stable).await.unwrap().unwrap().policy.updates_enabled,
        "asking changes nothing"
    );
    let done = world.submit(&ask, &ask, &[]).await;
    assert_eq!(done.location(), of("/groups/stable"));
    world.get(&of("/groups/stable")).await.says("Paused").says("Resume updates");
    world.get("/audit").await.says("anybody").says("group changed");
    let resume = of("/groups/stable/resume");
    world.submit(&resume, &resume, &[]).await.location();
    assert!(world.app.store.group(&id, &stable).await.unwrap().unwrap().policy.updates_enabled);
}

#[tokio::test]
async fn a_policy_is_saved_and_odd_values_come_back_to_be_mended() {
    let mut world = World::fleet().await;
    let form = of("/groups/stable/policy");
    let fine = [
        ("percent", "12.5"),
        ("lease", "2h"),
        ("on_demand", "limits"),
        ("windows", "Mon-Fri 09:00 +8h UTC"),
        ("at_once", "7"),
    ];
    assert_eq!(world.submit(&form, &form, &fine).await.location(), of("/groups/stable"));
    let stable = world
        .app
        .store
        .group(&APP.parse().unwrap(), &World::group_id("stable"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stable.policy.percent, stable.policy.at_once, stable.policy.lease_seconds),
        (12.5, Some(7), 7200)
    );
    assert_eq!(stable.policy.rollout.frames.len(), 4, "frames are another form's");
    assert_eq!(stable.policy.auto_stop, None, "a box that is not ticked is off");

    let odd = world
        .submit(
            &form,
            &form,
            &[("percent", "a lot<b>"), ("windows", "whenever"), ("pin", "newest")],
        )
        .await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    odd.says("Nothing was saved yet.")
        .says("Give a number from 0 to 100.")
        .says("value=\"a lot&lt;b&gt;\"")
        .says("Give a version of three numbers")
        .says("is no window");
    let again = world
        .app
        .store
        .group(&APP.parse().unwrap(), &World::group_id("stable"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.policy, stable.policy);
}

#[tokio::test]
async fn a_rollout_is_generated_written_and_switched() {
    let mut world = World::fleet().await;
    let form = of("/groups/lab/rollout");
    world.submit(&form, &form, &[("do", "activate")]).await.says("There are no frames yet.");
    let made =
        world.submit(&form, &form, &[("do", "linear"), ("duration", "4h"), ("steps", "4")]).await;
    made.says("1h: 25 %\n1h: 50 %\n1h: 75 %\n1h: 100 %").says("class=\"plot\"");
    world.submit(&form, &form, &[("do", "activate")]).await.location();
    world.get(&of("/groups/lab")).await.says("Frames (active)").says("Now <strong>25 %</strong>");
    world.submit(&form, &form, &[("do", "deactivate")]).await.location();
    world
        .get(&of("/groups/lab"))
        .await
        .says("Frames (not active)")
        .says("Now <strong>100 %</strong>");
    let odd =
        world.submit(&form, &form, &[("do", "frames"), ("frames", "1h: 5 %\nnever: 9")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    odd.says("Line 2:").says("never: 9</textarea>");
    world.submit(&form, &form, &[("do", "dance")]).await.says("Use one of the buttons");
}

#[tokio::test]
async fn channels_move_and_get_floors_and_blocked_versions() {
    let mut world = World::fleet().await;
    let form = of("/channels/channel-stable");
    let moved = [("label", "stable"), ("package", "package-4.2.0"), ("color", "#112233")];
    assert_eq!(world.submit(&form, &form, &moved).await.location(), of("/channels"));
    world.get(&of("/channels")).await.says("Points to <strong class=\"mono\">4.2.0</strong>");
    world.get("/activity").await.says("channel stable points to 4.2.0");
    let floors = format!("{form}/floors");
    world
        .submit(&form, &floors, &[("package", "package-4.1.0"), ("reason", "firmware")])
        .await
        .location();
    world.get(&of("/channels")).await.says("firmware");
    world
        .submit(&form, &format!("{floors}/remove"), &[("package", "package-4.1.0")])
        .await
        .location();
    world.get(&of("/channels")).await.hides("firmware");
    world
        .submit(&form, &format!("{form}/blocked"), &[("package", "package-3.9.0")])
        .await
        .location();
    world.get(&of("/channels")).await.says("Never gives <span class=\"mono\">3.9.0</span>");
    // What the channel points to cannot be blocked, and the page says so.
    let refused =
        world.submit(&form, &format!("{form}/blocked"), &[("package", "package-4.2.0")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says("Nothing was saved yet.");
    world
        .submit(&form, &format!("{form}/blocked/remove"), &[("package", "package-3.9.0")])
        .await
        .location();
    world.submit(&form, &floors, &[]).await.says("Choose a version.");
    world
        .submit(&form, &form, &[("label", ""), ("color", "red")])
        .await
        .says("Give a colour such as")
        .says("This field is needed.");
}

#[tokio::test]
async fn applications_groups_channels_and_packages_are_made() {
    let mut world = World::fleet().await;
    let sum = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
    let package = [
        ("version", "5.0.0"),
        ("arch", "amd64"),
        ("url", "https://a.example/x/"),
        ("file", "u.gz"),
        ("size", "12"),
        ("sha256", sum),
    ];
    let form = of("/packages/new");
    assert_eq!(world.submit(&form, &of("/packages"), &package).await.location(), of("/packages"));
    world.get(&of("/packages")).await.says("5.0.0");
    let twice = world.submit(&form, &of("/packages"), &package).await;
    twice.says("There is a package `5.0.0` already.");
    let odd = world
        .submit(
            &form,
            &of("/packages"),
            &[
                ("version", "five"),
                ("url", "javascript:alert(1)"),
                ("file", "../x"),
                ("size", "-1"),
                ("sha256", "ab"),
            ],
        )
        .await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    odd.says("begins with https://")
        .says("without a path")
        .says("64 hexadecimal digits")
        .says("5 things have");
    let channel = [("label", "edge"), ("arch", "amd64"), ("color", "#abcdef")];
    world.submit(&of("/channels/new"), &of("/channels"), &channel).await.location();
    world
        .submit(&of("/channels/new"), &of("/channels"), &channel)
        .await
        .says("There is a channel `edge` already.");
    let group =
        [("label", "Night"), ("id", "night"), ("track", "night"), ("channel", "channel-beta")];
    assert_eq!(
        world.submit(&of("/groups/new"), &of("/groups"), &group).await.location(),
        of("/groups/night")
    );
    world
        .submit(&of("/groups/new"), &of("/groups"), &group)
        .await
        .says("There is a group `night` already.");
    world.submit(&of("/groups/new"), &of("/groups"), &[]).await.says("This field is needed.");
    let delete = of("/groups/night/delete");
    assert_eq!(world.submit(&delete, &delete, &[]).await.location(), of(""));
    let delete = of("/packages/package-4.0.0/delete");
    let refused = world.submit(&delete, &delete, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.says("That did not work").says("in use");
    let twice = world.submit("/apps/new", "/apps", &[("label", "Again"), ("id", APP)]).await;
    twice.says("There is an application of this id");
    let edit = of("/edit");
    world.submit(&edit, &edit, &[("label", "Renamed")]).await.location();
    world.get("/").await.says("Renamed");
}

#[tokio::test]
async fn an_instance_gets_an_alias_and_a_pin() {
    let mut world = World::fleet().await;
    let page = of(&format!("/instances/{}", machine(1)));
    world.submit(&page, &format!("{page}/alias"), &[("alias", "the odd one")]).await.location();
    world.submit(&page, &format!("{page}/pin"), &[("pin", "4.0.0")]).await.location();
    world.get(&page).await.says("the odd one").says("value=\"4.0.0\"").says("Change pin");
    let odd = world.submit(&page, &format!("{page}/pin"), &[("pin", "the best")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    odd.says("`the best` is no version");
    let long = "x".repeat(101);
    let odd = world.submit(&page, &format!("{page}/alias"), &[("alias", &long)]).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let one = world
        .app
        .store
        .instance(&APP.parse().unwrap(), &machine(1).parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((one.pin.as_deref(), one.status), (Some("4.0.0"), Status::Complete));
}

#[tokio::test]
async fn users_and_tokens_are_made_and_ended() {
    let mut world = World::fleet().await;
    let made = world
        .submit("/settings", "/settings/users", &[("name", "dora"), ("role", "operator")])
        .await;
    made.says("User added").says("Copy it now.");
    world
        .submit("/settings", "/settings/users", &[("name", "dora"), ("role", "operator")])
        .await
        .says("already");
    world
        .submit("/settings", "/settings/users", &[("name", "a b"), ("role", "king")])
        .await
        .says("is no user name")
        .says("is no role");
    let token = [("user", "dora"), ("label", "laptop"), ("scope", "write"), ("days", "7")];
    world.submit("/settings", "/settings/tokens", &token).await.says("slipway_");
    world.get("/settings").await.says("laptop").says("in 7 days").hides("slipway_");
    world
        .submit("/settings", "/settings/tokens", &[("user", "dora"), ("days", "0")])
        .await
        .says("Choose one of the list.");
    let id = world.app.store.tokens(None).await.unwrap().remove(0).id;
    world.submit("/settings", &format!("/settings/tokens/{id}/revoke"), &[]).await.location();
    assert_eq!(world.app.store.tokens(None).await.unwrap(), []);
    world.submit("/settings", "/settings/users/dora/role", &[("role", "admin")]).await.location();
    world.get("/settings").await.says("admin everywhere");
    let odd = world.submit("/settings", "/settings/users/dora/role", &[("role", "king")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// Every address that takes a form.
fn actions() -> Vec<String> {
    let mut actions: Vec<String> = [
        "/edit",
        "/groups",
        "/groups/stable/edit",
        "/groups/stable/pause",
        "/groups/stable/resume",
        "/groups/stable/policy",
        "/groups/stable/rollout",
        "/channels",
        "/channels/channel-stable",
        "/channels/channel-stable/floors",
        "/channels/channel-stable/floors/remove",
        "/channels/channel-stable/blocked",
        "/channels/channel-stable/blocked/remove",
        "/packages",
        "/groups/none/policy",
    ]
    .map(of)
    .into();
    actions.push(of(&format!("/instances/{}/alias", machine(1))));
    actions.push(of(&format!("/instances/{}/pin", machine(1))));
    actions.extend(
        [
            "/apps",
            "/settings/users",
            "/settings/tokens",
            "/settings/users/none/role",
            "/settings/tokens/none/revoke",
        ]
        .map(String::from),
    );
    actions
}

#[tokio::test]
async fn no_form_makes_the_server_fall_over() {
    let mut world = World::fleet().await;
    let token = world.token("/settings").await;
    let bodies = [
        String::new(),
        "label".to_owned(),
        "=&=&&&%&%zz=%zz".to_owned(),
        "label=%ff%fe&id=%00&track=%0a&channel=%2e%2e&package=%00&frames=%00%0a&name=%f0%9f%9a%80&pin=%c3%28".to_owned(),
        format!("label={}&frames={}", "x".repeat(100_000), "1h:5%0a".repeat(10_000)),
        "percent=1e999&lease=99999999999999999999d&per_period_count=-0&days=99999999999999999999&size=1e3&steps=0&duration=0".to_owned(),
    ];
    for action in actions() {
        for body in &bodies {
            let answer = world.post(&action, format!("form_token={token}&{body}")).await;
            let status = answer.status;
            assert!(!status.is_server_error(), "{action} {body:.60}: {status}\n{}", answer.body);
            if !status.is_redirection() {
                answer.says("<!DOCTYPE html>");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused_with_a_page() {
    let mut world = World::fleet().await;
    let before = world.app.store.audit_log(None, Page::first(1)).await.unwrap().total;
    let action = of("/groups");
    let request = axum::http::Request::post(&action)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::COOKIE, world.cookie_header())
        .body("{}".into())
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.says("is not a form");
    let answer = world.post(&action, "x".repeat((256 << 10) + 1)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.says("too long");
    assert_eq!(
        world.app.store.audit_log(None, Page::first(1)).await.unwrap().total,
        before,
        "nothing was changed"
    );
}
