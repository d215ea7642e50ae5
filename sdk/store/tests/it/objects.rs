//! Objects by name: made once, and switched by one of two.

use bytes::Bytes;
use camino::Utf8Path;
use slipway_store::{Created, Digest, Remote, RemoteError};

fn remote(dir: &tempfile::TempDir) -> Remote {
    Remote::local(Utf8Path::from_path(dir.path()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_object_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let remote = remote(&dir);
    let create = |bytes: &'static str| remote.create("metadata/1.json", Bytes::from(bytes));
    assert_eq!(create("one").await.unwrap(), Created::New);
    assert_eq!(create("one").await.unwrap(), Created::Same);
    assert_eq!(create("two").await.unwrap(), Created::Other);
    assert_eq!(create("more").await.unwrap(), Created::Other);
    assert_eq!(remote.read("metadata/1.json", 3).await.unwrap().unwrap(), "one");
    assert_eq!(remote.read("metadata/2.json", 3).await.unwrap(), None);
    let error = remote.read("metadata/1.json", 2).await.unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { size: 3, limit: 2, .. }), "{error}");
}

#[tokio::test]
async fn of_two_that_switch_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let remote = remote(&dir);
    assert!(remote.switch("now.json", None, Bytes::from("0")).await.unwrap());
    for round in 0..20_u32 {
        let old = Digest::of_bytes(round.to_string().as_bytes());
        let next = |mark: &str| Bytes::from(format!("{}{mark}", round + 1));
        let (a, b) = tokio::join!(
            remote.switch("now.json", Some(&old), next("")),
            remote.switch("now.json", Some(&old), next("")),
        );
        assert!(a.unwrap() ^ b.unwrap(), "round {round}");
    }
    assert!(!remote.switch("now.json", None, Bytes::from("x")).await.unwrap());
}
