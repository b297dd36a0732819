//! A mandatory multiple resource that is empty (Core 1.2 §D.1): nobody may empty it, but one that
//! is empty refuses nothing else.

mod common;

use common::several::Several;
use common::{Ask, ask, hex, post, put};
use dunlin_client::objects::{AppData, Device, Server};
use dunlin_client::{Code, Config, Instances, Multiple, Single, Version, objects};

const TEXT: u16 = 0;
const SENML_ETCH_JSON: u16 = 320;
const TLV: u16 = 11542;

struct Boxes {
    device: Single<Device>,
    data: Instances<AppData, 3>,
}

objects!(Boxes { device, data });

/// Instance 0 has no data, instance 1 has.
fn world() -> Several<Boxes> {
    let empty = AppData {
        data: Multiple::default(),
        ..AppData::default()
    };
    let boxes = Boxes {
        device: Single::new(Device::default()),
        data: Instances::new().with(0, empty).with(1, AppData::default()),
    };
    let config = Config {
        version: Version::V1_2,
        ..Config::new("dev1")
    };
    let mut world = Several::with(config, boxes, [Server::new(1)]);
    world.register(&[1]);
    world
}

fn ipatch(pack: &str) -> Ask {
    Ask {
        code: Code::IPATCH,
        ..put("/", SENML_ETCH_JSON, pack.as_bytes())
    }
}

#[test]
fn what_a_write_does_not_touch_is_not_judged() {
    let description = hex("C2 03 68 69");
    for (request, code) in [
        // Something else of the instance that is incomplete already.
        (put("/19/0/3", TEXT, b"hi"), "2.04"),
        (post("/19/0", TLV, &description), "2.04"),
        (put("/19/0", TLV, &description), "2.04"),
        (ipatch(r#"[{"n":"/19/0/3","vs":"hi"}]"#), "2.04"),
        // It is completed.
        (put("/19/0", TLV, &hex("83 00 41 00 07")), "2.04"),
        // One that is complete stays so.
        (put("/19/1/3", TEXT, b"hi"), "2.04"),
        (put("/19/1", TLV, &description), "4.00"),
        (put("/19/1/0", TLV, &hex("80 00")), "4.00"),
        (ask(Code::DELETE, "/19/1/0/0"), "4.05"),
        (ipatch(r#"[{"n":"/19/1/0/0","v":null}]"#), "4.00"),
        (post("/19/1", TLV, &description), "2.04"),
    ] {
        let mut world = world();
        let Ask { uri, payload, .. } = &request;
        assert_eq!(world.code(1, &request), code, "{uri} {payload:02X?}");
        let data = &world.client.objects_mut().data;
        assert_eq!(data.get(1).map(|one| one.data.iter().count()), Some(1));
    }
}
