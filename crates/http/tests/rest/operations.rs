//! The queue of a device: 202, results, cancellation, awake time.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dunlin_coap::{Code, TransmissionParameters};
use dunlin_server::ServerConfig;
use dunlin_server::shard::{Limits, QueueLimits};
use serde_json::{Value, json};

use crate::device::{Ask, Device, LINKS, Say, changed, code, content, created};
use crate::sse::Events;
use crate::world::{PATIENCE, World};

const URI: &str = "devices/dev-1/operations";

/// A device in queue mode, and whether it is deaf.
struct Sleeper {
    device: Device,
    deaf: Arc<AtomicBool>,
}

fn script(ask: &Ask) -> Say {
    match (ask.code.name(), ask.path.as_str()) {
        ("GET", "/3/0") if ask.accept == Some(40) => content(40, b"</3/0/0>;dim=2"),
        ("GET", _) => content(0, b"21.5"),
        ("POST", "/3303") => created(&["3303", "7"]),
        ("DELETE", _) => code(Code::DELETED, ""),
        ("FETCH", _) => content(110, br#"[{"n":"/3303/0/5700","v":21.5}]"#),
        _ => changed(),
    }
}

impl Sleeper {
    fn new(world: &World) -> Self {
        let deaf = Arc::new(AtomicBool::new(false));
        let sleeps = Arc::clone(&deaf);
        let mut device = Device::new(world, move |ask| match sleeps.load(Ordering::Relaxed) {
            true => Say::Nothing,
            false => script(ask),
        });
        device.register_as(&["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U", "Q"], LINKS);
        Self { device, deaf }
    }

    /// A device that went to sleep in the middle of a Discover, which is cancelled.
    async fn asleep(world: &World) -> Self {
        let sleeper = Self::new(world);
        sleeper.deaf.store(true, Ordering::Relaxed);
        let uri = "devices/dev-1/discover/1?wait=0";
        let operation = world.get(uri).await.json(202);
        let end = std::time::Instant::now() + PATIENCE;
        while world.get("devices/dev-1").await.json(200)["awake"] == true {
            assert!(std::time::Instant::now() < end, "it stays awake");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let uri = format!("{URI}/{}", operation["id"].as_str().unwrap());
        world.call("DELETE", &uri, "").await.json(200);
        sleeper
    }

    fn wake(&self) {
        self.deaf.store(false, Ordering::Relaxed);
        self.device.update(&[]);
    }

    /// What was asked since it fell asleep.
    fn asked(&self) -> Vec<String> {
        let asked = self.device.asked();
        let since = asked.iter().filter(|ask| ask.path != "/1");
        since.map(Ask::line).collect()
    }
}

/// A server that gives up on a device within a second.
fn impatient() -> World {
    World::with(ServerConfig {
        transmission: TransmissionParameters {
            ack_timeout: Duration::from_millis(600),
            max_retransmit: 0,
            ..TransmissionParameters::RFC_7252
        },
        ..ServerConfig::default()
    })
}

/// The operation once it stands like this.
async fn once(world: &World, id: &Value, state: &str) -> Value {
    let uri = format!("{URI}/{}", id.as_str().unwrap());
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let operation = world.get(&uri).await.json(200);
        if operation["state"] == state {
            return operation;
        }
        assert!(
            std::time::Instant::now() < end,
            "{operation} is not {state}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_call_to_a_sleeping_device_is_202_with_the_operation() {
    let world = impatient();
    let sleeper = Sleeper::asleep(&world).await;
    let mut events = Events::open(&world, "?types=operation", None).await;
    let answer = world
        .get("devices/dev-1/data/3303/0/5700?ttl=600&priority=3")
        .await;
    let operation = answer.json(202);
    let id = operation["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        format!("/api/v1/devices/dev-1/operations/{id}")
    );
    let created = operation["createdAt"].as_f64().unwrap();
    assert_eq!(operation["expiresAt"].as_f64().unwrap(), created + 600.0);
    let expected = json!({
        "id": id, "endpoint": "dev-1", "operation": "read", "path": "/3303/0/5700",
        "priority": 3, "ttl": 600, "createdAt": created, "expiresAt": created + 600.0,
        "finishedAt": null, "attempts": 0, "state": "queued", "result": null, "error": null,
    });
    assert_eq!(operation, expected);
    let device = world.get("devices/dev-1").await.json(200);
    assert_eq!(
        (&device["queued"], &device["awakeUntil"]),
        (&json!(1), &Value::Null)
    );
    assert!(sleeper.asked().is_empty(), "it sleeps");
    sleeper.wake();
    let done = once(&world, &operation["id"], "done").await;
    assert_eq!(done["result"]["records"][0]["value"], 21.5);
    assert_eq!(
        (&done["attempts"], &done["error"]),
        (&json!(1), &Value::Null)
    );
    assert!(done["finishedAt"].as_f64().unwrap() >= created);
    for state in ["queued", "sent", "done"] {
        let mut event = events.expect("operation").await;
        // The Discover's end is told after the answer to its cancellation.
        while event.data["operation"]["state"] == "cancelled" {
            event = events.expect("operation").await;
        }
        assert_eq!(event.data["endpoint"], "dev-1");
        assert_eq!(event.data["operation"]["id"], id);
        assert_eq!(event.data["operation"]["state"], state);
    }
}

#[tokio::test]
async fn every_direct_call_can_be_queued() {
    let world = impatient();
    let sleeper = Sleeper::asleep(&world).await;
    for (method, uri, body) in [
        ("GET", "data/3303/0/5700", ""),
        ("PUT", "data/1/0/1", r#"{"value":60}"#),
        ("POST", "data/3/0/4", ""),
        (
            "POST",
            "data/3303",
            r#"{"records":[{"path":"/3303/7/5700","value":1}]}"#,
        ),
        ("DELETE", "data/3303/0", ""),
        ("GET", "discover/3/0", ""),
        ("PUT", "attributes/3303/0/5700", r#"{"pmin":5}"#),
        ("POST", "composite/read", r#"{"paths":["/3303/0/5700"]}"#),
        (
            "POST",
            "composite/write",
            r#"{"records":[{"path":"/1/0/1","value":7}]}"#,
        ),
    ] {
        let uri = format!("devices/dev-1/{uri}");
        let operation = world.call(method, &uri, body).await.json(202);
        assert_eq!(operation["state"], "queued");
    }
    sleeper.wake();
    let queued = world.get(&format!("{URI}?limit=9")).await.json(200);
    let items = queued["items"].as_array().unwrap();
    let ids: Vec<&Value> = items.iter().rev().map(|item| &item["id"]).collect();
    let results = [
        ("read", json!("2.05")),
        ("write", json!("2.04")),
        ("execute", json!("2.04")),
        ("create", json!("2.01")),
        ("delete", json!("2.02")),
        ("discover", json!("2.05")),
        ("writeAttributes", json!("2.04")),
        ("readComposite", json!("2.05")),
        ("writeComposite", json!("2.04")),
    ];
    for (id, (name, expected)) in ids.into_iter().zip(results) {
        let done = once(&world, id, "done").await;
        assert_eq!(
            (&done["operation"], &done["result"]["code"]),
            (&json!(name), &expected)
        );
        match name {
            "create" => assert_eq!(done["result"]["location"], "/3303/7"),
            "readComposite" => {
                assert_eq!(done["paths"], json!(["/3303/0/5700"]));
                assert_eq!(done["result"]["records"][0]["value"], 21.5);
            }
            "discover" => assert_eq!(done["result"]["links"][0]["path"], "/3/0/0"),
            _ => {}
        }
    }
    let paths: Vec<String> = sleeper
        .device
        .asked()
        .into_iter()
        .map(|ask| ask.path)
        .collect();
    assert_eq!(
        paths[1..],
        [
            "/3303/0/5700",
            "/1/0/1",
            "/3/0/4",
            "/3303",
            "/3303/0",
            "/3/0",
            "/3303/0/5700",
            "",
            ""
        ]
    );
}

#[tokio::test]
async fn an_awake_device_answers_as_usual_and_wait_waits_for_a_sleeping_one() {
    let world = impatient();
    let sleeper = Sleeper::new(&world);
    let uri = "devices/dev-1/data/3303/0/5700";
    let answer = world.get(uri).await.json(200);
    assert_eq!(answer["records"][0]["value"], 21.5);
    drop(sleeper);
    let sleeper = Sleeper::asleep(&world).await;
    let api = world.api();
    let call = tokio::spawn(async move {
        let uri = "devices/dev-1/data/3303/0/5700?wait=20";
        api.call("GET", uri, "").await
    });
    let end = std::time::Instant::now() + PATIENCE;
    while world.get("devices/dev-1").await.json(200)["queued"] == 0 {
        assert!(std::time::Instant::now() < end, "nothing is queued");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sleeper.wake();
    let answer = call.await.unwrap().json(200);
    assert_eq!(answer["records"][0]["value"], 21.5);
    // Not long enough: the operation stays.
    drop(sleeper);
    let _sleeper = Sleeper::asleep(&world).await;
    let uri = "devices/dev-1/data/3303/0/5700?wait=0.05";
    assert_eq!(world.get(uri).await.json(202)["state"], "queued");
}

#[tokio::test]
async fn operations_are_queued_listed_and_cancelled() {
    let world = impatient();
    let sleeper = Sleeper::asleep(&world).await;
    let mut ids = Vec::new();
    for (body, name, path) in [
        (
            r#"{"operation":"read","path":"/3303/0/5700"}"#,
            "read",
            "/3303/0/5700",
        ),
        (
            r#"{"operation":"discover","path":"/3/0"}"#,
            "discover",
            "/3/0",
        ),
        (
            r#"{"operation":"write","path":"/1/0/1","value":100,"ttl":3600,"priority":-1}"#,
            "write",
            "/1/0/1",
        ),
        (
            r#"{"operation":"update","path":"/1/0","records":[{"path":"/1/0/1","value":9}]}"#,
            "update",
            "/1/0",
        ),
        (
            r#"{"operation":"writeAttributes","path":"/3303/0/5700","attributes":{"pmin":1}}"#,
            "writeAttributes",
            "/3303/0/5700",
        ),
        (
            r#"{"operation":"execute","path":"/3/0/4"}"#,
            "execute",
            "/3/0/4",
        ),
        (
            r#"{"operation":"create","path":"/3303","instance":7}"#,
            "create",
            "/3303",
        ),
        (
            r#"{"operation":"delete","path":"/3303/0"}"#,
            "delete",
            "/3303/0",
        ),
    ] {
        let answer = world.call("POST", URI, body).await;
        let operation = answer.json(201);
        assert_eq!(
            (&operation["operation"], &operation["path"]),
            (&json!(name), &json!(path))
        );
        assert!(
            answer
                .header("location")
                .starts_with("/api/v1/devices/dev-1/operations/")
        );
        ids.push(operation["id"].clone());
    }
    // Two pages, the newest first.
    let first = world
        .get(&format!("{URI}?state=queued&limit=5"))
        .await
        .json(200);
    let next = first["next"].as_str().unwrap();
    let uri = format!("{URI}?state=queued&limit=5&cursor={next}");
    let second = world.get(&uri).await.json(200);
    assert_eq!(second["next"], Value::Null);
    let pages = [&first, &second].map(|page| page["items"].as_array().unwrap().clone());
    let listed: Vec<Value> = pages
        .concat()
        .iter()
        .rev()
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(listed, ids);
    for id in &ids[1..] {
        let uri = format!("{URI}/{}", id.as_str().unwrap());
        let cancelled = world.call("DELETE", &uri, "").await.json(200);
        assert_eq!(cancelled["state"], "cancelled");
        world
            .call("DELETE", &uri, "")
            .await
            .refused(409, "has ended");
    }
    sleeper.wake();
    once(&world, &ids[0], "done").await;
    assert_eq!(sleeper.asked(), ["GET /3303/0/5700"]);
    let queued = world.get(&format!("{URI}?state=queued")).await.json(200);
    assert_eq!(queued, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn a_device_that_is_awake_has_a_queue_as_well() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", script);
    let body = r#"{"operation":"execute","path":"/3/0/4","arguments":"5"}"#;
    let done = world
        .call("POST", &format!("{URI}?wait=20"), body)
        .await
        .json(201);
    assert_eq!(done["state"], "done");
    assert_eq!(done["result"], json!({"code": "2.04"}));
    assert_eq!(device.last().line(), "POST /3/0/4 5");
}

#[tokio::test]
async fn what_a_device_refuses_is_the_error_of_its_operation() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| code(Code::NOT_FOUND, "no such"));
    let body = r#"{"operation":"delete","path":"/3303/9"}"#;
    let failed = world
        .call("POST", &format!("{URI}?wait=20"), body)
        .await
        .json(201);
    assert_eq!(
        (&failed["state"], &failed["result"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(failed["error"]["status"], 404);
    assert_eq!(failed["error"]["coapCode"], "4.04");
}

#[tokio::test]
async fn an_operation_for_an_unknown_device_must_be_meant() {
    let world = World::new();
    let body = r#"{"operation":"write","path":"/1/0/1","value":100}"#;
    world
        .call("POST", URI, body)
        .await
        .refused(404, "Unknown endpoint");
    world.get(URI).await.refused(404, "Unknown endpoint");
    let operation = world
        .call("POST", &format!("{URI}?away=true"), body)
        .await
        .json(201);
    let device = Device::register(&world, "dev-1", script);
    let done = once(&world, &operation["id"], "done").await;
    assert_eq!(done["path"], "/1/0/1");
    assert_eq!(device.only().line(), "PUT /1/0/1 100");
    device.deregister();
    // It is known now.
    world.call("POST", URI, body).await.json(201);
}

#[tokio::test]
async fn a_full_queue_is_429() {
    let world = World::with(ServerConfig {
        limits: Limits {
            queue: QueueLimits {
                operations_per_device: 2,
                operations: 3,
                ..QueueLimits::default()
            },
            ..Limits::default()
        },
        ..ServerConfig::default()
    });
    let queue = async |name: &str| {
        let body = r#"{"operation":"read","path":"/3"}"#;
        let uri = format!("devices/{name}/operations?away=true");
        world.call("POST", &uri, body).await
    };
    queue("a").await.json(201);
    queue("a").await.json(201);
    queue("a")
        .await
        .refused(429, "queue of this device is full");
    queue("b").await.json(201);
    queue("c").await.refused(503, "too many operations");
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", script);
    for (body, words) in [
        (
            r#"{"operation":"observe","path":"/3"}"#,
            "is not an operation",
        ),
        (r#"{"operation":"read"}"#, "Give a "),
        (
            r#"{"operation":"read","path":"/3","value":1}"#,
            "read does not take",
        ),
        (r#"{"operation":"read","path":"/3/x"}"#, "is not a path"),
        (r#"{"operation":"read","path":"/"}"#, "at least an object"),
        (
            r#"{"operation":"execute","path":"/3/0"}"#,
            "needs a resource",
        ),
        (r#"{"operation":"create","path":"/3/0"}"#, "needs an object"),
        (r#"{"operation":"write","path":"/1/0/1"}"#, "Give either"),
        (
            r#"{"operation":"readComposite","path":"/3","paths":["/3"]}"#,
            "has its paths in",
        ),
        (r#"{"operation":"read","path":"/3","ttl":0}"#, "ttl must be"),
        (
            r#"{"operation":"read","path":"/3","format":"xml"}"#,
            "not a content format",
        ),
        (
            r#"{"operation":"read","path":"/3","priority":99999}"#,
            "does not fit",
        ),
    ] {
        world.call("POST", URI, body).await.refused(400, words);
    }
    for (uri, words) in [
        ("?state=asleep", "is not a state"),
        ("?limit=0", "limit must be"),
        ("?cursor=x", "cursor must be"),
        ("?wait=1", "unknown field"),
    ] {
        world.get(&format!("{URI}{uri}")).await.refused(400, words);
    }
    for uri in ["?wait=-1", "?ttl=0", "?priority=40000"] {
        let uri = format!("devices/dev-1/data/3/0/0{uri}");
        world.get(&uri).await.problem(400);
    }
    for id in ["99", "x"] {
        let uri = format!("{URI}/{id}");
        world.get(&uri).await.refused(404, "has no operation");
        world
            .call("DELETE", &uri, "")
            .await
            .refused(404, "has no operation");
    }
}

#[tokio::test]
async fn the_awake_time_can_be_said_and_taken_back() {
    let world = World::new();
    let _sleeper = Sleeper::new(&world);
    let uri = "devices/dev-1/awake-time";
    world
        .call("PUT", uri, r#"{"seconds":600}"#)
        .await
        .empty(204);
    let device = world.get("devices/dev-1").await.json(200);
    assert_eq!(device["awakeTime"], 600);
    world.call("DELETE", uri, "").await.empty(204);
    let device = world.get("devices/dev-1").await.json(200);
    assert_eq!(device["awakeTime"], 93);
    for seconds in [0, 86_401] {
        let body = format!(r#"{{"seconds":{seconds}}}"#);
        world
            .call("PUT", uri, body)
            .await
            .refused(400, "from 1 to 86400");
    }
    let uri = "devices/dev-9/awake-time";
    let body = r#"{"seconds":5}"#;
    world
        .call("PUT", uri, body)
        .await
        .refused(404, "Unknown endpoint");
    world
        .call("DELETE", uri, "")
        .await
        .refused(404, "Unknown endpoint");
}
