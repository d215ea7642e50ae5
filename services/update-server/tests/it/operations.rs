//! What operators need: metrics, health, limits, the webhook.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use slipway_update_server::{checks::StopNotice, ops, policy::Policy};
use tokio::sync::mpsc;

use crate::world::{Host, NEW, World, app, group, on_both};

on_both! {
    async fn metrics_say_what_happens(world) {
        world.fleet(Policy::default()).await;
        let mut host = Host::new("counted");
        host.ask(&world).await;
        host.install(&world, NEW).await;
        let (status, text) = world.get("/metrics").await;
        assert_eq!(status, 200);
        let app = "app=\"e96281a6-d1af-4bde-9a0a-97b76e56dc57\",group=\"stable\"";
        for line in [
            format!("slipway_instances{{{app},version=\"4001.2.0\"}} 1"),
            format!("slipway_instance_status{{{app},status=\"complete\"}} 1"),
            format!("slipway_group_running{{{app}}} 1"),
            "slipway_grants_total 1".to_owned(),
            "slipway_check_requests_total 5".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let size = text.lines().find_map(|line| line.strip_prefix("slipway_database_bytes "));
        assert!(size.unwrap().parse::<u64>().unwrap() > 100_000, "{size:?}");
        assert_eq!(world.get("/health").await.0, 200);
        assert_eq!(world.get("/ready").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_often_must_wait() {
    let settings = [("rate-limit", "3"), ("forwarded-for", "yes"), ("authentication", "required")]
        .map(|(key, value)| (key, value.to_owned()));
    let world = World::with(&settings).await;
    let ask = async |address: &str| {
        let request =
            world.client.get(format!("{}/health", world.base)).header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(ask("10.0.0.1, 192.0.2.1").await, 200);
    }
    assert_eq!(ask("10.0.0.1, 192.0.2.1").await, 429);
    assert_eq!(ask("::ffff:192.0.2.1").await, 429);
    assert_eq!(ask("192.0.2.2").await, 200);
    // This machine is never limited, however it is written.
    for _ in 0..4 {
        assert_eq!(ask("::ffff:127.0.0.1").await, 200);
    }
    world.clock.turn(20);
    assert_eq!(ask("192.0.2.1").await, 200);
    assert_eq!(ask("192.0.2.1").await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_is_told_and_asked_again_when_it_fails() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = async |State(heard): State<Arc<Mutex<Vec<String>>>>, body: String| {
        let mut heard = heard.lock().unwrap();
        heard.push(body);
        if heard.len() == 1 {
            axum::http::StatusCode::BAD_GATEWAY
        } else {
            axum::http::StatusCode::OK
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(hook)).with_state(Arc::clone(&heard));
    tokio::spawn(axum::serve(listener, router).into_future());
    let world = World::with(&[("webhook", url)]).await;
    let (sender, receiver) = mpsc::unbounded_channel();
    let notice = StopNotice {
        app: app(),
        group: group(),
        version: NEW.to_owned(),
        reason: "5 of 5 attempts failed".to_owned(),
        at: world.clock.now(),
    };
    sender.send(notice).unwrap();
    drop(sender);
    ops::tell_webhook(world.app.clone(), receiver).await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    let body: serde_json::Value = serde_json::from_str(&heard[1]).unwrap();
    assert_eq!(body["event"], "group-stopped");
    assert_eq!(body["detail"]["reason"], "5 of 5 attempts failed");
}
