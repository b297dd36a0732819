//! Discover.

use serde_json::json;

use crate::device::{Device, LINKS, content};
use crate::world::World;

#[tokio::test]
async fn links_come_with_their_attributes() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| {
        content(
            40,
            br#"</3/0>;pmin=10,</3/0/9>;gt=10.5;lt=-2,</3/0/11>;dim=2,</3/0/4>"#,
        )
    });
    let answer = world.get("devices/dev-1/discover/3/0").await;
    assert_eq!(
        answer.json(200),
        json!({"code": "2.05", "links": [
            {"path": "/3/0", "attributes": {"pmin": "10"}},
            {"path": "/3/0/9", "attributes": {"gt": "10.5", "lt": "-2"}},
            {"path": "/3/0/11", "attributes": {"dim": "2"}},
            {"path": "/3/0/4", "attributes": {}},
        ]})
    );
    let ask = device.only();
    assert_eq!((ask.line().as_str(), ask.accept), ("GET /3/0", Some(40)));
    assert_eq!(ask.queries, Vec::<String>::new());
}

#[tokio::test]
async fn depth_goes_to_devices_that_know_it() {
    let world = World::new();
    let old = Device::register(&world, "old", |_| content(40, b"</3>"));
    let mut new = Device::new(&world, |_| content(40, b"</3>"));
    new.register_as(&["ep=new", "lt=300", "lwm2m=1.2", "b=U"], LINKS);
    world.get("devices/old/discover/3?depth=2").await.json(200);
    world.get("devices/new/discover/3?depth=2").await.json(200);
    assert_eq!(old.only().queries, Vec::<String>::new());
    assert_eq!(new.only().queries, ["depth=2"]);
}

#[tokio::test]
async fn a_device_below_another_root_shows_plain_paths() {
    let world = World::new();
    let mut device = Device::new(&world, |_| content(40, b"</lw/3/0>,</lw/3/0/9>"));
    let links = "</lw>;rt=\"oma.lwm2m\",</lw/3/0>";
    device.register_as(&["ep=rooted", "lt=300", "lwm2m=1.1", "b=U"], links);
    let links = world.get("devices/rooted/discover/3/0").await.json(200)["links"].take();
    let paths: Vec<_> = links
        .as_array()
        .unwrap()
        .iter()
        .map(|link| &link["path"])
        .collect();
    assert_eq!(json!(paths), json!(["/3/0", "/3/0/9"]));
}

#[tokio::test]
async fn links_that_are_none_are_502() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| content(40, b"</3/0"));
    let problem = world.get("devices/dev-1/discover/3").await.problem(502);
    assert_eq!(problem["title"], "Unreadable answer");
}
