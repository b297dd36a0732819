//! Create.

use serde_json::{Value, json};

use crate::device::{Device, LINKS, changed, created};
use crate::world::World;

#[tokio::test]
async fn an_instance_with_an_id_of_the_callers() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| created(&["3303", "7"]));
    let body = r#"{"instance":7,"records":[{"path":"/3303/7/5700","value":20.5}]}"#;
    let answer = world
        .call("POST", "devices/dev-1/data/3303?format=tlv", body)
        .await;
    assert_eq!(
        answer.json(201),
        json!({"code": "2.01", "location": "/3303/7"})
    );
    let ask = device.only();
    assert_eq!(
        (ask.code.name(), ask.path.as_str(), ask.format),
        ("POST", "/3303", Some(11542))
    );
    // Object instance 7 of seven bytes around the resource.
    assert_eq!(ask.payload, b"\x07\x07\xE4\x16\x44\x41\xA4\x00\x00");
}

#[tokio::test]
async fn an_instance_with_an_id_of_the_devices() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| created(&["3303", "3"]));
    let body = r#"{"records":[{"path":"/3303/65535/5700","value":20.5}]}"#;
    let answer = world.call("POST", "devices/dev-1/data/3303", body).await;
    assert_eq!(
        answer.json(201),
        json!({"code": "2.01", "location": "/3303/3"})
    );
    let ask = device.only();
    // Core 1.1 §7.4.3: resources without an instance around them leave the id to the device.
    assert_eq!(
        (ask.format, ask.payload.as_slice()),
        (Some(11542), &b"\xE4\x16\x44\x41\xA4\x00\x00"[..])
    );
}

/// The answer need not have a location when the server chose the id (Core 1.1 §6.3.7).
#[tokio::test]
async fn a_location_that_is_not_told_is_left_out() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| created(&[]));
    let body = r#"{"instance":7,"records":[{"path":"/3303/7/5700","value":20.5}]}"#;
    let answer = world.call("POST", "devices/dev-1/data/3303", body).await;
    assert_eq!(answer.json(201)["code"], "2.01");
    drop(device);
}

#[tokio::test]
async fn an_empty_instance() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| created(&["3303", "7"]));
    let answer = world
        .call("POST", "devices/dev-1/data/3303", r#"{"instance":7}"#)
        .await;
    assert_eq!(answer.json(201)["location"], "/3303/7");
    let ask = device.only();
    assert_eq!(
        (ask.format, ask.payload.as_slice()),
        (Some(11542), &b"\x00\x07"[..])
    );
    // Nothing at all to say is new in 1.2.
    let answer = world.call("POST", "devices/dev-1/data/3303", "").await;
    answer.refused(400, "1.2");
    let mut new = Device::new(&world, |_| created(&["3303", "0"]));
    new.register_as(&["ep=new", "lt=300", "lwm2m=1.2", "b=U"], LINKS);
    let answer = world.call("POST", "devices/new/data/3303", "").await;
    assert_eq!(answer.json(201)["location"], "/3303/0");
    assert_eq!((new.only().payload.len(), new.only().format), (0, None));
}

#[tokio::test]
async fn what_is_not_one_instance_of_the_object_is_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let record = |path: &str| json!({"path": path, "value": 1});
    for (body, words) in [
        (
            json!({"records": [record("/3304/0/5700")]}),
            "does not lie below /3303",
        ),
        (
            json!({"instance": 1, "records": [record("/3303/2/5700")]}),
            "does not lie below /3303/1",
        ),
        (json!({"instance": 65535, "records": []}), "65535"),
        (
            json!({"records": [record("/3303/1/5700"), record("/3303/2/5700")]}),
            "one instance",
        ),
        (
            json!({"instance": 1, "records": [record("/3303/1")]}),
            "must name a resource",
        ),
        (json!({"arguments": "1"}), "creates an instance"),
    ] {
        let body: Value = body;
        let answer = world
            .call("POST", "devices/dev-1/data/3303", body.to_string())
            .await;
        answer.refused(400, words);
    }
    assert_eq!(device.asked(), []);
}
