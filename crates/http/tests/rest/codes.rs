//! What a device answers, or does not, as HTTP.

use core::time::Duration;
use std::time::Instant;

use dunlin_coap::Code;

use crate::device::{Ask, Device, Say, changed, code, content};
use crate::world::World;

#[tokio::test]
async fn every_code_of_a_device_has_its_status() {
    let world = World::new();
    let codes = [
        (Code::BAD_REQUEST, 400, "4.00"),
        (Code::UNAUTHORIZED, 403, "4.01"),
        (Code::BAD_OPTION, 502, "4.02"),
        (Code::FORBIDDEN, 403, "4.03"),
        (Code::NOT_FOUND, 404, "4.04"),
        (Code::METHOD_NOT_ALLOWED, 405, "4.05"),
        (Code::NOT_ACCEPTABLE, 406, "4.06"),
        (Code::REQUEST_ENTITY_INCOMPLETE, 502, "4.08"),
        (Code::CONFLICT, 409, "4.09"),
        (Code::PRECONDITION_FAILED, 412, "4.12"),
        (Code::REQUEST_ENTITY_TOO_LARGE, 413, "4.13"),
        (Code::UNSUPPORTED_CONTENT_FORMAT, 415, "4.15"),
        (Code::UNPROCESSABLE_ENTITY, 502, "4.22"),
        (Code::INTERNAL_SERVER_ERROR, 502, "5.00"),
        (Code::NOT_IMPLEMENTED, 501, "5.01"),
        (Code::BAD_GATEWAY, 502, "5.02"),
        (Code::SERVICE_UNAVAILABLE, 503, "5.03"),
        (Code::GATEWAY_TIMEOUT, 504, "5.04"),
        // Codes nobody has given a meaning.
        (Code::new(4, 30), 502, "4.30"),
        (Code::new(5, 31), 502, "5.31"),
    ];
    // The resource id chooses the code.
    let script = move |ask: &Ask| {
        let id: usize = ask.path.rsplit('/').next().unwrap().parse().unwrap();
        code(codes[id].0, "the reason")
    };
    let _device = Device::register(&world, "dev-1", script);
    for (id, (_, status, shown)) in codes.into_iter().enumerate() {
        let answer = world
            .call("POST", &format!("devices/dev-1/data/9/0/{id}"), "")
            .await;
        let problem = answer.refused(status, "the reason");
        assert_eq!(problem["coapCode"], shown);
        assert_eq!(problem["title"], "The device refused");
    }
}

#[tokio::test]
async fn the_same_code_for_every_operation() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| code(Code::METHOD_NOT_ALLOWED, ""));
    for (method, tail, body) in [
        ("GET", "data/3/0", ""),
        ("PUT", "data/1/0/1", r#"{"value":1}"#),
        (
            "PATCH",
            "data/1/0",
            r#"{"records":[{"path":"/1/0/1","value":1}]}"#,
        ),
        ("POST", "data/3/0/4", ""),
        (
            "POST",
            "data/3303",
            r#"{"instance":1,"records":[{"path":"/3303/1/5700","value":1}]}"#,
        ),
        ("DELETE", "data/3303/0", ""),
        ("GET", "discover/3", ""),
        ("PUT", "attributes/3", r#"{"pmin":1}"#),
    ] {
        let answer = world
            .call(method, &format!("devices/dev-1/{tail}"), body)
            .await;
        assert_eq!(answer.problem(405)["coapCode"], "4.05", "{method} {tail}");
    }
}

#[tokio::test]
async fn a_diagnostic_with_any_characters_stays_json() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| {
        code(Code::BAD_REQUEST, "\"},\n{\"\u{1}ä</script>")
    });
    let answer = world.get("devices/dev-1/data/3/0").await;
    answer.problem(400);
    let problem = answer.problem(400);
    assert!(
        problem["detail"].as_str().unwrap().contains("ä</script>"),
        "{problem}"
    );
}

#[tokio::test]
async fn silence_is_504_when_the_caller_says_so() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| Say::Nothing);
    let start = Instant::now();
    let answer = world.get("devices/dev-1/data/3/0?timeout=0.2").await;
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(200)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    let problem = answer.refused(504, "No answer");
    assert_eq!(problem.get("coapCode"), None);
    assert_eq!(device.asked()[0].line(), "GET /3/0");
}

#[tokio::test]
async fn a_reset_is_502() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| Say::Reset);
    let problem = world.get("devices/dev-1/data/3/0").await.problem(502);
    assert_eq!(problem["title"], "Reset by the device");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_502() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |ask| match ask.path.as_str() {
        "/3/0/9" => content(0, b"full"),
        "/3/0/0" => content(110, b"[{"),
        "/3/0/1" => content(999, b"x"),
        "/3/0/2" => content(110, br#"[{"n":"/1/0/1","v":1}]"#),
        _ => changed(),
    });
    for (path, words) in [
        ("3/0/9", "type Integer"),
        ("3/0/0", "senml-json"),
        ("3/0/1", "999"),
        ("3/0/2", "outside the path"),
    ] {
        let answer = world.get(&format!("devices/dev-1/data/{path}")).await;
        let problem = answer.refused(502, words);
        assert_eq!(problem["title"], "Unreadable answer", "{problem}");
    }
}
