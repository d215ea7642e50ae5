//! What is kept, in both databases.

use slipway_update_server::{
    ids::{AppId, PackageId, UserName},
    oidc::Person,
    policy::Policy,
    store::{
        Application, Arch, By, Channel, Floor, Group, InstanceFilter, InstanceSort, NewToken,
        Package, Page, Role, Scope, SortOrder, Span, Store, StoreError,
    },
};
use sqlx::Connection as _;

use crate::world::{APP, Host, NEW, OLD, World, app, channel, group, on_both, package};

fn conflict<T: std::fmt::Debug>(done: Result<T, StoreError>, expected: &str) {
    let error = done.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

async fn machines(world: &World, count: usize) {
    for number in 0..count {
        Host {
            oem: if number % 2 == 0 { "qemu" } else { "ami" }.to_owned(),
            ..Host::new(format!("host-{number:02}"))
        }
        .ask(world)
        .await;
    }
}

on_both! {
    async fn what_contradicts_itself_is_refused(world) {
        world.fleet(Policy::default()).await;
        let (store, by) = (world.store(), world.by());
        conflict(store.create_package(&by, &package(NEW)).await, "there is a package `4001.2.0` already");
        conflict(store.create_package(&by, &Package { id: "x".parse().unwrap(), version: "new".to_owned(), ..package(NEW) }).await, "is no version");
        conflict(store.create_package(&by, &Package { sha256: "ABC".to_owned(), ..package("5.0.0") }).await, "hexadecimal");
        conflict(store.create_package(&by, &Package { sha1: "abc".to_owned(), ..package("5.0.0") }).await, "base64");
        conflict(store.delete_package(&by, &package(NEW).id).await, "is in use");
        conflict(store.delete_channel(&by, &channel()).await, "is in use");
        conflict(store.blacklist_package(&by, &channel(), &package(NEW).id).await, "points to");
        store.create_package(&by, &package(OLD)).await.unwrap();
        let floor = Floor { channel: channel(), package: package(OLD).id, reason: String::new() };
        store.set_floor(&by, &floor).await.unwrap();
        conflict(store.blacklist_package(&by, &channel(), &package(OLD).id).await, "is a floor");
        conflict(store.delete_package(&by, &package(OLD).id).await, "is in use");
        store.remove_floor(&by, &channel(), &package(OLD).id).await.unwrap();
        store.blacklist_package(&by, &channel(), &package(OLD).id).await.unwrap();
        conflict(store.set_floor(&by, &floor).await, "is blacklisted");
        let point = async |to: PackageId| {
            let change = |channel: &mut Channel| {
                channel.package = Some(to);
                Ok::<_, StoreError>(())
            };
            store.change_channel(&by, &channel(), change).await
        };
        conflict(point(package(OLD).id).await, "is blacklisted");
        let arm = Package { id: "arm".parse().unwrap(), arch: Arch::Arm64, ..package(NEW) };
        store.create_package(&by, &arm).await.unwrap();
        conflict(point(arm.id).await, "another architecture");
        let foreign = |group: &mut Group| -> Result<(), StoreError> {
            group.channel = Some("nowhere".parse().unwrap());
            Ok(())
        };
        conflict(store.change_group(&by, &app(), &group(), foreign).await, "there is no channel `nowhere`");
        conflict(store.delete_group(&by, &app(), &"none".parse().unwrap()).await, "there is no group `none`");
    }

    /// An alias that is given in one application says nothing in another one.
    async fn an_alias_holds_where_it_is_given(world) {
        world.fleet(Policy::default()).await;
        let (store, by) = (world.store(), world.by());
        let other: AppId = "00000000-1111-2222-3333-444444444444".parse().unwrap();
        let row = store.app(&app()).await.unwrap().unwrap();
        store.create_app(&by, &Application { id: other.clone(), ..row }).await.unwrap();
        store.create_group(&by, &Group::new(other.clone(), group(), "stable")).await.unwrap();
        let host = Host::new("both");
        host.ask(&world).await;
        let document = host.check().to_xml().replace(APP, other.as_str());
        world.omaha(&document).await;
        let names = async || {
            let there = store.instance(&other, &host.machine()).await.unwrap().unwrap();
            (world.instance("both").await.given_alias, there.given_alias)
        };
        let pair = |here: &str, there: &str| (here.to_owned(), there.to_owned());
        store.set_alias(&by, Some(&app()), &host.machine(), "door").await.unwrap();
        assert_eq!(names().await, pair("door", ""));
        store.set_alias(&by, Some(&other), &host.machine(), "gate").await.unwrap();
        assert_eq!(names().await, pair("door", "gate"));
        store.set_alias(&by, None, &host.machine(), "wall").await.unwrap();
        assert_eq!(names().await, pair("wall", "wall"));
        let nowhere: AppId = "nowhere".parse().unwrap();
        conflict(store.set_alias(&by, Some(&nowhere), &host.machine(), "x").await, "there is no instance `both`");
    }

    /// After a change one reads the catalog, and the others who want it then take the same.
    async fn the_catalog_is_read_once_per_change(world) {
        world.fleet(Policy::default()).await;
        let before = world.store().catalog().await.unwrap();
        world.change(|policy| policy.percent = 50.0).await;
        let asked = (0..16).map(|_| world.store().catalog());
        let catalogs: Vec<_> = futures::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
        assert!(catalogs[0].generation > before.generation);
        assert!(catalogs.iter().all(|catalog| std::sync::Arc::ptr_eq(catalog, &catalogs[0])));
    }

    /// What many change at once is all there afterwards: nobody writes back what they read before another's change.
    async fn changes_of_a_policy_do_not_undo_each_other(world) {
        world.fleet(Policy { at_once: Some(1), ..Policy::default() }).await;
        let changes = (0..16).map(|_| {
            let (store, by) = (world.store().clone(), world.by());
            tokio::spawn(async move {
                let raise = |policy: &mut Policy| policy.at_once = policy.at_once.map(|count| count + 1);
                store.change_policy(&by, &app(), &group(), raise).await.unwrap();
            })
        });
        for done in futures::future::join_all(changes).await {
            done.unwrap();
        }
        assert_eq!(world.group().await.policy.at_once, Some(17));
        let refused = world.store().change_policy(&world.by(), &app(), &group(), |policy| policy.percent = 101.0).await;
        conflict(refused, "policy");
        assert_eq!(world.group().await.policy.at_once, Some(17));
    }

    async fn every_change_is_in_the_audit_log(world) {
        world.fleet(Policy::default()).await;
        world.change(|policy| policy.percent = 5.0).await;
        world.store().delete_app(&world.by(), &app()).await.unwrap();
        let log = world.store().audit_log(None, Page::first(10)).await.unwrap();
        let actions: Vec<&str> = log.items.iter().rev().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["app.create", "package.create", "channel.create", "group.create", "group.update", "app.delete"]);
        assert_eq!(log.items[1].detail["policy"]["percent"], 5.0);
        assert_eq!((log.items[0].who.as_str(), log.total), ("system", 6));
        assert!(world.store().apps().await.unwrap().is_empty());
    }

    async fn machines_are_found_sorted_and_counted(world) {
        world.fleet(Policy { percent: 0.0, ..Policy::default() }).await;
        machines(&world, 12).await;
        let store = world.store();
        let find = async |filter: InstanceFilter| {
            let page = Page { skip: 0, limit: 3 };
            let found = store.instances(&filter, InstanceSort::Machine, SortOrder::Ascending, page).await.unwrap();
            (found.total, found.items.iter().map(|instance| instance.machine.to_string()).collect::<Vec<_>>())
        };
        let all = InstanceFilter::default();
        assert_eq!(find(all.clone()).await, (12, vec!["host-00".into(), "host-01".into(), "host-02".into()]));
        let oem = InstanceFilter { oem: Some("ami".to_owned()), ..all.clone() };
        assert_eq!(find(oem).await.0, 6);
        let search = InstanceFilter { search: Some("HOST-1".to_owned()), ..all.clone() };
        assert_eq!(find(search).await, (2, vec!["host-10".into(), "host-11".into()]));
        let percent = InstanceFilter { search: Some("%".to_owned()), ..all.clone() };
        assert_eq!(find(percent).await.0, 0);
        let quote = InstanceFilter { search: Some("' OR 1=1 --".to_owned()), ..all };
        assert_eq!(find(quote).await.0, 0);
        store.set_alias(&world.by(), Some(&app()), &"host-03".parse().unwrap(), "door").await.unwrap();
        Host::new("host-03").ask(&world).await;
        assert_eq!(world.instance("host-03").await.name(), "door");
        let versions = store.version_counts(&app(), Some(&group()), jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((versions[0].version.as_str(), versions[0].count), (OLD, 12));
        let span = Span { from: world.clock.now(), until: jiff::Timestamp::MAX, step: 60 };
        let checks = store.checks_over_time(&app(), &group(), span).await.unwrap();
        assert_eq!((checks.len(), checks[0].count), (1, 13));
        let hours = Span { step: 86_400, from: jiff::Timestamp::UNIX_EPOCH, ..span };
        assert_eq!(store.checks_over_time(&app(), &group(), hours).await.unwrap()[0].count, 13);
    }

    async fn what_is_old_is_forgotten(world) {
        world.fleet(Policy::default()).await;
        Host::new("old").ask(&world).await;
        world.clock.turn(3600);
        Host::new("new").ask(&world).await;
        let now = world.clock.now();
        assert!(world.store().forget(now, now).await.unwrap() > 0);
        let left = world.store().count_instances(&InstanceFilter::default()).await.unwrap();
        assert_eq!(left, 1);
    }

    async fn users_tokens_and_roles(world) {
        let (store, by) = (world.store(), world.by());
        let name = "ann".parse().unwrap();
        assert!(!store.has_users().await.unwrap());
        let key = store.create_user(&by, &name, Role::Viewer).await.unwrap();
        assert_eq!(store.hawk_key(&name).await.unwrap(), Some(key.clone()));
        assert_ne!(store.renew_hawk_key(&by, &name).await.unwrap(), key);
        conflict(store.create_user(&by, &name, Role::Viewer).await, "already");
        let end = by.at + jiff::SignedDuration::from_secs(60);
        let new = NewToken { user: name.clone(), label: "ci".to_owned(), scopes: vec![Scope::Write], expires_at: Some(end) };
        let (token, secret) = store.create_token(&by, &new).await.unwrap();
        let ann = store.authenticate(&secret, by.at).await.unwrap().unwrap();
        // A token of a scope allows no more than its user may.
        assert!(ann.may(Role::Viewer, None) && !ann.may(Role::Operator, None));
        store.set_role(&by, &name, Some(&app()), Some(Role::Admin)).await.unwrap();
        let ann = store.authenticate(&secret, by.at).await.unwrap().unwrap();
        assert!(ann.may(Role::Operator, Some(&app())) && !ann.may(Role::Operator, None));
        // And no more than its scope, whoever its user is.
        assert!(!ann.may(Role::Admin, Some(&app())));
        assert_eq!(store.authenticate(&secret, end).await.unwrap(), None);
        assert_eq!(store.authenticate("slipway_0", by.at).await.unwrap(), None);
        store.delete_token(&by, &token.id).await.unwrap();
        assert_eq!(store.authenticate(&secret, by.at).await.unwrap(), None);
        let log = format!("{:?}", store.audit_log(None, Page::first(50)).await.unwrap());
        assert!(!log.contains(&secret) && !log.contains(&key));
    }

    async fn people_of_an_issuer_sign_in_and_out(world) {
        let (store, by) = (world.store(), world.by());
        let name: UserName = "ann".parse().unwrap();
        let ann = Person { subject: "https://i.example 7".to_owned(), name: name.clone(), roles: vec![(None, Role::Viewer)] };
        let end = by.at + jiff::SignedDuration::from_secs(60);
        let first = store.sign_in(&by, &ann, end).await.unwrap();
        let who = async |secret: &str, at| store.authenticate(secret, at).await.unwrap();
        assert_eq!(who(&first, by.at).await.unwrap().roles, ann.roles);
        let roles = vec![(None, Role::Operator), (Some(app()), Role::Admin)];
        let second = store.sign_in(&by, &Person { roles: roles.clone(), ..ann.clone() }, end).await.unwrap();
        assert_eq!(who(&first, by.at).await.unwrap().roles, roles, "of every session");
        assert!(store.end_session(&first, "10.0.0.1", by.at).await.unwrap());
        assert_eq!(who(&first, by.at).await, None);
        assert!(who(&second, by.at).await.is_some(), "the other session goes on");
        let new = NewToken { user: name.clone(), label: "ci".to_owned(), scopes: vec![Scope::Read], expires_at: None };
        let (_, token) = store.create_token(&by, &new).await.unwrap();
        assert!(!store.end_session(&token, "10.0.0.1", by.at).await.unwrap());
        assert!(who(&token, by.at).await.is_some(), "a token is no session");
        assert_eq!(who(&second, end).await, None);
        let later = By { at: end, ..by.clone() };
        store.sign_in(&later, &ann, end + jiff::SignedDuration::from_secs(60)).await.unwrap();
        assert_eq!(store.tokens(Some(&name)).await.unwrap().len(), 2, "what is over is forgotten");
        let long_after = end + jiff::SignedDuration::from_hours(1);
        store.forget(long_after, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        let left = store.tokens(Some(&name)).await.unwrap();
        assert_eq!(left.iter().map(|token| token.label.as_str()).collect::<Vec<_>>(), ["ci"], "sessions, and no tokens");
        let other = Person { subject: "https://i.example 8".to_owned(), ..ann };
        conflict(store.sign_in(&by, &other, end).await, "user `ann` is a user of this server, or somebody else at the issuer");
    }

    async fn a_database_is_opened_again_as_it_was(world) {
        world.fleet(Policy::default()).await;
        let again = Store::open(&world.database, 2).await.unwrap();
        let group: Group = again.group(&app(), &group()).await.unwrap().unwrap();
        assert_eq!(group, world.group().await);
    }
}

/// A database of the first version, with a user and a token, is brought to the present form and works.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_older_server_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}?mode=rwc", folder.path().join("old.sqlite").display());
    let databases = [Some((sqlite, "INTEGER PRIMARY KEY AUTOINCREMENT"))].into_iter().chain([
        crate::postgres::database()
            .await
            .map(|url| (url, "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")),
    ]);
    for (url, serial) in databases.flatten() {
        sqlx::any::install_default_drivers();
        let mut old = sqlx::AnyConnection::connect(&url).await.unwrap();
        let mut text = include_str!("../../src/store/schema.sql").replace("{SERIAL}", serial);
        text.push_str(
            "CREATE TABLE forms (form BIGINT PRIMARY KEY); INSERT INTO forms (form) VALUES (1);
             INSERT INTO users (name, hawk_key, created_at) VALUES ('ann', 'key', 0);
             INSERT INTO user_roles (user_name, app_id, role) VALUES ('ann', '*', 'operator');
             INSERT INTO tokens (id, user_name, label, secret_sha256, scopes, created_at)
             VALUES ('t', 'ann', 'ci', 'DIGEST', 'read', 0);",
        );
        let text = text.replace("DIGEST", &digest("slipway_old"));
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        let store = Store::open(&url, 2).await.unwrap();
        let ann = store.authenticate("slipway_old", crate::world::start_of_time()).await.unwrap();
        assert_eq!(ann.unwrap().roles, [(None, Role::Operator)], "{url}");
        assert!(!store.tokens(None).await.unwrap()[0].session);
        store.close().await;
    }
}

fn digest(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_url_of_no_database_is_refused_and_not_shown() {
    let error = Store::open("mysql://root:secret@host/x", 2).await.unwrap_err();
    assert!(!slipway_update_server::chain(&error).contains("secret"), "{error}");
}

/// What was logged while the log is moved is there as well, and the log does not grow for ever.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_sqlite_is_moved_beside_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logged.sqlite");
    let store = Store::open(&format!("sqlite:{}", path.display()), 4).await.unwrap();
    let by = By::system(crate::world::start_of_time());
    let describe = async |number: usize| {
        let application = Application {
            id: format!("app-{number}").parse().unwrap(),
            product_id: None,
            label: "x".to_owned(),
            description: "x".repeat(200_000),
            created_at: by.at,
        };
        store.create_app(&by, &application).await.unwrap();
    };
    for round in 0..4 {
        let writing = async {
            for number in 0..60 {
                describe(round * 60 + number).await;
            }
        };
        let moving = async {
            for _ in 0..6 {
                store.checkpoint().await.unwrap();
            }
        };
        futures::join!(writing, moving);
        store.checkpoint().await.unwrap();
    }
    assert_eq!(store.apps().await.unwrap().len(), 240);
    // 24 MB of descriptions a round, in the application and in the audit log.
    let log = fs_err::metadata(path.with_extension("sqlite-wal")).unwrap().len();
    assert!(log < 70_000_000, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database() {
    let world = World::with(&[]).await;
    world.fleet(Policy::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8Path::from_path(folder.path()).unwrap().join("copy.sqlite");
    world.store().backup(&path).await.unwrap();
    let copy = Store::open(&format!("sqlite:{path}"), 2).await.unwrap();
    assert_eq!(copy.groups(&app()).await.unwrap(), [world.group().await]);
    conflict(world.store().backup(&path).await, "cannot write the backup");
}
