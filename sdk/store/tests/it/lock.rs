//! Locks between users of one store.

use slipway_store::{LockAttempt, StoreError};

use crate::Scratch;

#[test]
fn one_at_a_time_and_the_holder_is_known() {
    let scratch = Scratch::new();
    let (store, other) = (scratch.store(), scratch.store());
    let lock = store.lock("build").unwrap();
    let LockAttempt::Held(Some(holder)) = other.try_lock("build").unwrap() else {
        panic!("the lock is held")
    };
    assert_eq!(holder.pid, std::process::id());
    assert!(holder.command.contains("it-"), "{}", holder.command);
    assert!(matches!(other.try_lock("another").unwrap(), LockAttempt::Acquired(_)));
    drop(lock);
    let LockAttempt::Acquired(_lock) = other.try_lock("build").unwrap() else {
        panic!("the lock is free")
    };
}

#[test]
fn a_waiter_gets_the_lock_in_the_end() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let lock = store.lock("build").unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(scratch.store().lock("build").unwrap()));
        drop(lock);
        waiter.join().unwrap();
    });
}

#[test]
fn a_name_is_a_plain_file_name() {
    let store = Scratch::new().store();
    for name in ["", "a/b", "../x", "a b"] {
        assert!(matches!(store.lock(name), Err(StoreError::LockName { .. })), "{name}");
    }
}
