//! The whole way: REST, server, UDP, and the client engine of `dunlin-client`.

use core::time::Duration;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use dunlin_client::objects::{Device, Temperature, text};
use dunlin_client::{Client, Config, Input, Instances, Instant, Output, Rng, Single, Version};
use serde_json::json;

use crate::sse::Events;
use crate::world::World;

struct Dice(u64);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 32) as u32
    }
}

/// A client on a thread; it stops without a word.
struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(world: &World, endpoint: &'static str, version: Version) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, server) = (Arc::clone(&stop), world.coap());
        // The client is large for the stack of a thread of a test.
        let thread = std::thread::Builder::new().stack_size(4 << 20);
        let thread = thread
            .spawn(move || run(endpoint, version, server, &stopped))
            .unwrap();
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(endpoint: &str, version: Version, server: std::net::SocketAddr, stop: &AtomicBool) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = std::time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let mut dice = Dice(7);
    let device = Device {
        manufacturer: text("Dunlin"),
        battery_level: Some(87),
        ..Device::default()
    };
    let temperatures = Instances::<_, 4>::new().with(0, Temperature::new(21.5));
    let config = Config {
        version,
        ..Config::new(endpoint)
    };
    let objects = (Single::new(device), temperatures);
    let mut client: Client<_> = Client::new(config, objects, &mut dice);
    client.connect(now(), server);
    let mut buffer = [0; 2048];
    let mut received = None;
    while !stop.load(Ordering::Relaxed) {
        let input = match received {
            Some((length, from)) => Input::Datagram {
                from,
                bytes: &buffer[..length],
            },
            None => Input::Timer,
        };
        let mut outputs = client.handle(now(), &mut dice, input);
        while let Some(output) = outputs.next() {
            if let Output::Transmit { to, bytes } = output {
                socket.send_to(bytes, to).unwrap();
            }
        }
        let slice = now() + Duration::from_millis(20);
        let next = client.next_timeout().map_or(slice, |next| next.min(slice));
        let wait = next.saturating_since(now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait)).unwrap();
        received = socket.recv_from(&mut buffer).ok();
    }
}

#[tokio::test]
async fn every_operation_with_every_version() {
    for (version, name) in [
        (Version::V1_0, "1.0"),
        (Version::V1_1, "1.1"),
        (Version::V1_2, "1.2"),
    ] {
        let world = World::new();
        let mut events = Events::open(&world, "", None).await;
        let _client = Running::start(&world, "real", version);
        let registered = events.expect("registration").await;
        assert_eq!(registered.data["device"]["version"], name);
        assert_eq!(registered.data["device"]["faults"], json!([]));

        // Read, in each format the client's version has.
        let formats: &[&str] = match version {
            Version::V1_0 => &["text", "tlv"],
            _ => &["text", "cbor", "senml-json", "senml-cbor", "tlv"],
        };
        for format in formats {
            let uri = format!("devices/real/data/3303/0/5700?format={format}");
            let read = world.get(&uri).await.json(200);
            let record = json!({"path": "/3303/0/5700", "type": "Float", "value": 21.5});
            assert_eq!(read["records"], json!([record]), "{name} {format}");
        }
        let read = world.get("devices/real/data/3/0").await.json(200);
        let records = read["records"].as_array().unwrap();
        let battery = records
            .iter()
            .find(|record| record["path"] == "/3/0/9")
            .unwrap();
        assert_eq!(
            (&battery["type"], &battery["value"]),
            (&json!("Integer"), &json!(87))
        );
        let answer = world.get("devices/real/data/3303/9").await;
        assert_eq!(answer.problem(404)["coapCode"], "4.04");

        // Write: one value, then some of an instance.
        let answer = world
            .call("PUT", "devices/real/data/1/0/1", r#"{"value":120}"#)
            .await;
        assert_eq!(answer.json(200)["code"], "2.04");
        let update = events.expect("update").await;
        assert_eq!(update.data["device"]["lifetime"], 120, "{name}");
        let body = r#"{"records":[{"path":"/1/0/1","value":90},{"path":"/1/0/6","value":true}]}"#;
        let answer = world.call("PATCH", "devices/real/data/1/0", body).await;
        assert_eq!(answer.json(200)["code"], "2.04", "{name}");
        let read = world.get("devices/real/data/1/0/6").await.json(200);
        assert_eq!(read["records"][0]["value"], true);
        events.expect("update").await;
        let answer = world
            .call("PUT", "devices/real/data/3303/0/5700", r#"{"value":1}"#)
            .await;
        assert_eq!(answer.problem(405)["coapCode"], "4.05");

        // Execute.
        let answer = world
            .call("POST", "devices/real/data/3303/0/5605", "")
            .await;
        assert_eq!(answer.json(200)["code"], "2.04");
        let answer = world
            .call("POST", "devices/real/data/3303/0/5700", "")
            .await;
        assert_eq!(answer.problem(405)["coapCode"], "4.05");

        // Discover and attributes.
        let body = r#"{"pmin":0,"gt":30.5}"#;
        let answer = world
            .call("PUT", "devices/real/attributes/3303/0/5700", body)
            .await;
        assert_eq!(answer.json(200)["code"], "2.04");
        let links = world.get("devices/real/discover/3303/0").await.json(200)["links"].take();
        let links = links.as_array().unwrap();
        let value = links
            .iter()
            .find(|link| link["path"] == "/3303/0/5700")
            .unwrap();
        assert_eq!(value["attributes"]["gt"], "30.5", "{links:?}");

        // Create and Delete; the list of objects changes with them.
        let body = r#"{"instance":2,"records":[{"path":"/3303/2/5750","value":"attic"}]}"#;
        let answer = world.call("POST", "devices/real/data/3303", body).await;
        assert_eq!(answer.json(201)["code"], "2.01", "{name}");
        let update = events.expect("update").await;
        let objects = update.data["device"]["objects"].as_array().unwrap();
        let listed = objects.iter().find(|object| object["id"] == 3303).unwrap();
        assert_eq!(listed["instances"], json!([0, 2]), "{name}");
        let read = world.get("devices/real/data/3303/2/5750").await.json(200);
        assert_eq!(read["records"][0]["value"], "attic", "{name}");
        let answer = world.call("DELETE", "devices/real/data/3303/2", "").await;
        assert_eq!(answer.json(200)["code"], "2.02", "{name}");
        events.expect("update").await;
        let answer = world.call("DELETE", "devices/real/data/3303/0", "").await;
        assert_eq!(answer.json(200)["code"], "2.02", "{name}");
        let update = events.expect("update").await;
        let objects = update.data["device"]["objects"].as_array().unwrap();
        let left = objects.iter().find(|object| object["id"] == 3303);
        assert!(
            left.is_none_or(|object| object["instances"] == json!([])),
            "{left:?}"
        );
        world.get("devices/real/data/3303/0").await.problem(404);
    }
}

#[tokio::test]
async fn values_are_observed_as_they_change() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let _client = Running::start(&world, "real", Version::V1_1);
    events.expect("registration").await;
    let wish = r#"{"path":"/1/0/1"}"#;
    world
        .call("POST", "devices/real/observations", wish)
        .await
        .json(201);
    let first = events.expect("notification").await;
    assert_eq!(first.data["path"], "/1/0/1");
    world
        .call("PUT", "devices/real/data/1/0/1", r#"{"value":777}"#)
        .await
        .json(200);
    loop {
        let event = events.next().await;
        if event.name == "notification" {
            assert_eq!(event.data["records"][0]["value"], 777);
            break;
        }
        assert_eq!(event.name, "update");
    }
}
