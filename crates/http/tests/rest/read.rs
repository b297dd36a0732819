//! Read, in every format.

use serde_json::json;

use crate::device::{Device, content};
use crate::world::World;

/// `21.5` at /3303/0/5700 in each format, byte by byte.
const FORMATS: [(&str, u16, &[u8]); 5] = [
    ("text", 0, b"21.5"),
    // RFC 8949 §3.3: half precision.
    ("cbor", 60, b"\xF9\x4D\x60"),
    (
        "senml-json",
        110,
        br#"[{"bn":"/3303/0/","n":"5700","v":21.5}]"#,
    ),
    // RFC 8428 §6: bn is -2, n is 0, v is 2.
    (
        "senml-cbor",
        112,
        b"\x81\xA3\x21\x68/3303/0/\x00\x645700\x02\xF9\x4D\x60",
    ),
    // Core 1.1 §7.4.3: a resource with an id of 16 bits and a length in the type byte.
    ("tlv", 11542, b"\xE4\x16\x44\x41\xAC\x00\x00"),
];

#[tokio::test]
async fn each_format_is_asked_for_and_read() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |ask| {
        let format = ask.accept.unwrap();
        let (_, _, bytes) = FORMATS
            .into_iter()
            .find(|(_, number, _)| *number == format)
            .unwrap();
        content(format, bytes)
    });
    for (name, number, _) in FORMATS {
        for wanted in [name.to_owned(), number.to_string()] {
            let uri = format!("devices/dev-1/data/3303/0/5700?format={wanted}");
            assert_eq!(
                world.get(&uri).await.json(200),
                json!({
                    "code": "2.05",
                    "format": number,
                    "records": [{"path": "/3303/0/5700", "type": "Float", "value": 21.5}],
                }),
                "{wanted}"
            );
            let ask = device.last();
            assert_eq!(
                (ask.line().as_str(), ask.accept),
                ("GET /3303/0/5700", Some(number))
            );
            assert_eq!(ask.observe, None);
        }
    }
}

#[tokio::test]
async fn opaque_is_base64() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| content(42, &[0, 255, 1]));
    let read = world
        .get("devices/dev-1/data/5/0/0?format=opaque")
        .await
        .json(200);
    let record = json!({"path": "/5/0/0", "type": "Opaque", "value": "AP8B"});
    assert_eq!(
        read,
        json!({"code": "2.05", "format": 42, "records": [record]})
    );
    assert_eq!(device.only().accept, Some(42));
}

#[tokio::test]
async fn every_type_has_its_json() {
    let world = World::new();
    // Types by the definition of object 3: 0 String, 9 Integer, 11 Integer in instances, 13 Time.
    // And by SenML alone, as nobody has defined object 30000.
    let _device = Device::register(&world, "dev-1", |ask| match ask.path.as_str() {
        "/3/0" => content(
            110,
            br#"[{"bn":"/3/0/","n":"0","vs":"D\u00fc\"\n"},{"n":"9","v":87},{"n":"11/0","v":0},
                 {"n":"11/7","v":1},{"n":"13","v":1795000000}]"#,
        ),
        "/3303/0/5700" => content(0, b"nan"),
        _ => content(
            110,
            br#"[{"bn":"/30000/0/","n":"0","vb":true},{"n":"1","vd":"AP8B"},{"n":"2","vlo":"3:0"},
                 {"n":"3","v":-9223372036854775808},{"n":"4","v":18446744073709551615},
                 {"n":"5","v":1.5}]"#,
        ),
    });
    let records = world.get("devices/dev-1/data/3/0").await.json(200)["records"].take();
    assert_eq!(
        records,
        json!([
            {"path": "/3/0/0", "type": "String", "value": "Dü\"\n"},
            {"path": "/3/0/9", "type": "Integer", "value": 87},
            {"path": "/3/0/11/0", "type": "Integer", "value": 0},
            {"path": "/3/0/11/7", "type": "Integer", "value": 1},
            {"path": "/3/0/13", "type": "Time", "value": 1_795_000_000},
        ])
    );
    let records = world.get("devices/dev-1/data/30000").await.json(200)["records"].take();
    let values: Vec<_> = records
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["value"])
        .collect();
    assert_eq!(
        json!(values),
        json!([true, "AP8B", "3:0", i64::MIN, u64::MAX, 1.5])
    );
}

#[tokio::test]
async fn times_come_through_as_unix_seconds() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| {
        content(
            110,
            br#"[{"n":"/3303/0/5700","v":21,"t":1795000000.5},{"n":"/3303/0/5601","v":3}]"#,
        )
    });
    let records = world.get("devices/dev-1/data/3303/0").await.json(200)["records"].take();
    let timed = json!(
        {"path": "/3303/0/5700", "type": "Float", "value": 21.0, "time": 1_795_000_000.5}
    );
    let untimed = json!({"path": "/3303/0/5601", "type": "Float", "value": 3.0});
    assert_eq!(records, json!([timed, untimed]));
}

#[tokio::test]
async fn a_device_below_another_root_is_asked_there() {
    let world = World::new();
    let mut device = Device::new(&world, |_| {
        content(110, br#"[{"bn":"/lw/3303/0/5700","v":21.5}]"#)
    });
    let links = "</lw>;rt=\"oma.lwm2m\";ct=110,</lw/3303/0>";
    device.register_as(&["ep=rooted", "lt=300", "lwm2m=1.1", "b=U"], links);
    let read = world.get("devices/rooted/data/3303/0/5700").await.json(200);
    assert_eq!(read["records"][0]["path"], "/3303/0/5700");
    let ask = device.only();
    assert_eq!(
        (ask.path.as_str(), ask.accept),
        ("/lw/3303/0/5700", Some(110))
    );
}

#[tokio::test]
async fn an_object_may_be_empty_and_a_trailing_slash_is_no_matter() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| content(110, b"[]"));
    let read = world.get("devices/dev-1/data/3303/").await.json(200);
    assert_eq!(read, json!({"code": "2.05", "format": 110, "records": []}));
    assert_eq!(device.only().path, "/3303");
}
