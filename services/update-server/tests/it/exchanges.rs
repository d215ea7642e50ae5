//! The exchanges that clients of Container Linux and Flatcar have with their server, byte by byte.

use slipway_update_server::{
    policy::Policy,
    store::{Floor, Package, PackageFile, Page, Status, StoreError},
};

use crate::world::{Host, NEW, OLD, SHA1, SHA256, World, app, channel, on_both, package};

const MACHINE: &str = "0f3a5c0e1b7d4e55a0b6c2d19e8f7a42";

fn request(version: &str, inner: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
  <os version="Chateau" platform="CoreOS" sp="4000.1.0_x86_64"></os>
  <app appid="{{e96281a6-d1af-4bde-9a0a-97b76e56dc57}}" version="{version}" track="stable" bootid="{{6f0c2f44-0d9c-4f0e-9a57-2d1f6f0f1a11}}"
       oem="qemu" oemversion="0.1" alephversion="3975.2.0" machineid="{MACHINE}" machinealias="rack7-03"
       lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false">
    {inner}
  </app>
</request>"#
    )
}

fn response(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<response protocol=\"3.0\" server=\"slipway\"><daystart elapsed_seconds=\"0\">\
         </daystart><app appid=\"{{e96281a6-d1af-4bde-9a0a-97b76e56dc57}}\" status=\"ok\">{inner}</app></response>"
    )
}

const CHECK: &str = r#"<ping active="1"></ping><updatecheck></updatecheck><event eventtype="3" eventresult="2" previousversion=""></event>"#;

fn granted() -> String {
    response(&format!(
        "<ping status=\"ok\"></ping><updatecheck status=\"ok\"><urls><url codebase=\"https://updates.example/amd64-usr/4001.2.0/\">\
         </url></urls><manifest version=\"4001.2.0\"><packages><package name=\"update.gz\" hash=\"{SHA1}\" hash_sha256=\"{SHA256}\" \
         size=\"382137917\" required=\"true\"></package><package name=\"oem-qemu.gz\" hash=\"{SHA1}\" hash_sha256=\"{SHA256}\" \
         size=\"2282\" required=\"false\"></package></packages><actions><action event=\"postinstall\" \
         sha256=\"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\" DisablePayloadBackoff=\"true\"></action></actions></manifest>\
         </updatecheck><event status=\"ok\"></event>"
    ))
}

const NOTHING: &str = r#"<ping status="ok"></ping><updatecheck status="noupdate"></updatecheck><event status="ok"></event>"#;

async fn with_extension(world: &World) {
    world.fleet(Policy::default()).await;
    let file = PackageFile {
        name: "oem-qemu.gz".to_owned(),
        size: 2282,
        sha1: SHA1.to_owned(),
        sha256: SHA256.to_owned(),
        required: false,
    };
    let change = |package: &mut Package| {
        package.files = vec![file];
        Ok::<_, StoreError>(())
    };
    world.store().change_package(&world.by(), &package(NEW).id, change).await.unwrap();
}

on_both! {
    /// Exchange A and the end of C: granted, downloaded, verified, installed, rebooted.
    async fn a_machine_updates(world) {
        with_extension(&world).await;
        assert_eq!(world.omaha(&request(OLD, CHECK)).await, granted());
        assert_eq!(world.instance(MACHINE).await.status, Status::Granted);
        for (event, status) in [
            (r#"<event eventtype="13" eventresult="1"></event>"#, Status::Downloading),
            (r#"<event eventtype="14" eventresult="1"></event>"#, Status::Downloaded),
            (r#"<event eventtype="3" eventresult="1"></event>"#, Status::Installed),
        ] {
            assert_eq!(world.omaha(&request(OLD, event)).await, response("<event status=\"ok\"></event>"));
            assert_eq!(world.instance(MACHINE).await.status, status);
        }
        let after = r#"<ping active="1"/><updatecheck/><event eventtype="3" eventresult="2" previousversion="4000.1.0"/>"#;
        assert_eq!(world.omaha(&request(NEW, after)).await, response(NOTHING));
        let instance = world.instance(MACHINE).await;
        assert_eq!((instance.status, instance.version.as_str()), (Status::Complete, NEW));
        assert_eq!((instance.oem.as_str(), instance.alias.as_str()), ("qemu", "rack7-03"));
        let history = world.store().history(&app(), &instance.machine, Page::first(10)).await.unwrap();
        let kinds: Vec<(&str, Status)> = history.iter().map(|event| (event.kind.as_str(), event.status)).collect();
        assert_eq!(kinds, [
            ("complete", Status::Complete),
            ("event", Status::Installed),
            ("event", Status::Installed),
            ("event", Status::Downloaded),
            ("event", Status::Downloading),
            ("granted", Status::Granted),
        ]);
    }

    /// Exchange B: a failure with flag bits, and a later check that must wait. Stock clients are told `noupdate`.
    async fn a_machine_fails_and_waits(world) {
        with_extension(&world).await;
        world.omaha(&request(OLD, CHECK)).await;
        let failure = r#"<event eventtype="3" eventresult="0" errorcode="268435474"></event>"#;
        assert_eq!(world.omaha(&request(OLD, failure)).await, response("<event status=\"ok\"></event>"));
        let instance = world.instance(MACHINE).await;
        assert_eq!((instance.status, instance.error_code), (Status::Error, Some(18)));
        world.change(|policy| policy.at_once = Some(0)).await;
        assert_eq!(world.omaha(&request(OLD, CHECK)).await, response(NOTHING));
        assert_eq!(world.instance(MACHINE).await.status, Status::OnHold);
    }

    /// Exchange C: rolled back. The same version is not pushed on it again, unless somebody asks by hand.
    async fn a_machine_comes_back(world) {
        with_extension(&world).await;
        world.omaha(&request(OLD, CHECK)).await;
        world.omaha(&request(OLD, r#"<event eventtype="3" eventresult="1"/>"#)).await;
        let back = r#"<ping active="1"/><updatecheck/><event eventtype="3" eventresult="0" errorcode="44"/>"#;
        assert_eq!(world.omaha(&request(OLD, back)).await, response(NOTHING));
        assert_eq!(world.omaha(&request(OLD, CHECK)).await, response(NOTHING));
        let by_hand = request(OLD, CHECK).replace("scheduler", "ondemandupdate");
        assert_eq!(world.omaha(&by_hand).await, granted());
    }

    /// What was granted is granted again, until the machine has it.
    async fn a_machine_that_asks_again_gets_the_same(world) {
        with_extension(&world).await;
        for _ in 0..3 {
            assert_eq!(world.omaha(&request(OLD, CHECK)).await, granted());
        }
        let host = Host { version: OLD.to_owned(), ..Host::new(MACHINE) };
        world.say(&host.event(13, 1, None)).await;
        // Nebraska refuses machines that have begun; those are stuck when their first try is lost.
        assert_eq!(world.omaha(&request(OLD, CHECK)).await, granted());
        assert_eq!(world.store().open_leases(&app(), &crate::world::group(), 10).await.unwrap().len(), 1);
    }

    /// A floor comes before the target; another server that copies reads both at once, or nothing.
    async fn floors_are_not_skipped(world) {
        with_extension(&world).await;
        let floor = Package { files: Vec::new(), ..package("4000.5.0") };
        world.store().create_package(&world.by(), &floor).await.unwrap();
        let entry = Floor { channel: channel(), package: floor.id, reason: "new partition table".to_owned() };
        world.store().set_floor(&world.by(), &entry).await.unwrap();
        let mut host = Host::new("floor-1");
        assert_eq!(host.ask(&world).await.as_deref(), Some("4000.5.0"));
        host.install(&world, "4000.5.0").await;
        assert_eq!(host.ask(&world).await.as_deref(), Some(NEW));

        let many = request(OLD, CHECK).replace("delta_okay", "multi_manifest_ok=\"true\" delta_okay");
        let answer = slipway_omaha::Response::parse(world.omaha(&many).await.as_bytes()).unwrap();
        let check = answer.apps[0].update_check.clone().unwrap();
        let versions: Vec<(&str, Option<&str>, bool)> = check
            .manifests
            .iter()
            .map(|manifest| (manifest.version.as_str(), manifest.floor.as_deref(), manifest.is_target))
            .collect();
        assert_eq!(versions, [("4000.5.0", Some("new partition table"), false), (NEW, None, true)]);
        let old_syncer = request(OLD, CHECK).replace("version=\"update_engine-0.4.10\"", "version=\"CoreOSUpdateEngine-0.1.0.0\"");
        assert_eq!(world.omaha(&old_syncer).await, response(NOTHING));
    }

    /// Braces, the path's last slash, old group ids, several applications in one request.
    async fn clients_are_understood_as_they_are(world) {
        with_extension(&world).await;
        let bare = request(OLD, CHECK).replace("{e96281a6-d1af-4bde-9a0a-97b76e56dc57}", "e96281a6-d1af-4bde-9a0a-97b76e56dc57");
        let expected = granted().replace("{e96281a6-d1af-4bde-9a0a-97b76e56dc57}", "e96281a6-d1af-4bde-9a0a-97b76e56dc57");
        let (status, body) = world.post("/v1/update", "text/xml; charset=utf-8", bare).await;
        assert_eq!((status, body), (200, expected));
        let legacy = request(OLD, CHECK).replace("track=\"stable\"", "track=\"9a2deb70-37be-4026-853f-bfdd6b347bbe\"");
        assert_eq!(world.omaha(&legacy).await, granted());
        let one = Host::new("two-apps").check();
        let mut two = one.clone();
        two.apps.extend(Host::new("two-apps-other").check().apps);
        let answer = world.say(&two).await;
        assert_eq!(answer.apps.len(), 2);
        assert!(answer.apps.iter().all(|app| app.update_check.as_ref().unwrap().manifests.len() == 1));
    }
}
