//! Firmware: images, and bringing them to a device.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::Request;
use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::device::{Ask, Device, Say, changed, code, content};
use crate::sse::Events;
use crate::world::{PATIENCE, World};

const LINKS: &str = "</1/0>,</3/0>,</5/0>";

fn image(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 5) as u8).collect()
}

async fn add(world: &World, name: &str, content: &[u8]) -> Value {
    let uri = format!("firmware?name={name}");
    world.call("POST", &uri, content.to_vec()).await.json(201)
}

/// The firmware object of a device as far as a server sees it.
#[derive(Debug, Default)]
struct Firmware {
    state: u8,
    result: u8,
    delivery: u8,
    version: String,
    package: Vec<u8>,
    uri: String,
    /// Length of the whole package.
    length: usize,
    /// It never comes to an end with the check of a whole package.
    checks: bool,
}

type Shared = Arc<Mutex<Firmware>>;

fn answer(shared: &Shared, ask: &Ask) -> Say {
    let mut firmware = shared.lock().unwrap();
    match (ask.code, ask.path.as_str()) {
        (Code::GET, "/3/0/3") => content(0, firmware.version.clone().as_bytes()),
        (Code::GET, "/5/0") => {
            let Firmware {
                state,
                result,
                delivery,
                ..
            } = *firmware;
            let text = format!(
                "[{{\"bn\":\"/5/0/\",\"n\":\"3\",\"v\":{state}}},{{\"n\":\"5\",\"v\":{result}}},\
                 {{\"n\":\"9\",\"v\":{delivery}}}]"
            );
            content(110, text.as_bytes())
        }
        (Code::PUT, "/5/0/0") => {
            if firmware.state > 1 {
                return code(Code::METHOD_NOT_ALLOWED, "reset first");
            }
            firmware.package.extend(&ask.payload);
            firmware.state = 1;
            if firmware.package.len() < firmware.length {
                return code(Code::CONTINUE, "");
            }
            firmware.state = if firmware.checks { 1 } else { 2 };
            changed()
        }
        (Code::PUT, "/5/0/1") => {
            firmware.uri = String::from_utf8(ask.payload.clone()).unwrap();
            firmware.state = u8::from(!firmware.uri.is_empty());
            changed()
        }
        (Code::POST, "/5/0/2") if firmware.state == 2 => {
            firmware.state = 3;
            changed()
        }
        _ => code(Code::METHOD_NOT_ALLOWED, ""),
    }
}

fn device(world: &World, length: usize, delivery: u8) -> (Device, Shared) {
    let shared = Arc::new(Mutex::new(Firmware {
        delivery,
        version: "1.0".to_owned(),
        length,
        ..Firmware::default()
    }));
    let script = Arc::clone(&shared);
    let mut device = Device::new(world, move |ask| answer(&script, ask));
    device.register_as(&["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"], LINKS);
    (device, shared)
}

/// Waits until the update stands so.
async fn until(world: &World, is: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = world.get("devices/dev-1/firmware").await.json(200);
        if is(&status) {
            return status;
        }
        assert!(Instant::now() < end, "it stays {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The device has installed and comes back.
fn restart(device: &mut Device, shared: &Shared) {
    {
        let mut firmware = shared.lock().unwrap();
        (firmware.state, firmware.result) = (0, 1);
        firmware.version = "2.0".to_owned();
    }
    device.register_as(&["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"], LINKS);
}

#[tokio::test]
async fn images_are_added_listed_and_removed() {
    let world = World::new();
    let added = add(&world, "abc.bin", b"abc").await;
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(added["createdAt"].as_f64().unwrap() > 1.7e9);
    assert_eq!(
        (
            &added["id"],
            &added["name"],
            &added["size"],
            &added["sha256"]
        ),
        (
            &json!("ba7816bf8f01cfea"),
            &json!("abc.bin"),
            &json!(3),
            &json!(sha256)
        )
    );
    add(&world, "other", b"other").await;
    // The same bytes are the same image.
    let again = add(&world, "abc-2.bin", b"abc").await;
    assert_eq!(again["id"], added["id"]);
    let list = world.get("firmware").await.json(200);
    let names: Vec<&Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| &image["name"])
        .collect();
    assert_eq!(names, ["abc-2.bin", "other"]);
    let shown = world.get("firmware/ba7816bf8f01cfea").await.json(200);
    assert_eq!(shown, again);
    world
        .call("DELETE", "firmware/ba7816bf8f01cfea", "")
        .await
        .empty(204);
    for method in ["GET", "DELETE"] {
        let answer = world.call(method, "firmware/ba7816bf8f01cfea", "").await;
        answer.refused(404, "Unknown image");
    }
}

#[tokio::test]
async fn bad_images_and_updates_are_told() {
    let world = World::new();
    world
        .call("POST", "firmware", "x")
        .await
        .refused(400, "name");
    world
        .call("POST", "firmware?name=a", "")
        .await
        .refused(400, "empty");
    world
        .call("POST", "firmware?name=%0A", "x")
        .await
        .refused(400, "control characters");
    let (_device, _) = device(&world, 10, 2);
    let start = |body: &str| world.call("POST", "devices/dev-1/firmware", body.to_owned());
    start("{\"image\":\"nothing\"}")
        .await
        .refused(404, "Unknown image");
    start("{\"image\":\"nothing\",\"method\":\"carry\"}")
        .await
        .refused(400, "is not a method");
    start("{}").await.problem(400);
    world
        .get("devices/dev-1/firmware")
        .await
        .refused(404, "No update");
    world
        .get("devices/nobody/firmware")
        .await
        .refused(404, "Unknown endpoint");
    world
        .call("DELETE", "devices/dev-1/firmware", "")
        .await
        .refused(404, "No update");
    let other = Device::register(&world, "plain", |_| changed());
    let image = add(&world, "a", b"a").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({ "image": image }).to_string();
    world
        .call("POST", "devices/plain/firmware", body.clone())
        .await
        .refused(409, "no Firmware Update object");
    world
        .call("POST", "devices/nobody/firmware", body)
        .await
        .refused(404, "Unknown endpoint");
    drop(other);
}

/// More than a body of JSON may have.
#[tokio::test]
async fn a_large_image_is_taken_and_a_larger_one_refused() {
    let world = World::new();
    let added = add(&world, "large", &image(3 << 20)).await;
    assert_eq!(added["size"], 3 << 20);
    let answer = world
        .call("POST", "firmware?name=huge", vec![0; (64 << 20) + 1])
        .await;
    answer.refused(413, "larger than 67108864 bytes");
}

#[tokio::test]
async fn an_image_is_pushed_installed_and_told_by_events() {
    let world = World::new();
    let mut events = Events::open(&world, "?types=firmware", None).await;
    let bytes = image(5000);
    let id = add(&world, "new.bin", &bytes).await["id"].clone();
    let (mut device, shared) = device(&world, bytes.len(), 2);
    let body = json!({ "image": id, "method": "push" }).to_string();
    let begun = world
        .call("POST", "devices/dev-1/firmware", body.clone())
        .await
        .json(202);
    assert_eq!(
        (&begun["state"], &begun["size"]),
        (&json!("starting"), &json!(5000))
    );
    assert_eq!(begun["finishedAt"], Value::Null);
    world
        .call("POST", "devices/dev-1/firmware", body)
        .await
        .refused(409, "under way");
    let uri = format!("firmware/{}", id.as_str().unwrap());
    world.call("DELETE", &uri, "").await.refused(409, "dev-1");

    until(&world, |status| status["state"] == "installing").await;
    let end = Instant::now() + PATIENCE;
    while shared.lock().unwrap().state != 3 {
        assert!(Instant::now() < end, "it is not told to install");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shared.lock().unwrap().package, bytes);
    world
        .call("DELETE", "devices/dev-1/firmware", "")
        .await
        .refused(409, "installing");
    restart(&mut device, &shared);
    let done = until(&world, |status| status["state"] == "done").await;
    for (member, value) in [
        ("method", json!("push")),
        (
            "stateText",
            json!("installed; the version was 1.0 and is 2.0"),
        ),
        ("sent", json!(5000)),
        ("deviceState", json!("Idle")),
        ("result", json!(1)),
        ("resultText", json!("updated successfully")),
        ("versionBefore", json!("1.0")),
        ("versionAfter", json!("2.0")),
    ] {
        assert_eq!(done[member], value, "{member} of {done}");
    }
    assert!(done["finishedAt"].as_f64() >= done["startedAt"].as_f64());

    let mut states: Vec<String> = Vec::new();
    while states.last().is_none_or(|state| state != "done") {
        let event = events.next().await;
        assert_eq!(
            (event.name.as_str(), &event.data["endpoint"]),
            ("firmware", &json!("dev-1"))
        );
        states.push(event.data["firmware"]["state"].as_str().unwrap().to_owned());
    }
    states.dedup();
    assert_eq!(states, ["starting", "pushing", "installing", "done"]);
}

/// Fetches the blocks of a file as a device does.
fn fetch(uri: &str) -> Vec<u8> {
    let rest = uri.strip_prefix("coap://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(host).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut file = Vec::new();
    for num in 0.. {
        let mut buffer = [0; 512];
        let ty = Type::Confirmable;
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::GET, num as u16, b"f");
        for segment in path.split('/') {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        // 256 bytes.
        writer.uint(OptionNumber::BLOCK2, num << 4 | 4);
        let length = writer.finish().unwrap();
        socket.send(&buffer[..length]).unwrap();
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).unwrap();
        let message = Message::parse(&answer[..length]).unwrap();
        assert_eq!(message.code, Code::CONTENT);
        file.extend(message.payload);
        if message.uint(OptionNumber::BLOCK2).unwrap() & 8 == 0 {
            return file;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn an_image_is_offered_for_pull() {
    let world = World::new();
    let bytes = image(3000);
    let id = add(&world, "new%201.bin", &bytes).await["id"].clone();
    let (_device, shared) = device(&world, bytes.len(), 0);
    let body = json!({ "image": id, "install": false }).to_string();
    world
        .call("POST", "devices/dev-1/firmware", body)
        .await
        .json(202);
    until(&world, |status| status["state"] == "pulling").await;
    let uri = shared.lock().unwrap().uri.clone();
    let expected = format!("coap://{}/fw/", world.coap());
    let token = uri
        .strip_prefix(&expected)
        .expect(&uri)
        .strip_suffix("/new_1.bin")
        .unwrap();
    assert_eq!(token.len(), 32, "128 bits: {uri}");
    let fetched = tokio::task::spawn_blocking(move || fetch(&uri))
        .await
        .unwrap();
    assert_eq!(fetched, bytes);
    until(&world, |status| status["sent"] == 3000).await;
    shared.lock().unwrap().state = 2;
    let done = until(&world, |status| status["state"] == "done").await;
    assert_eq!(done["stateText"], "downloaded; it is not installed");
    assert_eq!(
        (&done["method"], &done["deviceState"]),
        (&json!("pull"), &json!("Downloaded"))
    );
}

#[tokio::test]
async fn an_update_is_cancelled() {
    let world = World::new();
    let id = add(&world, "new.bin", &image(3000)).await["id"].clone();
    let (_device, shared) = device(&world, 3000, 0);
    let body = json!({ "image": id }).to_string();
    world
        .call("POST", "devices/dev-1/firmware", body)
        .await
        .json(202);
    until(&world, |status| status["state"] == "pulling").await;
    assert_ne!(shared.lock().unwrap().uri, "");
    world
        .call("DELETE", "devices/dev-1/firmware", "")
        .await
        .json(202);
    until(&world, |status| status["state"] == "cancelled").await;
    // The device was told: an empty URI resets it.
    assert_eq!(shared.lock().unwrap().uri, "");
    world
        .call("DELETE", "devices/dev-1/firmware", "")
        .await
        .refused(404, "No update");
}

#[tokio::test]
async fn the_words_of_the_device_are_told_when_it_fails() {
    let world = World::new();
    let bytes = image(3000);
    let id = add(&world, "new.bin", &bytes).await["id"].clone();
    let (_device, shared) = device(&world, bytes.len(), 1);
    shared.lock().unwrap().checks = true;
    let body = json!({ "image": id }).to_string();
    world
        .call("POST", "devices/dev-1/firmware", body)
        .await
        .json(202);
    // It takes all and finds it wanting.
    until(&world, |status| status["sent"] == 3000).await;
    {
        let mut firmware = shared.lock().unwrap();
        (firmware.state, firmware.result) = (0, 5);
    }
    let failed = until(&world, |status| status["state"] == "failed").await;
    assert_eq!(failed["stateText"], "the device: integrity check failed");
    assert_eq!(failed["resultText"], "integrity check failed");
}

/// Images that stop coming give their turn back; otherwise two of them would keep everybody out.
#[tokio::test(start_paused = true)]
async fn an_upload_that_stands_still_is_ended() {
    let world = World::new();
    let stalled = async || {
        let first = Ok::<_, std::io::Error>(Bytes::from_static(b"the beginning"));
        let stream = futures_util::stream::iter([first]).chain(futures_util::stream::pending());
        let request = Request::post("/api/v1/firmware?name=slow");
        let request = request.body(Body::from_stream(stream)).unwrap();
        world.api().respond(request).await.status()
    };
    let begun = tokio::time::Instant::now();
    let (first, second, third) = tokio::join!(stalled(), stalled(), stalled());
    for status in [first, second, third] {
        assert_eq!(status, 408);
    }
    // The third waited for its turn.
    assert_eq!(begun.elapsed().as_secs(), 40);
    add(&world, "fast", b"image").await;
}
