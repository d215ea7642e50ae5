//! Every page, with a fleet and without one.

use axum::http::StatusCode;
use slipway_update_server::config::Authentication;

use super::world::{APP, COLUMNS, World, machine};

/// Every page that can be asked for, with something that it has to say.
pub(crate) fn all() -> Vec<(&'static str, String, &'static str)> {
    let of = |rest: &str| format!("/apps/{APP}{rest}");
    vec![
        ("applications", "/".into(), "Slipway Linux"),
        ("application-new", "/apps/new".into(), "New application"),
        ("application-edit", of("/edit"), "io.slipway.host"),
        ("groups", of(""), "Stable"),
        ("group", of("/groups/stable"), "Errors of the last week"),
        ("group-paused", of("/groups/beta"), "Resume updates"),
        ("group-new", of("/groups/new"), "New group"),
        ("group-edit", of("/groups/stable/edit"), "Edit Stable"),
        ("group-pause", of("/groups/stable/pause"), "Pause updates of Stable?"),
        ("group-resume", of("/groups/beta/resume"), "Resume updates of Beta?"),
        ("group-delete", of("/groups/lab/delete"), "Remove the group"),
        ("policy", of("/groups/stable/policy"), "Maintenance windows"),
        ("rollout", of("/groups/stable/rollout"), "Generate equal steps"),
        ("instances", of("/instances"), "rack0-00"),
        ("instances-empty", of("/instances?q=nothing-like-that"), "No instance matches"),
        ("instance", format!("/apps/{APP}/instances/{}", machine(6)), "What it gets now, and why"),
        ("channels", of("/channels"), "the new partition layout"),
        ("channel-new", of("/channels/new"), "New channel"),
        ("channel", of("/channels/channel-stable"), "Blocked versions"),
        ("packages", of("/packages"), "entered by hand"),
        ("package-new", of("/packages/new"), "New package"),
        ("package-delete", of("/packages/package-3.9.0/delete"), "Remove the package 3.9.0?"),
        ("activity", "/activity".into(), "4.1.0 is rolled out to Stable"),
        ("audit", "/audit".into(), "group created"),
        ("settings", "/settings".into(), "Add a user"),
    ]
}

#[tokio::test]
async fn every_page_says_what_it_is_about() {
    let mut world = World::fleet().await;
    for (name, path, text) in all() {
        let page = world.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{name} {path}:\n{}", page.body);
        page.says(text)
            .says("<!DOCTYPE html>")
            .says("class=\"skip\"")
            .hides("style=\"")
            .hides("onclick");
        assert_eq!(page.body.matches("<h1").count(), 1, "{name} has one heading");
    }
}

#[tokio::test]
async fn empty_places_say_what_to_do_next() {
    let mut world = World::empty(Authentication::Off).await;
    world.get("/").await.says("Make the first application");
    world.get("/activity").await.says("appear here as they happen");
    world.get("/audit").await.says("No change yet");
    world.get("/settings").await.says("Add the first one below");
    let made =
        world.submit("/apps/new", "/apps", &[("label", "Nothing yet"), ("id", "ab.cd")]).await;
    assert_eq!(made.location(), "/apps/ab.cd");
    world.get("/apps/ab.cd").await.says("No group yet").says("Begin with a channel");
    world.get("/apps/ab.cd/instances").await.says("No instance has asked yet").says("SERVER=");
    world.get("/apps/ab.cd/channels").await.says("No channel yet").says("Add a package");
    world.get("/apps/ab.cd/packages").await.says("No package yet");
}

#[tokio::test]
async fn what_is_not_there_is_a_page_too() {
    let mut world = World::fleet().await;
    for path in [
        "/nothing".to_owned(),
        "/apps/none".to_owned(),
        format!("/apps/{APP}/groups/none"),
        format!("/apps/{APP}/groups/none/policy"),
        format!("/apps/{APP}/instances/none"),
        format!("/apps/{APP}/channels/none"),
        format!("/apps/{APP}/packages/none/delete"),
        "/static/none.css".to_owned(),
    ] {
        let page = world.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        page.says("Not found").says("Applications");
    }
}

#[tokio::test]
async fn a_group_shows_its_rollout_errors_and_policy() {
    let mut world = World::fleet().await;
    let page = world.get(&format!("/apps/{APP}/groups/stable")).await;
    page.says("Gives <strong class=\"mono\">4.1.0</strong> from the channel stable, by way of <span class=\"mono\">4.0.0</span>")
        .says("Frames (active)")
        .says("Now <strong>50 %</strong> of the instances")
        .says("100 % in 23h")
        .says("The payload&#39;s signature is wrong")
        .says("when 5 % fail (after 20 attempts)")
        .says("Mon-Fri 09:00 +8h Europe/Berlin")
        .says("<dd data-number=\"current\">50 %</dd>")
        .says("class=\"plot\"");
}

#[tokio::test]
async fn what_people_entered_is_text_and_never_markup() {
    let mut world = World::fleet().await;
    world.get(&format!("/apps/{APP}")).await.says("Lab &amp; &lt;test&gt;").hides("<test>");
    let script = "<script>alert(1)</script>";
    world
        .sql(&format!(
            "UPDATE instances SET alias = '{script}', version = '\"><b>' WHERE machine_id = '{}'",
            machine(0)
        ))
        .await;
    for path in [
        format!("/apps/{APP}/instances"),
        format!("/apps/{APP}/instances/{}", machine(0)),
        format!("/apps/{APP}/groups/stable"),
    ] {
        world.get(&path).await.hides("<script>alert").hides("\"><b>");
    }
    world
        .get(&format!("/apps/{APP}/instances?q=%22%3E%3Cscript%3Ealert"))
        .await
        .hides("<script>alert");
}

#[tokio::test]
async fn instances_are_found_filtered_and_sorted() {
    let mut world = World::fleet().await;
    let of = |query: &str| format!("/apps/{APP}/instances?{query}");
    world.get(&of("q=rack0-00")).await.says("rack0-00").hides("rack0-03");
    world.get(&of("q=10.0.0.7")).await.says("10.0.0.7").hides("10.0.0.8");
    world
        .get(&of("status=error"))
        .await
        .says("Failed")
        .says("15</span>")
        .hides("Waiting for reboot</span>");
    world.get(&of("version=3.9.0&group=stable")).await.says("30</span>");
    world.get(&of("sort=ip&order=asc")).await.says("aria-sort=\"ascending\"").says("page=1");
    // What makes no sense is left out, not refused.
    let odd = world
        .get(&of(
            "status=sleeping&sort=%00&order=sideways&page=-5&until=yesterday&skip=many&group=%ff",
        ))
        .await;
    assert_eq!(odd.status, StatusCode::OK);
}

/// The names of the rows of a page of instances, and where the next page is.
fn rows(page: &str) -> (Vec<String>, Option<String>) {
    let begin = "<th scope=\"row\" data-label=\"Instance\"><a class=\"break\" href=\"";
    let rows =
        page.split(begin).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    let next = page.split("\" rel=\"next\"").next().filter(|before| before.len() < page.len());
    let next = next.map(|before| before.rsplit("href=\"").next().unwrap().replace("&amp;", "&"));
    (rows, next)
}

#[tokio::test]
async fn leafing_by_key_shows_every_machine_once_even_if_many_were_seen_at_once() {
    let mut world = World::fleet().await;
    // 70 machines in one millisecond are more than a page holds.
    world
        .sql(&format!(
            "UPDATE instances SET last_seen = {} WHERE machine_id IN (SELECT machine_id FROM instances ORDER BY last_seen LIMIT 70)",
            super::world::at(-3600).as_millisecond()
        ))
        .await;
    let mut seen = Vec::new();
    let mut next = Some(format!("/apps/{APP}/instances"));
    while let Some(path) = next {
        let page = world.get(&path).await;
        page.says("of 120");
        let (found, more) = rows(&page.body);
        assert!(!found.is_empty() && found.len() <= 50, "{path}");
        seen.extend(found);
        next = more;
        // A machine that asks meanwhile does not push others onto the next page.
        world.sql("UPDATE instances SET last_seen = last_seen WHERE 0").await;
        assert!(seen.len() <= 120, "leafing ends");
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (120, 120));
}

#[tokio::test]
async fn a_hundred_thousand_instances_are_leafed_through() {
    let mut world = World::fleet().await;
    world
        .sql(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
             INSERT INTO instances ({COLUMNS}) SELECT app_id, 'many' || i, group_id, track, version, arch, oem, oem_version, aleph_version, '', '', ip, \
             boot_id, install_source, status, status_since, update_version, granted_at, error_code, event_type, event_result, pin, \
             first_seen, {} - i FROM n, (SELECT * FROM instances LIMIT 1)",
            super::world::at(-10).as_millisecond()
        ))
        .await;
    let page = world.get(&format!("/apps/{APP}/instances?q=many")).await;
    page.says("1–50 of 100\u{202f}000");
    let (_, next) = rows(&page.body);
    world.get(&next.unwrap()).await.says("51–100 of 100\u{202f}000").says("many50");
    world
        .get(&format!("/apps/{APP}/instances?sort=machine&page=1999&q=many"))
        .await
        .says("99\u{202f}951–100\u{202f}000 of");
    world.get(&format!("/apps/{APP}/groups/stable")).await.says("100\u{202f}1");
}

#[tokio::test]
async fn one_instance_has_its_history_and_the_reason() {
    let mut world = World::fleet().await;
    let page = world.get(&format!("/apps/{APP}/instances/{}", machine(6))).await;
    page.says("The last update failed.")
        .says("Machine: update failed: the payload&#39;s signature is wrong (code 18)")
        .says("Server: granted the update to 4.1.0")
        .says("<dt>Platform</dt><dd class=\"break\">qemu 0.1</dd>")
        .says("class=\"reasons\"");
}

#[tokio::test]
async fn times_are_relative_with_the_exact_one_beside() {
    let mut world = World::fleet().await;
    let page = world.get(&format!("/apps/{APP}/instances?q={}", machine(5))).await;
    page.says("<time datetime=\"2026-11-25T11:55:00Z\" title=\"2026-11-25 11:55:00 UTC\">5 minutes ago</time>");
}
