//! Write: replace and partial update.

use serde_json::{Value, json};

use crate::device::{Device, LINKS, changed};
use crate::world::World;

const OK: &str = "2.04";

#[tokio::test]
async fn a_value_goes_out_as_text() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (path, value, payload) in [
        ("1/0/1", json!(120), "120"),
        ("1/0/1", json!(120.0), "120"),
        ("1/0/1", json!("120"), "120"),
        ("1/0/6", json!(true), "1"),
        ("3303/0/5700", json!(-0.5), "-0.5"),
        ("3303/0/5750", json!("Dü\n"), "Dü\n"),
        ("3/0/13", json!(1_795_000_000), "1795000000"),
        ("3/0/13", json!("9007199254740993"), "9007199254740993"),
    ] {
        let body = json!({ "value": value }).to_string();
        let answer = world
            .call("PUT", &format!("devices/dev-1/data/{path}"), body)
            .await;
        assert_eq!(answer.json(200), json!({"code": OK}), "{path}");
        let ask = device.last();
        assert_eq!(ask.line(), format!("PUT /{path} {payload}").trim_end());
        assert_eq!(ask.format, Some(0));
    }
}

#[tokio::test]
async fn opaque_goes_out_as_bytes() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let answer = world
        .call("PUT", "devices/dev-1/data/5/0/0", r#"{"value":"AP8B"}"#)
        .await;
    assert_eq!(answer.json(200)["code"], OK);
    let ask = device.only();
    assert_eq!(
        (ask.format, ask.payload.as_slice()),
        (Some(42), &[0, 255, 1][..])
    );
}

/// Core 1.1 §6.3.3: a replace is PUT, a partial update is POST.
#[tokio::test]
async fn records_go_out_in_the_format_asked_for() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let body = r#"{"records":[{"path":"/1/0/6","value":true},{"path":"/1/0/1","value":120}]}"#;
    for (method, sent) in [("PUT", "PUT"), ("PATCH", "POST")] {
        let answer = world
            .call(method, "devices/dev-1/data/1/0?format=tlv", body)
            .await;
        assert_eq!(answer.json(200)["code"], OK);
        let ask = device.last();
        assert_eq!(
            (ask.code.name(), ask.path.as_str(), ask.format),
            (sent, "/1/0", Some(11542))
        );
        assert_eq!(ask.payload, b"\xC1\x01\x78\xC1\x06\x01");
        let answer = world
            .call(method, "devices/dev-1/data/1/0?format=senml-json", body)
            .await;
        assert_eq!(answer.json(200)["code"], OK);
        let ask = device.last();
        assert_eq!(ask.format, Some(110));
        let pack: Value = serde_json::from_slice(&ask.payload).unwrap();
        assert_eq!(
            (&pack[0]["v"], &pack[1]["vb"]),
            (&json!(120), &json!(true)),
            "{pack}"
        );
    }
}

/// 1.0 knows TLV for everything (Core 1.0 §6.4).
#[tokio::test]
async fn an_old_device_is_written_in_tlv() {
    let world = World::new();
    let mut device = Device::new(&world, |_| changed());
    device.register_as(&["ep=old", "lt=300", "lwm2m=1.0", "b=U"], LINKS);
    let answer = world
        .call("PUT", "devices/old/data/1/0/1", r#"{"value":120}"#)
        .await;
    assert_eq!(answer.json(200)["code"], OK);
    let ask = device.only();
    assert_eq!(
        (ask.format, ask.payload.as_slice()),
        (Some(11542), &b"\xC1\x01\x78"[..])
    );
}

#[tokio::test]
async fn a_multiple_resource_is_written_in_instances() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let body = r#"{"records":[{"path":"/3/0/11/0","value":1},{"path":"/3/0/11/2","value":5}]}"#;
    for (method, sent) in [("PUT", "PUT"), ("PATCH", "POST")] {
        let answer = world
            .call(method, "devices/dev-1/data/3/0/11?format=tlv", body)
            .await;
        assert_eq!(answer.json(200)["code"], OK);
        let ask = device.last();
        assert_eq!((ask.code.name(), ask.path.as_str()), (sent, "/3/0/11"));
        assert_eq!(ask.payload, b"\x86\x0B\x41\x00\x01\x41\x02\x05");
    }
    let answer = world
        .call("PUT", "devices/dev-1/data/3/0/11/2", r#"{"value":7}"#)
        .await;
    assert_eq!(answer.json(200)["code"], OK);
    assert_eq!(device.last().line(), "PUT /3/0/11/2 7");
}

#[tokio::test]
async fn null_empties_a_multiple_resource_and_nothing_else() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let uri = "devices/dev-1/data/3/0/11?format=tlv";
    let answer = world.call("PUT", uri, r#"{"value":null}"#).await;
    assert_eq!(answer.json(200)["code"], OK);
    assert_eq!(device.only().payload, b"\x80\x0B");
    for path in ["1/0/1", "3/0/11/0"] {
        let uri = format!("devices/dev-1/data/{path}");
        let answer = world.call("PUT", &uri, r#"{"value":null}"#).await;
        answer.refused(400, "null");
    }
    assert_eq!(device.asked().len(), 1);
}

#[tokio::test]
async fn values_of_another_type_are_refused_before_anything_is_sent() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (path, value, words) in [
        ("1/0/1", json!("soon"), "is not an integer"),
        ("1/0/1", json!(1.5), "is not an integer"),
        ("1/0/1", json!(true), "is not an integer"),
        ("1/0/1", json!("9223372036854775808"), "is not an integer"),
        ("1/0/6", json!(1), "true or false"),
        ("1/0/6", json!("true"), "true or false"),
        ("3303/0/5700", json!("21"), "is not a number"),
        ("3303/0/5750", json!(5), "is not a string"),
        ("3/0/13", json!("2026-01-01"), "whole seconds"),
        ("5/0/0", json!("not base64!"), "base64"),
        ("30000/0/1", json!([1]), "is not a value"),
        ("30000/0/1", json!({"a": 1}), "is not a value"),
    ] {
        let body = json!({ "value": value }).to_string();
        let answer = world
            .call("PUT", &format!("devices/dev-1/data/{path}"), body)
            .await;
        let problem = answer.refused(400, words);
        assert!(
            problem["detail"].as_str().unwrap().contains(path),
            "{problem}"
        );
    }
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn without_a_definition_the_caller_may_name_the_type() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (value, named, payload) in [
        (json!(5), Value::Null, "5"),
        (json!("5"), json!("Integer"), "5"),
        (json!(5), json!("Float"), "5"),
        (json!("3:0"), json!("Objlnk"), "3:0"),
    ] {
        let mut body = json!({ "value": value });
        if !named.is_null() {
            body["type"] = named;
        }
        let answer = world
            .call("PUT", "devices/dev-1/data/30000/0/1", body.to_string())
            .await;
        assert_eq!(answer.json(200)["code"], OK);
        let sent = device.last().line();
        assert!(
            sent.starts_with(&format!("PUT /30000/0/1 {payload}")),
            "{sent}"
        );
    }
    let body = r#"{"value":5,"type":"Number"}"#;
    let answer = world
        .call("PUT", "devices/dev-1/data/30000/0/1", body)
        .await;
    answer.refused(400, "\\\"Number\\\"");
}

#[tokio::test]
async fn records_must_lie_below_the_path_and_be_there_once() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let record = |path: &str| json!({"path": path, "value": 1});
    for (target, records, words) in [
        ("1/0", vec![record("/1/1/1")], "does not lie below /1/0"),
        (
            "1/0",
            vec![record("/1/0/1"), record("/3/0/13")],
            "does not lie below /1/0",
        ),
        ("1/0/1", vec![record("/1/0/2")], "does not lie below /1/0/1"),
        ("1/0", vec![record("/1/0")], "must name a resource"),
        ("1/0", vec![record("1/0/x")], "is not a path"),
        (
            "1/0",
            vec![record("/1/0/1"), record("/1/0/1")],
            "given twice",
        ),
        (
            "3/0",
            vec![record("/3/0/11/0"), record("/3/0/11")],
            "either /3/0/11 or /3/0/11/0",
        ),
        ("1/0", vec![record("/1/0/65535")], "65535"),
    ] {
        for method in ["PUT", "PATCH"] {
            let body = json!({ "records": records }).to_string();
            let uri = format!("devices/dev-1/data/{target}");
            world.call(method, &uri, body).await.refused(400, words);
        }
    }
    for body in [
        r#"{}"#,
        r#"{"type":"Integer"}"#,
        r#"{"value":1,"records":[]}"#,
        r#"{"records":[{"path":"/1/0/1","value":1}],"type":"Integer"}"#,
    ] {
        let answer = world.call("PUT", "devices/dev-1/data/1/0/1", body).await;
        answer.refused(400, "Bad body");
    }
    let answer = world
        .call("PUT", "devices/dev-1/data/1/0", r#"{"value":1}"#)
        .await;
    answer.refused(400, "Bad body");
    // A POST on a single resource would be an Execute.
    let answer = world
        .call("PATCH", "devices/dev-1/data/1/0/1", r#"{"value":1}"#)
        .await;
    answer.refused(400, "PUT");
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn a_format_that_cannot_carry_it_is_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let body = r#"{"records":[{"path":"/1/0/1","value":1},{"path":"/1/0/6","value":true}]}"#;
    for (format, words) in [
        ("text", "cannot be written"),
        ("opaque", "cannot be written"),
        ("cbor", "cannot be written"),
        ("40", "cannot be written"),
        ("999", "none of LwM2M"),
        ("lwm2m-cbor", "LwM2M 1.1"),
    ] {
        let uri = format!("devices/dev-1/data/1/0?format={format}");
        let answer = world.call("PUT", &uri, body).await;
        answer.refused(400, words);
    }
    assert_eq!(device.asked(), []);
}
