//! A bucket: objects that are made once, pointers that are switched by one of two, and everything that goes wrong between.

use std::time::Duration;

use bytes::Bytes;
use slipway_store::{Created, Digest, Fetched, Patience, Pushed, Remote, RemoteError, Store};

use crate::{
    Scratch,
    bucket::{Bucket, Fault},
};

const POINTER: &str = "metadata/timestamp.json";

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

async fn says(remote: &Remote, name: &str) -> Option<String> {
    let bytes = remote.read(name, 1000).await.unwrap()?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_bucket_holds_objects_as_a_folder_does() {
    let bucket = Bucket::start().await;
    let remote = bucket.remote();
    assert_eq!(remote.create("a/1.json", text("one")).await.unwrap(), Created::New);
    assert_eq!(remote.create("a/1.json", text("one")).await.unwrap(), Created::Same);
    assert_eq!(remote.create("a/1.json", text("two")).await.unwrap(), Created::Other);
    assert_eq!(says(&remote, "a/1.json").await.as_deref(), Some("one"));
    assert!(bucket.file("a/1.json").is_file());
    assert_eq!(remote.read("a/2.json", 9).await.unwrap(), None);
    assert_eq!(remote.digest("a/1.json").await.unwrap(), Some((digest("one"), 3)));
    assert_eq!(remote.digest("a/2.json").await.unwrap(), None);
    let error = remote.read("a/1.json", 2).await.unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { size: 3, limit: 2, .. }), "{error}");

    assert!(remote.switch(POINTER, None, text("0")).await.unwrap());
    assert!(!remote.switch(POINTER, None, text("x")).await.unwrap());
    assert!(remote.switch(POINTER, Some(&digest("0")), text("1")).await.unwrap());
    assert!(!remote.switch(POINTER, Some(&digest("0")), text("2")).await.unwrap());
    assert_eq!(says(&remote, POINTER).await.as_deref(), Some("1"));
    remote.remove(POINTER).await.unwrap();
    remote.remove(POINTER).await.unwrap();
    assert_eq!(says(&remote, POINTER).await, None);
}

#[tokio::test]
async fn blobs_go_to_a_bucket_and_back() {
    let (bucket, scratch) = (Bucket::start().await, Scratch::new());
    let here = Store::open(&scratch.path("here")).unwrap();
    let there = Store::open(&scratch.path("there")).unwrap();
    let remote = bucket.remote();
    // The second is sent in parts.
    for content in [b"small".to_vec(), vec![3; 9 << 20]] {
        let digest = here.put_bytes(&content).unwrap();
        assert_eq!(remote.push(&here, &digest).await.unwrap(), Pushed::Sent);
        assert_eq!(remote.push(&here, &digest).await.unwrap(), Pushed::Present);
        assert_eq!(remote.fetch(&there, &digest).await.unwrap(), Fetched::Fetched);
    }
}

/// One fault at each of the kinds of requests that publishing makes: it is overcome, or it is an error; then the next try
/// succeeds. What is there is always whole.
#[tokio::test]
async fn what_networks_do_is_overcome_or_said() {
    let bucket = Bucket::start().await;
    let remote = bucket.remote();
    assert!(remote.switch(POINTER, None, text("0")).await.unwrap());
    let mut old = "0".to_owned();
    for fault in [
        Fault::Dropped,
        Fault::Half,
        Fault::LostAnswer,
        Fault::FailedAfter,
        Fault::Unavailable,
        Fault::Slow,
    ] {
        for hits in [1, 100] {
            let mark = format!("{fault:?}-{hits}");
            let name = format!("made/{mark}");
            bucket.hit("PUT", &name, hits, fault);
            let made = remote.create(&name, text(&mark)).await;
            assert!(bucket.heal() > 0, "{mark}");
            assert!(made.is_ok() || hits == 100, "{mark}: {made:?}");
            let left = says(&remote, &name).await;
            assert!(left.is_none() || left.as_deref() == Some(&mark), "{mark}: {left:?}");
            remote.create(&name, text(&mark)).await.unwrap();
            assert_eq!(says(&remote, &name).await.as_deref(), Some(&*mark));

            bucket.hit("PUT", POINTER, hits, fault);
            let switched = remote.switch(POINTER, Some(&digest(&old)), text(&mark)).await;
            assert!(bucket.heal() > 0, "{mark}");
            assert!(matches!(switched, Ok(true)) || hits == 100, "{mark}: {switched:?}");
            assert!(!matches!(switched, Ok(false)), "{mark}: nobody else was there");
            let now = says(&remote, POINTER).await.unwrap();
            assert!(now == old && switched.is_err() || now == mark, "{mark}: {now}");
            old = now;
        }
    }
}

#[tokio::test]
async fn blobs_arrive_whole_or_not_at_all() {
    let (bucket, scratch) = (Bucket::start().await, Scratch::new());
    let here = Store::open(&scratch.path("here")).unwrap();
    let remote = bucket.remote();
    for fault in [Fault::Dropped, Fault::Half, Fault::LostAnswer, Fault::FailedAfter] {
        // In one piece; in parts, of which one is hit; and where the parts are put together.
        for (method, size) in [("PUT", 100), ("PUT", 9 << 20), ("POST", 9 << 20)] {
            for hits in [1, 100] {
                let mut content = format!("{fault:?} {method} {size} {hits}").into_bytes();
                content.resize(size, 0);
                let digest = here.put_bytes(&content).unwrap();
                bucket.hit(method, &digest.to_string(), hits, fault);
                let sent = remote.push(&here, &digest).await;
                assert!(bucket.heal() > 0, "{fault:?} {method} {size}: nothing was hit");
                let name = format!("blobs/{}/{digest}", &digest.to_string()[..2]);
                let there = remote.digest(&name).await.unwrap();
                assert!(
                    there.is_none() || there == Some((digest, size as u64)),
                    "{fault:?} {method} {size}: {sent:?}"
                );
                assert!(sent.is_err() || there.is_some(), "{fault:?} {method} {size}");
                remote.push(&here, &digest).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let bucket = Bucket::start().await;
    let mut server = bucket.server();
    server.patience =
        Patience { answer: Duration::from_millis(200), repetitions: 1, ..server.patience };
    let remote = Remote::s3("releases", "some/where", &server).unwrap();
    bucket.hit("GET", "quiet", 100, Fault::Silent);
    let error = remote.read("quiet", 9).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch `quiet` from the remote store");
}

/// A server that goes away after some requests, and comes back.
#[tokio::test]
async fn what_was_begun_can_be_ended_later() {
    let bucket = Bucket::start().await;
    let remote = bucket.remote();
    // Three requests prove that conditions are heeded; the object is the fourth.
    bucket.hit_after(3, usize::MAX, Fault::Unavailable);
    let error = remote.create("a/1.json", text("one")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot push `a/1.json` to the remote store");
    assert!(bucket.heal() > 0);
    assert_eq!(remote.create("a/1.json", text("one")).await.unwrap(), Created::New);
}

/// Two publishers that would both believe to be the one: better nothing is published at such a server.
#[tokio::test]
async fn a_server_without_conditions_is_refused() {
    let bucket = Bucket::start().await;
    bucket.hit("PUT", "", 100, Fault::Unconditional);
    let remote = bucket.remote();
    for error in [
        remote.switch(POINTER, None, text("0")).await.unwrap_err(),
        remote.create("metadata/1.root.json", text("1")).await.unwrap_err(),
    ] {
        assert!(matches!(error, RemoteError::Unconditional), "{error}");
    }
    assert_eq!(says(&remote, POINTER).await, None);
    // It is asked again, not condemned for ever.
    bucket.heal();
    assert!(remote.switch(POINTER, None, text("0")).await.unwrap());
}

#[tokio::test]
async fn a_wrong_etag_is_no_other_publisher() {
    let bucket = Bucket::start().await;
    let remote = bucket.remote();
    assert!(remote.switch(POINTER, None, text("0")).await.unwrap());
    // Once: the second look has the right one.
    bucket.hit("GET", POINTER, 1, Fault::WrongTag);
    assert!(remote.switch(POINTER, Some(&digest("0")), text("1")).await.unwrap());
    assert_eq!(bucket.heal(), 1);
    bucket.hit("GET", POINTER, 100, Fault::WrongTag);
    let error = remote.switch(POINTER, Some(&digest("1")), text("2")).await.unwrap_err();
    assert!(matches!(error, RemoteError::Refused { .. }), "{error}");
    bucket.heal();
    assert_eq!(says(&remote, POINTER).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn of_two_publishers_one_switches() {
    let bucket = Bucket::start().await;
    let (one, two) = (bucket.remote(), bucket.remote());
    assert!(one.switch(POINTER, None, text("0")).await.unwrap());
    let mut old = "0".to_owned();
    for round in 0..10 {
        // Half of the time, the answer to one of them is lost.
        if round % 2 == 1 {
            bucket.hit("PUT", POINTER, 1, Fault::LostAnswer);
        }
        let (a, b) = (format!("{round}a"), format!("{round}b"));
        let was = digest(&old);
        let (first, second) = tokio::join!(
            one.switch(POINTER, Some(&was), text(&a)),
            two.switch(POINTER, Some(&was), text(&b)),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first ^ second, "round {round}: {first} {second}");
        old = if first { a } else { b };
        assert_eq!(says(&one, POINTER).await, Some(old.clone()), "round {round}");
    }
}
