//! Several who change the same thing at once, by any of the APIs: what each of them changed is there afterwards.

use reqwest::header;
use serde_json::{Value, json};
use slipway_update_server::{
    policy::Policy,
    store::{Channel, Group, Package, StoreError},
};

use crate::world::{APP, World, app, channel, group, on_both};

/// How often each side changes something. They wait for the same lock, so whoever wrote back what they had read before they
/// waited would undo a change nearly every time.
const TIMES: u32 = 12;

/// Who changes something else at the same time.
#[derive(Clone, Copy, Debug)]
enum Way {
    Own,
    CoreUpdate,
    Nebraska,
    Dashboard,
}

const WAYS: [Way; 4] = [Way::Own, Way::CoreUpdate, Way::Nebraska, Way::Dashboard];

async fn send_json(world: &World, verb: &str, path: &str, body: Value) {
    let url = format!("{}{path}", world.base);
    let request = world.client.request(verb.parse().unwrap(), url);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status();
    assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
}

/// Sends a form of the dashboard with what binds it to its page.
async fn send_form(world: &World, path: &str, fields: &[(&str, &str)]) {
    let page = world.client.get(format!("{}{path}", world.base)).send().await.unwrap();
    let cookie = page.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = page.text().await.unwrap();
    let (_, token) = page.split_once("name=\"form_token\" value=\"").unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("form_token", &token[..64]).extend_pairs(fields);
    let request = world
        .client
        .post(format!("{}{path}", world.base))
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(form.finish()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Changes the group's label, and says nothing of `at_once`, which only two of the four know.
async fn change_label(world: &World, way: Way, label: &str) {
    match way {
        Way::Own => {
            let path = format!("/api/v2/apps/{APP}/groups/stable");
            send_json(world, "PUT", &path, json!({ "label": label })).await;
        }
        Way::CoreUpdate => {
            let method = slipway_coreupdate::find("update.group.patch").unwrap();
            let path = method.expand(&[APP, "stable"]);
            send_json(world, method.verb.as_str(), &path, json!({ "label": label })).await;
        }
        Way::Nebraska => {
            let body = json!({
                "name": label, "description": "", "track": "stable", "channel_id": channel(), "policy_updates_enabled": true,
                "policy_safe_mode": false, "policy_office_hours": false, "policy_timezone": "UTC",
                "policy_period_interval": "1 hours", "policy_max_updates_per_period": 900_000, "policy_update_timeout": "1 hours",
            });
            send_json(world, "PUT", &format!("/api/apps/{APP}/groups/stable"), body).await;
        }
        Way::Dashboard => {
            let path = format!("/apps/{APP}/groups/stable/edit");
            let channel = channel();
            let fields = [("label", label), ("track", "stable"), ("channel", channel.as_str())];
            send_form(world, &path, &fields).await;
        }
    }
}

/// Changes the channel, and says nothing of `upstream`.
async fn change_channel(world: &World, way: Way, round: u32) {
    let (id, package) = (channel(), crate::world::package(crate::world::NEW).id);
    match way {
        Way::Own => {
            let path = format!("/api/v2/apps/{APP}/channels/{id}");
            send_json(world, "PUT", &path, json!({ "publish": round.is_multiple_of(2) })).await;
        }
        Way::CoreUpdate => {
            let method = slipway_coreupdate::find("update.channel.update").unwrap();
            let body = json!({ "publish": round.is_multiple_of(2) });
            let path = method.expand(&[APP, "stable:amd64"]);
            send_json(world, method.verb.as_str(), &path, body).await;
        }
        Way::Nebraska => {
            let body =
                json!({ "name": "stable", "color": "#123456", "package_id": package, "arch": 1 });
            send_json(world, "PUT", &format!("/api/apps/{APP}/channels/{id}"), body).await;
        }
        Way::Dashboard => {
            let path = format!("/apps/{APP}/channels/{id}");
            let fields = [("label", "stable"), ("package", package.as_str())];
            send_form(world, &path, &fields).await;
        }
    }
}

on_both! {
    async fn who_changes_a_group_undoes_nothing(world) {
        world.fleet(Policy { at_once: Some(0), ..Policy::default() }).await;
        for (before, way) in WAYS.into_iter().enumerate() {
            let labels = futures::future::join_all((0..TIMES).map(|number| {
                let world = &world;
                async move { change_label(world, way, &format!("{way:?} {number}")).await }
            }));
            let raises = futures::future::join_all((0..TIMES).map(|_| {
                world.change(|policy| policy.at_once = policy.at_once.map(|count| count + 1))
            }));
            futures::join!(labels, raises);
            let now = world.group().await;
            assert_eq!(now.policy.at_once, Some((before as u32 + 1) * TIMES), "{way:?}");
            assert!(now.label.starts_with(&format!("{way:?}")), "{way:?}: {}", now.label);
        }
    }

    async fn who_changes_a_channel_undoes_nothing(world) {
        world.fleet(Policy::default()).await;
        for (before, way) in WAYS.into_iter().enumerate() {
            let others = futures::future::join_all((0..TIMES).map(|number| {
                let world = &world;
                async move { change_channel(world, way, number).await }
            }));
            let (by, id) = (world.by(), channel());
            let longer = futures::future::join_all((0..TIMES).map(|_| {
                let lengthen = |channel: &mut Channel| {
                    channel.upstream.push('x');
                    Ok::<_, StoreError>(())
                };
                world.store().change_channel(&by, &id, lengthen)
            }));
            let (_, longer) = futures::join!(others, longer);
            longer.into_iter().for_each(|done| drop(done.unwrap()));
            let now = world.store().channel(&id).await.unwrap().unwrap();
            assert_eq!(now.upstream.len(), (before + 1) * TIMES as usize, "{way:?}");
            assert_eq!(now.package, Some(crate::world::package(crate::world::NEW).id), "{way:?}");
        }
    }

    async fn who_changes_an_application_or_a_package_undoes_nothing(world) {
        world.fleet(Policy::default()).await;
        let (by, id) = (world.by(), crate::world::package(crate::world::NEW).id);
        let method = slipway_coreupdate::find("update.app.update").unwrap();
        let (path, id_of_app) = (method.expand(&[APP]), app());
        let labels = futures::future::join_all((0..TIMES).map(|number| {
            send_json(&world, method.verb.as_str(), &path, json!({ "label": format!("{number}") }))
        }));
        let texts = futures::future::join_all((0..TIMES).map(|_| {
            world.store().change_app(&by, &id_of_app, |app| app.description.push('x'))
        }));
        let (_, texts) = futures::join!(labels, texts);
        texts.into_iter().for_each(|done| drop(done.unwrap()));
        let now = world.store().app(&id_of_app).await.unwrap().unwrap();
        assert_eq!(now.description.len(), TIMES as usize);
        assert_ne!(now.label, "Container Linux");

        // Nebraska knows nothing of release notes.
        let path = format!("/api/apps/{APP}/packages/{id}");
        let bodies = futures::future::join_all((0..TIMES).map(|number| {
            let body = json!({
                "application_id": APP, "arch": 1, "channels_blacklist": [], "description": format!("{number}"), "filename": "update.gz",
                "hash": crate::world::SHA1, "size": "7", "url": "https://x.example/", "version": crate::world::NEW, "type": 1,
            });
            send_json(&world, "PUT", &path, body)
        }));
        let notes = futures::future::join_all((0..TIMES).map(|_| {
            let lengthen = |package: &mut Package| {
                package.release_notes.push('x');
                Ok::<_, StoreError>(())
            };
            world.store().change_package(&by, &id, lengthen)
        }));
        let (_, notes) = futures::join!(bodies, notes);
        notes.into_iter().for_each(|done| drop(done.unwrap()));
        let now = world.store().package(&id).await.unwrap().unwrap();
        assert_eq!((now.release_notes.len(), now.size), (TIMES as usize, 7));
    }

    /// A change that is refused half-way leaves everything as it was, and the lock free.
    async fn a_change_that_is_refused_changes_nothing(world) {
        world.fleet(Policy::default()).await;
        let before = world.group().await;
        let refuse = |group: &mut Group| {
            group.label = "never".to_owned();
            Err(StoreError::Invalid { what: "label", value: group.label.clone() })
        };
        let refused = world.store().change_group(&world.by(), &app(), &group(), refuse).await;
        assert_eq!(refused.unwrap_err().to_string(), "`never` is no label");
        assert_eq!(world.group().await, before);
        world.change(|policy| policy.percent = 7.0).await;
        assert_eq!(world.group().await.policy.percent, 7.0);
    }
}
