//! Delete.

use dunlin_coap::Code;
use serde_json::json;

use crate::device::{Device, LINKS, code};
use crate::world::World;

#[tokio::test]
async fn an_instance_is_deleted() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| code(Code::DELETED, ""));
    let answer = world.call("DELETE", "devices/dev-1/data/3303/1", "").await;
    assert_eq!(answer.json(200), json!({"code": "2.02"}));
    assert_eq!(device.only().line(), "DELETE /3303/1");
}

/// Deleting a resource instance came with 1.2 (Core 1.2 §6.3.8).
#[tokio::test]
async fn a_resource_instance_is_deleted_since_1_2() {
    let world = World::new();
    let old = Device::register(&world, "old", |_| code(Code::DELETED, ""));
    let mut new = Device::new(&world, |_| code(Code::DELETED, ""));
    new.register_as(&["ep=new", "lt=300", "lwm2m=1.2", "b=U"], LINKS);
    world
        .call("DELETE", "devices/old/data/3/0/11/1", "")
        .await
        .refused(400, "1.2");
    assert_eq!(old.asked(), []);
    let answer = world.call("DELETE", "devices/new/data/3/0/11/1", "").await;
    assert_eq!(answer.json(200)["code"], "2.02");
    assert_eq!(new.only().line(), "DELETE /3/0/11/1");
}
