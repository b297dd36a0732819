//! Observation wishes.

use core::time::Duration;

use dunlin_coap::Code;
use serde_json::{Value, json};

use crate::device::{Ask, Device, LINKS, Say, changed, code, observed};
use crate::sse::Events;
use crate::world::{PATIENCE, World};

const URI: &str = "devices/dev-1/observations";

fn script(ask: &Ask) -> Say {
    match ask.observe {
        Some(0) => observed(1, 0, b"21.5"),
        _ => changed(),
    }
}

/// The only observation, once it stands like this.
async fn once(world: &World, state: &str) -> Value {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let mut list = world.get(URI).await.json(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(list["next"], Value::Null);
        if list["items"][0]["state"] == state {
            return list["items"][0].take();
        }
        assert!(std::time::Instant::now() < end, "{list} is not {state}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_wish_becomes_an_observation_and_ends() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", script);
    assert_eq!(
        world.get(URI).await.json(200),
        json!({"items": [], "next": null})
    );
    let body = r#"{"path":"/3303/0/5700","attributes":{"pmin":1,"pmax":null}}"#;
    let made = world.call("POST", URI, body).await.json(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["path"], "/3303/0/5700");
    assert_eq!(made["attributes"], json!({"pmin": 1.0, "pmax": null}));
    assert_eq!(
        (&made["error"], &made["records"]),
        (&Value::Null, &json!([]))
    );
    let active = once(&world, "active").await;
    assert_eq!(
        (&active["id"], &active["error"]),
        (&json!(id), &Value::Null)
    );
    let record = &active["records"][0];
    assert_eq!(
        (&record["path"], &record["value"]),
        (&json!("/3303/0/5700"), &json!(21.5))
    );
    assert!(active["updatedAt"].as_f64().unwrap() > 1.7e9);
    let asked = device.asked();
    assert_eq!(asked[0].line(), "PUT /3303/0/5700");
    assert_eq!(
        (asked[1].line().as_str(), asked[1].observe),
        ("GET /3303/0/5700", Some(0))
    );
    assert_eq!(asked.len(), 2);

    world
        .call("DELETE", &format!("{URI}/{id}"), "")
        .await
        .empty(204);
    let cancel = device.asked_at_least(3).await[2].clone();
    // RFC 7641 §3.6: the same token, Observe 1.
    assert_eq!((cancel.observe, &cancel.token), (Some(1), &asked[1].token));
    assert_eq!(world.get(URI).await.json(200)["items"], json!([]));
    for id in [id, "999999", "x", "-1", "18446744073709551616"] {
        let answer = world.call("DELETE", &format!("{URI}/{id}"), "").await;
        answer.refused(404, "Unknown observation");
    }
}

#[tokio::test]
async fn it_is_made_again_after_a_registration() {
    let world = World::new();
    let mut device = Device::register(&world, "dev-1", script);
    let made = world
        .call("POST", URI, r#"{"path":"/3303/0/5700"}"#)
        .await
        .json(201);
    once(&world, "active").await;
    let queries = ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"];
    device.register_as(&queries, LINKS);
    let asked = device.asked_at_least(2).await;
    assert_eq!(
        (asked[1].line().as_str(), asked[1].observe),
        ("GET /3303/0/5700", Some(0))
    );
    assert_eq!(once(&world, "active").await["id"], made["id"]);
    // Values reported now are those of the new observation.
    device.notify(&asked[1].token, 2, 0, b"22.5");
    let end = std::time::Instant::now() + PATIENCE;
    while once(&world, "active").await["records"][0]["value"] != 22.5 {
        assert!(std::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn wishes_wait_for_a_device_that_is_away_and_keep_its_last_values() {
    let world = World::new();
    let wish = r#"{"path":"/3303/0/5700"}"#;
    // A misspelt name is told; who means it says so.
    world.call("POST", URI, wish).await.problem(404);
    world.get(URI).await.problem(404);
    world
        .call("POST", &format!("{URI}?away=true"), wish)
        .await
        .json(201);
    let waiting = once(&world, "pending").await;
    assert_eq!(
        (&waiting["records"], &waiting["updatedAt"]),
        (&json!([]), &Value::Null)
    );
    let device = Device::register(&world, "dev-1", script);
    once(&world, "active").await;
    device.deregister();
    let away = once(&world, "pending").await;
    assert_eq!(away["records"][0]["value"], 21.5);
    world.get("devices/dev-1").await.problem(404);
}

#[tokio::test]
async fn a_refusal_is_told_in_words() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| code(Code::NOT_FOUND, "no such thing"));
    let mut events = Events::open(&world, "", None).await;
    world
        .call("POST", URI, r#"{"path":"/3303/9/5700"}"#)
        .await
        .json(201);
    let failed = once(&world, "failed").await;
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.contains("4.04") && error.contains("no such thing"),
        "{error}"
    );
    // No value, no notification: the next event is another one.
    world.call("DELETE", "devices/dev-1", "").await.empty(204);
    events.expect("deregistration").await;
}

#[tokio::test]
async fn attributes_are_checked_before_the_wish_is_kept() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", script);
    for body in [
        json!({"path": "/3303/0/5700", "attributes": {"pmean": 1}}),
        json!({"path": "/3303/0/5700", "attributes": {"pmin": -1}}),
        json!({"path": "/3303/0", "attributes": {"gt": 1}}),
        json!({"path": "/3303/0/5700", "unknown": 1}),
    ] {
        world.call("POST", URI, body.to_string()).await.problem(400);
    }
    assert_eq!(world.get(URI).await.json(200)["items"], json!([]));
}

#[tokio::test]
async fn there_is_a_bound() {
    let world = World::new();
    let uri = format!("{URI}?away=true");
    for index in 0..64 {
        let wish = json!({"path": format!("/3303/{index}")}).to_string();
        world.call("POST", &uri, wish).await.json(201);
    }
    let answer = world.call("POST", &uri, r#"{"path":"/3303"}"#).await;
    answer.problem(503);
}
