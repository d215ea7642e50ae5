//! Floors and revoked versions, from the file of a channel to what clients see.

use slipway_channels::{Channel, ChannelError, ChannelPolicy, Progress};

use crate::world::World;

const ALPHA: &str = include_str!("../../alpha.toml");

fn channel(text: &str) -> Channel {
    Channel::parse("alpha".parse().unwrap(), "alpha.toml", text).unwrap()
}

fn policy(floors: &[&str], revoked: &[&str]) -> ChannelPolicy {
    let notes = |versions: &[&str]| {
        let notes = versions.iter().map(|v| format!("{{ version = '{v}', reason = 'why' }}"));
        notes.collect::<Vec<_>>().join(", ")
    };
    let start = format!("floors = [{}]\nrevoked = [{}]\n", notes(floors), notes(revoked));
    channel(&(start + ALPHA)).policy
}

async fn seen(world: &World, channel: &str) -> Option<ChannelPolicy> {
    let bytes = world.look().await.read(&format!("{channel}/channel.json")).await.unwrap()?;
    Some(ChannelPolicy::from_bytes(&bytes).unwrap())
}

#[tokio::test]
async fn what_the_file_says_is_what_clients_see() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    assert_eq!(world.set_policy("alpha").await.unwrap(), Progress::Unchanged);
    assert_eq!(seen(&world, "alpha").await, None);

    let first = policy(&["4.0.0"], &["3.9.0"]);
    world.edit("alpha", |channel| channel.policy = first.clone());
    assert!(matches!(world.set_policy("alpha").await.unwrap(), Progress::Published { .. }));
    assert_eq!(seen(&world, "alpha").await, Some(first.clone()));
    assert_eq!(world.set_policy("alpha").await.unwrap(), Progress::Unchanged);
    let state = world.state().await;
    let name = "alpha".parse().unwrap();
    assert_eq!(world.repository.policy(&state, &name).await.unwrap(), first);

    // A release brings what the file says meanwhile, too; and what is taken away is gone.
    world.edit("alpha", |channel| channel.policy = ChannelPolicy::default());
    world.release("4.1.0").await.unwrap();
    assert_eq!(seen(&world, "alpha").await, Some(ChannelPolicy::default()));
}

#[tokio::test]
async fn what_is_revoked_goes_nowhere() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.days(1);
    let check = |result: Result<Progress, ChannelError>, channel: &str| {
        let expected = format!("`{channel}` has revoked 4.0.0: why");
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    // By the channel that has it, or by the one that would get it.
    for channel in ["alpha", "beta"] {
        world.edit(channel, |channel| channel.policy = policy(&[], &["4.0.0"]));
        check(world.promote("alpha", "beta", "4.0.0").await, channel);
        world.edit(channel, |channel| channel.policy = ChannelPolicy::default());
    }
    world.edit("alpha", |channel| channel.policy = policy(&[], &["4.0.0"]));
    check(world.release("4.0.0").await, "alpha");
    world.edit("alpha", |channel| channel.policy = ChannelPolicy::default());
    world.promote("alpha", "beta", "4.0.0").await.unwrap();
}

#[tokio::test]
async fn a_floor_must_be_there_and_stays() {
    let mut world = World::new().await;
    world.release("4.0.0").await.unwrap();
    world.release("4.2.0").await.unwrap();
    world.edit("alpha", |channel| channel.policy = policy(&["4.1.0"], &[]));
    assert_eq!(
        world.set_policy("alpha").await.unwrap_err().to_string(),
        "4.1.0 is a floor of `alpha`, which has no such release (it has 4.0.0, 4.2.0): machines below it could never go on; promote it first"
    );
    // One that is still to come can be announced.
    world.edit("alpha", |channel| channel.policy = policy(&["4.0.0", "5.0.0"], &[]));
    world.edit("alpha", |channel| channel.keep = 2);
    world.set_policy("alpha").await.unwrap();
    world.release("4.3.0").await.unwrap();
    world.release("4.4.0").await.unwrap();
    assert_eq!(
        world.targets().await,
        [
            "alpha/4.0.0/amd64/release.json",
            "alpha/4.3.0/amd64/release.json",
            "alpha/4.4.0/amd64/release.json",
            "alpha/channel.json",
        ]
    );
}
