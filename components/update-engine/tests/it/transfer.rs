//! Downloads over bad lines.

use slipway_update_engine::AgentError;

use crate::{
    machine::World,
    server::{Faults, Server},
};

/// A world in which no delta is of use: 4.1.0 is as large as it is.
async fn world() -> World {
    let mut world = World::new().await;
    let new = crate::repository::Images::new("4.1.0");
    world.publisher.release(&new, &[]).await;
    world.server.offer(Some("4.1.0"));
    world
}

#[tokio::test]
async fn what_is_cut_goes_on_where_it_was() {
    let world = world().await;
    let full = 5 << 20;
    // Each answer brings 2 MiB: the download is whole after three.
    world.server.faults(Faults { cut_after: Some(2 << 20), ..Faults::default() });
    world.machine.update().await.unwrap();
    let sent = world.server.sent();
    assert!((full..full + (1 << 20)).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_server_without_ranges_still_serves() {
    let world = world().await;
    world.server.faults(Faults { no_ranges: true, ..Faults::default() });
    world.machine.update().await.unwrap();
}

#[tokio::test]
async fn a_server_without_ranges_that_always_cuts_is_left_after_some_tries() {
    let world = world().await;
    let faults = Faults { no_ranges: true, cut_after: Some(2 << 20), ..Faults::default() };
    world.server.faults(faults);
    let error = world.machine.update().await.unwrap_err();
    assert!(matches!(error, AgentError::Fetch(_)), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_does_not_hold_the_agent_for_ever() {
    let world = world().await;
    world.server.faults(Faults { silent: true, ..Faults::default() });
    let error = world.machine.update().await.unwrap_err();
    assert!(matches!(error, AgentError::Fetch(_)), "{error:?}");
    assert_eq!(error.code(), 9);
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_and_no_state_for_ever() {
    let world = world().await;
    world.server.faults(Faults { down: true, ..Faults::default() });
    let error = world.machine.update().await.unwrap_err();
    assert!(error.to_string().starts_with("cannot reach http://127.0.0.1:"), "{error}");
    world.server.faults(Faults { status: Some(503), ..Faults::default() });
    let error = world.machine.update().await.unwrap_err();
    assert!(matches!(error, AgentError::Trust(_)), "{error:?}");
    world.server.faults(Faults::default());
    world.machine.update().await.unwrap();
}

#[tokio::test]
async fn a_mirror_takes_over() {
    let mut world = world().await;
    let mirror = Server::new(&world.publisher.folder).await;
    let settings = &world.machine.settings;
    world.machine.settings = format!("{settings}mirrors = [\"{}repository/\"]\n", mirror.url);
    // The first one lies about one byte of the second frame.
    world.server.faults(Faults { flip: Some((4 << 20) + 20_000), ..Faults::default() });
    world.machine.update().await.unwrap();
    assert!(mirror.sent() > 0 && world.server.sent() > 0);
}

/// The agent dies in the middle, and another one goes on from the last flush.
#[tokio::test]
async fn an_interrupted_agent_resumes() {
    let mut world = World::new().await;
    let mut new = crate::repository::Images::new("4.1.0");
    new.usr = crate::repository::noise(77, 21 << 20);
    let record = world.publisher.release(&new, &[]).await;
    world.server.offer(Some("4.1.0"));
    let blob = world.publisher.blob(&record, "full");
    let whole = fs_err::read(&blob).unwrap();
    // The file ends within the sixth frame, for longer than the agent tries.
    fs_err::write(&blob, &whole[..20 << 20]).unwrap();
    let error = world.machine.update().await.unwrap_err();
    assert!(matches!(error, AgentError::Fetch(_)), "{error:?}");
    assert!(world.machine.passive_is_empty() && world.machine.boots(&world.old));
    fs_err::write(&blob, &whole).unwrap();
    let mut agent = world.machine.agent().unwrap();
    let before = agent.report().counters.bytes;
    agent.update(&crate::machine::by_timer(), 1).await.unwrap();
    let received = agent.report().counters.bytes - before;
    // Four frames were flushed, and are not fetched again.
    assert!(received < whole.len() as u64 - (15 << 20), "{received} of {}", whole.len());
    drop(agent);
    world.machine.reboot_into(&new);
}

/// Another download was begun in between, over what the first one had written.
#[tokio::test]
async fn a_mark_of_an_older_download_is_forgotten() {
    let mut world = World::new().await;
    let images = [("4.1.0", 77), ("4.2.0", 78)].map(|(version, seed)| {
        let usr = crate::repository::noise(seed, 21 << 20);
        crate::repository::Images { usr, ..crate::repository::Images::new(version) }
    });
    for (new, length) in images.iter().zip([20 << 20, 6 << 20]) {
        let record = world.publisher.release(new, &[]).await;
        world.server.offer(Some(&new.version));
        let blob = world.publisher.blob(&record, "full");
        let whole = fs_err::read(&blob).unwrap();
        fs_err::write(&blob, &whole[..length]).unwrap();
        let error = world.machine.update().await.unwrap_err();
        assert!(matches!(error, AgentError::Fetch(_)), "{error:?}");
        fs_err::write(&blob, &whole).unwrap();
    }
    let [new, _] = &images;
    world.server.offer(Some(&new.version));
    world.machine.update().await.unwrap();
    world.machine.reboot_into(new);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let mut world = world().await;
    world.machine.settings += "rate_limit = 100000000\n";
    world.machine.update().await.unwrap();
}
