//! Execute.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::device::{Device, changed};
use crate::world::{Answer, World};

async fn execute(world: &World, kind: Option<&str>, body: &'static str) -> Answer {
    let mut request = Request::post("/api/v1/devices/dev-1/data/3/0/4");
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    world.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn arguments_come_as_json_or_as_text() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (kind, body, sent, format) in [
        (None, "", "POST /3/0/4", None),
        (None, "{}", "POST /3/0/4", None),
        (
            Some("application/json"),
            r#"{"arguments":""}"#,
            "POST /3/0/4",
            None,
        ),
        (
            Some("application/json"),
            r#"{"arguments":"0='x',1"}"#,
            "POST /3/0/4 0='x',1",
            Some(0),
        ),
        (None, r#"{"arguments":"5"}"#, "POST /3/0/4 5", Some(0)),
        (Some("text/plain"), "0='x'", "POST /3/0/4 0='x'", Some(0)),
        (
            Some("text/plain; charset=utf-8"),
            "2='{}'",
            "POST /3/0/4 2='{}'",
            Some(0),
        ),
        (Some("text/plain"), "", "POST /3/0/4", None),
    ] {
        let answer = execute(&world, kind, body).await;
        assert_eq!(answer.json(200), json!({"code": "2.04"}), "{body}");
        let ask = device.last();
        assert_eq!(ask.line(), sent);
        if !ask.payload.is_empty() {
            assert_eq!(ask.format, format, "{body}");
        }
    }
}

#[tokio::test]
async fn an_execute_may_be_non_confirmable_and_nothing_else() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let target = "devices/dev-1/data/3/0/4";
    for (query, confirmable) in [
        ("", true),
        ("?confirmable=true", true),
        ("?confirmable=false", false),
    ] {
        let answer = world.call("POST", &format!("{target}{query}"), "").await;
        assert_eq!(answer.json(200), json!({"code": "2.04"}));
        assert_eq!(device.last().confirmable, confirmable, "{query}");
    }
    let answer = world
        .call("DELETE", "devices/dev-1/data/3303/0?confirmable=false", "")
        .await;
    answer.refused(400, "only an Execute");
}

#[tokio::test]
async fn arguments_that_are_none_are_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for arguments in ["x", "0=", "0='", "10", "0='a' ", "0='ä'"] {
        let body = json!({ "arguments": arguments }).to_string();
        let answer = world.call("POST", "devices/dev-1/data/3/0/4", body).await;
        answer.problem(400);
    }
    for body in [r#"{"records":[]}"#, r#"{"instance":1}"#] {
        let answer = world.call("POST", "devices/dev-1/data/3/0/4", body).await;
        answer.refused(400, "executes");
    }
    assert_eq!(device.asked(), []);
}
