//! Remote stores: read-through with verification, write-back.

use slipway_store::{Digest, Fetched, Pushed, Remote, RemoteError, Store};

use crate::{Scratch, key, record_of};

struct Setup {
    scratch: Scratch,
    here: Store,
    there: Store,
    remote: Remote,
}

fn setup() -> Setup {
    let scratch = Scratch::new();
    let here = Store::open(&scratch.path("here")).unwrap();
    let there = Store::open(&scratch.path("there")).unwrap();
    let remote = Remote::local(&scratch.path("remote")).unwrap();
    Setup { scratch, here, there, remote }
}

impl Setup {
    fn object(&self, kind: &str, digest: &Digest) -> camino::Utf8PathBuf {
        let hex = digest.to_string();
        self.scratch.path("remote").join(kind).join(&hex[..2]).join(hex)
    }
}

#[tokio::test]
async fn blobs_go_there_and_back() {
    let setup = setup();
    let Setup { here, there, remote, .. } = &setup;
    // The second is sent in parts.
    for content in [b"small".to_vec(), vec![3; 20 << 20], Vec::new()] {
        let digest = here.put_bytes(&content).unwrap();
        assert_eq!(remote.fetch(there, &digest).await.unwrap(), Fetched::Absent);
        assert_eq!(remote.push(here, &digest).await.unwrap(), Pushed::Sent);
        assert_eq!(remote.push(here, &digest).await.unwrap(), Pushed::Present);
        assert_eq!(remote.fetch(there, &digest).await.unwrap(), Fetched::Fetched);
        assert_eq!(remote.fetch(there, &digest).await.unwrap(), Fetched::Present);
        assert!(fs_err::read(there.blob(&digest).unwrap().unwrap()).unwrap() == content);
    }
    let absent = Digest::of_bytes(b"absent");
    assert!(matches!(remote.push(here, &absent).await, Err(RemoteError::Missing { .. })));
}

#[tokio::test]
async fn a_damaged_object_is_not_taken_and_can_be_replaced() {
    let setup = setup();
    let Setup { here, there, remote, .. } = &setup;
    let digest = here.put_bytes(b"precious content").unwrap();
    for damage in [&b"precious_content"[..], b"precious", b"", b"precious content and more"] {
        remote.push(here, &digest).await.unwrap();
        fs_err::write(setup.object("blobs", &digest), damage).unwrap();
        assert_eq!(remote.fetch(there, &digest).await.unwrap(), Fetched::Damaged);
        assert!(!there.has_blob(&digest));
        assert_eq!(remote.push(here, &digest).await.unwrap(), Pushed::Sent);
        assert_eq!(fs_err::read(setup.object("blobs", &digest)).unwrap(), b"precious content");
    }
    assert_eq!(crate::debris(there.root()), [""; 0]);
    assert_eq!(remote.fetch(there, &digest).await.unwrap(), Fetched::Fetched);
}

#[tokio::test]
async fn records_bring_their_outputs() {
    let setup = setup();
    let Setup { here, there, remote, .. } = &setup;
    let outputs = [("a", here.put_bytes(b"a").unwrap()), ("b", here.put_bytes(b"b").unwrap())];
    let record = record_of(&outputs);
    assert_eq!(remote.fetch_record(there, &key("k")).await.unwrap(), None);
    remote.push_record(here, &key("k"), &record).await.unwrap();
    assert_eq!(remote.fetch_record(there, &key("k")).await.unwrap(), Some(record.clone()));
    assert_eq!(there.lookup(&key("k")).unwrap(), Some(record));
}

#[tokio::test]
async fn a_record_without_all_its_outputs_is_absent() {
    let setup = setup();
    let Setup { here, there, remote, .. } = &setup;
    let output = here.put_bytes(b"a").unwrap();
    remote.push_record(here, &key("k"), &record_of(&[("a", output)])).await.unwrap();
    fs_err::write(setup.object("blobs", &output), b"A").unwrap();
    assert_eq!(remote.fetch_record(there, &key("k")).await.unwrap(), None);
    fs_err::remove_file(setup.object("blobs", &output)).unwrap();
    assert_eq!(remote.fetch_record(there, &key("k")).await.unwrap(), None);
    assert_eq!(there.lookup(&key("k")).unwrap(), None);
    remote.push_record(here, &key("k"), &record_of(&[("a", output)])).await.unwrap();
    let object = setup.object("actions", key("k").digest());
    let mut bytes = fs_err::read(&object).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&object, bytes).unwrap();
    assert_eq!(remote.fetch_record(there, &key("k")).await.unwrap(), None);
}
