//! Making a lock: what is believed, what is refused.

use slipway_seed::{SeedError, SeedLock, UpdateOptions, update};

use crate::support::{
    Answer, Package, RELEASE_EPOCH, SigningKey, World, chain, put, put_signed, release_text,
};

fn packages() -> Vec<Package> {
    let package = |name, version, fields| Package { name, version, fields, ..Package::default() };
    vec![
        package("base-files", "13", "Essential: yes\n"),
        package("gcc", "4:14.2-1", "Depends: libc6 (>= 2.40), awk\n"),
        package("libc6", "2.41-12", ""),
        package("mawk", "1.3", "Provides: awk\n"),
        package("other", "1", ""),
    ]
}

async fn fails(world: &World, wanted: &[&str]) -> String {
    chain(&update(&world.spec(wanted), &world.update_options(), &|_| ()).await.unwrap_err())
}

#[tokio::test]
async fn the_lock_has_the_closure_and_is_deterministic() {
    let world = World::new(&packages()).await;
    let spec = world.spec(&["gcc"]);
    let report = update(&spec, &world.update_options(), &|_| ()).await.unwrap();
    let names: Vec<_> = report.lock.packages().map(|package| package.name.to_string()).collect();
    assert_eq!(names, ["base-files", "gcc", "libc6", "mawk"]);
    assert_eq!((report.release.as_str(), report.lock.epoch), ("13.1", RELEASE_EPOCH));
    let again = update(&spec, &world.update_options(), &|_| ()).await.unwrap();
    assert_eq!(again.lock.to_text(), report.lock.to_text());
    let path = world.cache().join("seed.lock");
    fs_err::create_dir_all(world.cache()).unwrap();
    report.lock.save(&path).unwrap();
    assert_eq!(SeedLock::load(&path).unwrap(), report.lock);
    assert_eq!(fs_err::read_dir(world.cache()).unwrap().count(), 1);
}

#[tokio::test]
async fn unknown_packages_are_named() {
    let world = World::new(&packages()).await;
    assert_eq!(
        fails(&world, &["gcc", "gkk"]).await,
        "the package `gkk` in `seed.toml` does not exist in this suite"
    );
}

#[tokio::test]
async fn a_missing_signature_is_refused() {
    let world = World::new(&packages()).await;
    put(
        &world.files,
        "dists/trixie/InRelease",
        release_text(&world.files, &packages()).into_bytes(),
    );
    let error = fails(&world, &["gcc"]).await;
    assert!(error.contains("dists/trixie/InRelease` is not signed"), "{error}");
}

#[tokio::test]
async fn a_changed_text_is_refused() {
    let world = World::new(&packages()).await;
    let Answer::Whole(bytes) = world.files.lock().unwrap()["dists/trixie/InRelease"].clone() else {
        unreachable!()
    };
    let text = String::from_utf8(bytes).unwrap().replace("13.1", "13.2");
    put(&world.files, "dists/trixie/InRelease", text.into_bytes());
    let error = fails(&world, &["gcc"]).await;
    assert!(
        error.contains("the signature of `http://") && error.contains("InRelease` by the key"),
        "{error}"
    );
}

#[tokio::test]
async fn text_outside_of_the_signature_is_refused() {
    let world = World::new(&packages()).await;
    let Answer::Whole(bytes) = world.files.lock().unwrap()["dists/trixie/InRelease"].clone() else {
        unreachable!()
    };
    for text in [
        [b"Codename: evil\n\n".as_slice(), &bytes].concat(),
        [&bytes, b"Codename: evil\n".as_slice()].concat(),
    ] {
        put(&world.files, "dists/trixie/InRelease", text);
        let error = fails(&world, &["gcc"]).await;
        assert!(error.contains("is not signed"), "{error}");
    }
}

#[tokio::test]
async fn another_key_is_refused() {
    let world = World::new(&packages()).await;
    let spec = world.spec_with(&["gcc"], &SigningKey::make(None));
    let error = update(&spec, &world.update_options(), &|_| ()).await.unwrap_err();
    assert!(
        matches!(error, SeedError::UnknownSigner { ref signers, .. } if signers.len() == 1),
        "{error}"
    );
}

#[tokio::test]
async fn an_expired_key_is_refused_once_it_has_expired() {
    let world = World::new(&packages()).await;
    let key = SigningKey::make(Some(5_000_000));
    put_signed(&world.files, &key, &release_text(&world.files, &packages()));
    let spec = world.spec_with(&["gcc"], &key);
    let at = |now| UpdateOptions { now, ..world.update_options() };
    update(&spec, &at(1_704_999_999), &|_| ()).await.unwrap();
    let error = update(&spec, &at(1_705_000_000), &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("no longer valid: it has expired"), "{error}");
}

#[tokio::test]
async fn another_suite_and_an_old_release_are_refused() {
    let world = World::new(&packages()).await;
    let text = release_text(&world.files, &packages());
    put_signed(&world.files, &world.key, &text.replace("Codename: trixie", "Codename: sid"));
    let error = fails(&world, &["gcc"]).await;
    assert!(error.contains("it is for the suite `sid`, not `trixie`"), "{error}");
    put_signed(
        &world.files,
        &world.key,
        &text.replace("SHA256:", "Valid-Until: Mon, 01 Jan 2024 00:00:00 UTC\nSHA256:"),
    );
    let error = fails(&world, &["gcc"]).await;
    assert!(error.contains("it was valid until Mon, 01 Jan 2024"), "{error}");
}

#[tokio::test]
async fn a_tampered_package_list_is_refused() {
    let world = World::new(&packages()).await;
    let path = "dists/trixie/main/binary-amd64/Packages.xz";
    let Answer::Whole(mut bytes) = world.files.lock().unwrap()[path].clone() else {
        unreachable!()
    };
    *bytes.last_mut().unwrap() ^= 1;
    put(&world.files, path, bytes);
    let error = fails(&world, &["gcc"]).await;
    assert!(error.contains("Packages.xz` has the digest"), "{error}");
}
