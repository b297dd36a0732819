//! Server-sent events.

use serde_json::json;

use crate::device::{Ask, Device, Say, changed, observed};
use crate::sse::Events;
use crate::world::World;

fn script(ask: &Ask) -> Say {
    match ask.observe {
        Some(0) => observed(1, 0, b"21.5"),
        _ => changed(),
    }
}

#[tokio::test]
async fn a_registration_from_its_begin_to_its_end() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let device = Device::register(&world, "dev-1", script);
    let event = events.expect("registration").await;
    assert_eq!(event.data["endpoint"], "dev-1");
    assert!(event.data["time"].as_f64().unwrap() > 1.7e9);
    let shown = world.get("devices/dev-1").await.json(200);
    assert_eq!(event.data["device"], shown);
    let mut last = event.id;

    device.update(&["lt=600"]);
    let event = events.expect("update").await;
    assert_eq!(event.data["device"]["lifetime"], 600);
    assert_eq!(event.id, last + 1);
    last = event.id;

    let wish = world.call(
        "POST",
        "devices/dev-1/observations",
        r#"{"path":"/3303/0/5700"}"#,
    );
    let id = wish.await.json(201)["id"].take();
    let first = events.expect("notification").await;
    assert_eq!(first.data["observation"], id);
    assert_eq!(first.data["path"], "/3303/0/5700");
    assert_eq!(first.data["records"][0]["value"], 21.5);
    assert_eq!(first.data.get("device"), None);
    assert_eq!(first.id, last + 1);
    let observe = device.only();
    device.notify(
        &observe.token,
        2,
        110,
        br#"[{"n":"/3303/0/5700","v":22.25,"t":1795000000}]"#,
    );
    let second = events.expect("notification").await;
    let record = json!(
        {"path": "/3303/0/5700", "type": "Float", "value": 22.25, "time": 1_795_000_000.0}
    );
    assert_eq!(second.data["records"], json!([record]));

    device.deregister();
    let event = events.expect("deregistration").await;
    assert_eq!(event.id, last + 3);
    let names: Vec<&String> = event.data.as_object().unwrap().keys().collect();
    assert_eq!(names, ["endpoint", "time"]);
}

#[tokio::test]
async fn a_lifetime_that_ran_out() {
    let world = World::new();
    let mut device = Device::new(&world, |_| changed());
    let mut events = Events::open(&world, "?types=expiry", None).await;
    device.register_as(&["ep=short", "lt=1", "lwm2m=1.1", "b=U"], "</3/0>");
    let event = events.expect("expiry").await;
    assert_eq!(event.data["endpoint"], "short");
    world.get("devices/short").await.problem(404);
}

#[tokio::test]
async fn a_stream_is_resumed_by_header_or_query() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let device = Device::register(&world, "dev-1", script);
    let first = events.expect("registration").await;
    device.update(&["lt=600"]);
    device.deregister();
    let missed = [
        events.expect("update").await,
        events.expect("deregistration").await,
    ];
    drop(events);
    let id = first.id.to_string();
    let query = format!("?lastEventId={id}");
    for (query, header) in [
        ("", Some(id.as_str())),
        (query.as_str(), None),
        // The header wins: a browser that comes back knows more than the address it was given.
        ("?lastEventId=0", Some(id.as_str())),
    ] {
        let mut resumed = Events::open(&world, query, header).await;
        for event in &missed {
            assert_eq!(resumed.next().await, *event);
        }
    }
    // Without either: the present only.
    let mut present = Events::open(&world, "", None).await;
    let _device = Device::register(&world, "dev-2", script);
    assert_eq!(present.next().await.data["endpoint"], "dev-2");
}

#[tokio::test]
async fn an_id_that_is_not_there_is_a_reset() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let _device = Device::register(&world, "dev-1", script);
    let last = events.expect("registration").await.id;
    let beyond = (last + 1).to_string();
    for (query, header) in [
        ("", Some(beyond.as_str())),
        ("?lastEventId=18446744073709551615", None),
        ("", Some("not a number")),
        ("", Some("")),
    ] {
        let mut resumed = Events::open(&world, query, header).await;
        let reset = resumed.expect("reset").await;
        assert_eq!(
            (reset.id, reset.data),
            (last, json!({})),
            "{query} {header:?}"
        );
    }
    // Deliveries go on after it.
    let mut resumed = Events::open(&world, "", Some("999999")).await;
    resumed.expect("reset").await;
    let _other = Device::register(&world, "dev-2", script);
    assert_eq!(resumed.expect("registration").await.id, last + 1);
}

/// 8192 events are kept.
#[tokio::test]
async fn an_id_that_is_gone_is_a_reset() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let device = Device::register(&world, "dev-1", script);
    let first = events.expect("registration").await.id;
    for _ in 0..dunlin_server::control::EVENTS_KEPT {
        device.update(&[]);
    }
    let newest = first + dunlin_server::control::EVENTS_KEPT as u64;
    let mut oldest = Events::open(&world, "", Some(&first.to_string())).await;
    assert_eq!(oldest.expect("update").await.id, first + 1);
    let mut gone = Events::open(&world, "", Some(&(first - 1).to_string())).await;
    assert_eq!(gone.expect("reset").await.id, newest);
    // Who reads too slowly is told as well.
    device.update(&[]);
    device.update(&[]);
    assert_eq!(events.expect("reset").await.id, newest + 2);
}

#[tokio::test]
async fn one_device_alone_or_some_kinds_alone() {
    let world = World::new();
    let mut one = Events::open(&world, "?endpoint=dev-2", None).await;
    let mut kinds = Events::open(&world, "?types=update,deregistration", None).await;
    let mut both = Events::open(&world, "?endpoint=dev-2&types=deregistration", None).await;
    let first = Device::register(&world, "dev-1", script);
    let second = Device::register(&world, "dev-2", script);
    first.update(&[]);
    second.update(&[]);
    first.deregister();
    second.deregister();
    for name in ["registration", "update", "deregistration"] {
        assert_eq!(one.expect(name).await.data["endpoint"], "dev-2");
    }
    for (name, endpoint) in [
        ("update", "dev-1"),
        ("update", "dev-2"),
        ("deregistration", "dev-1"),
        ("deregistration", "dev-2"),
    ] {
        assert_eq!(kinds.expect(name).await.data["endpoint"], endpoint);
    }
    assert_eq!(
        both.expect("deregistration").await.data["endpoint"],
        "dev-2"
    );
}

/// A subscriber that wants little has a recent place to come back to all the same.
#[tokio::test]
async fn who_wants_little_is_told_its_place() {
    let world = World::new();
    let mut events = Events::open(&world, "?types=deregistration", None).await;
    let device = Device::register(&world, "dev-1", script);
    let start = world.get("metrics").await.text().to_owned();
    let count = start
        .lines()
        .find_map(|line| line.strip_prefix("dunlin_events_total "));
    let first: u64 = count.unwrap().parse().unwrap();
    for _ in 0..1100 {
        device.update(&[]);
    }
    let place = events.place().await;
    assert_eq!(place, first + 1023);
    device.deregister();
    events.expect("deregistration").await;
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let world = World::new();
    for query in [
        "types=",
        "types=all",
        "types=update,",
        "lastEventId=x",
        "lastEventId=-1",
        "a=b",
    ] {
        let answer = world.get(&format!("events?{query}")).await;
        answer.refused(400, "Bad query");
    }
}
