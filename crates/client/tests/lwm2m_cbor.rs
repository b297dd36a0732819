//! LwM2M CBOR (1.2) as a preference, and the instance id 65535 with which the device chooses.

mod common;

use common::{World, get, hex, post, put};
use dunlin_client::{Code, Config, ContentFormat, Formats, Version};
use dunlin_coap::OptionNumber;

const LWM2M_CBOR: u16 = 11544;

fn world() -> World {
    let mut world = World::with(Config {
        version: Version::V1_2,
        formats: Formats {
            v1_2: ContentFormat::LWM2M_CBOR,
            ..Formats::default()
        },
        ..Config::new("dev1")
    });
    world.register();
    world
}

/// `/3/0/6` = {0: 1, 1: 5} is an example of Core 1.2 Appendix F.
#[test]
fn it_is_used_where_the_server_asks_for_nothing() {
    let mut world = world();
    let answer = world.ask(&get("/3/0/6"));
    let format = answer.uint(OptionNumber::CONTENT_FORMAT);
    assert_eq!(format, Some(u32::from(LWM2M_CBOR)));
    assert_eq!(answer.payload, hex("A1 83030006 A2 0001 0105"));
    // A single value stays as it is.
    assert_eq!(world.ask(&get("/3/0/9")).text(), "100");
    // A list of paths cannot be in it, the answer can.
    let list = put("/", 110, br#"[{"n":"/3/0/9"}]"#);
    let list = common::Ask {
        code: Code::FETCH,
        ..list
    };
    let answer = world.ask(&list);
    assert_eq!(answer.payload, hex("A1 820300 A1 09 1864"));
}

/// It carries no times, so a Send with samples goes in SenML.
#[test]
fn a_send_of_samples_goes_in_senml() {
    let mut world = world();
    let path = "/3/0/9".parse().unwrap();
    world.client.send(world.now, 1, &[path], true).unwrap();
    world.poll();
    let sent = world.take();
    let format = sent.uint(OptionNumber::CONTENT_FORMAT);
    assert_eq!(format, Some(u32::from(LWM2M_CBOR)));
    world.answer_with(&sent, Code::CHANGED);
    world.client.record(world.now, 1, path).unwrap();
    world.seconds(5);
    world.client.send(world.now, 1, &[path], true).unwrap();
    world.poll();
    assert_eq!(world.take().uint(OptionNumber::CONTENT_FORMAT), Some(112));
}

/// Core 1.2.1 §7.5.4.
#[test]
fn with_65535_the_device_chooses_the_id() {
    let mut world = world();
    // {[3311, 65535]: {5850: true}}
    let content = hex("A1 82 19 0CEF 19 FFFF A1 19 16DA F5");
    let answer = world.ask(&post("/3311", LWM2M_CBOR, &content));
    assert_eq!(answer.code, Code::CREATED);
    assert_eq!(answer.texts(OptionNumber::LOCATION_PATH), ["3311", "0"]);
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.ask(&get("/3311/0/5850")).text(), "1");
}
