//! Requests that are wrong: always a problem document with words that help.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::device::{Device, changed};
use crate::world::World;

const BODY: &str = r#"{"value":1}"#;

#[tokio::test]
async fn an_unknown_endpoint_is_404_everywhere() {
    let world = World::new();
    for (method, uri, body) in [
        ("GET", "devices/nobody", ""),
        ("DELETE", "devices/nobody", ""),
        ("GET", "devices/nobody/data/3/0", ""),
        ("PUT", "devices/nobody/data/1/0/1", BODY),
        ("PATCH", "devices/nobody/data/1/0", r#"{"records":[]}"#),
        ("POST", "devices/nobody/data/3/0/4", ""),
        ("POST", "devices/nobody/data/3303", "{}"),
        ("DELETE", "devices/nobody/data/3303/0", ""),
        ("GET", "devices/nobody/discover/3", ""),
        ("PUT", "devices/nobody/attributes/3", r#"{"pmin":1}"#),
        ("GET", "devices/nobody/observations", ""),
    ] {
        let problem = world.call(method, uri, body).await.problem(404);
        assert_eq!(problem["title"], "Unknown endpoint", "{method} {uri}");
        assert!(
            problem["detail"].as_str().unwrap().contains("\"nobody\""),
            "{problem}"
        );
        assert_eq!(problem.get("coapCode"), None);
    }
}

#[tokio::test]
async fn a_bad_path_is_400_and_nothing_is_sent() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (method, tail, body) in [
        ("GET", "data/x", ""),
        ("GET", "data/3/0/9/0/1", ""),
        ("GET", "data/65536", ""),
        ("GET", "data/65535/0", ""),
        ("GET", "data/03", ""),
        ("GET", "data/-1", ""),
        ("GET", "data/3//0", ""),
        ("GET", "data//", ""),
        ("GET", "data/3%2F0%2Fx", ""),
        ("GET", "data/%C3%A4", ""),
        ("PUT", "data/3", BODY),
        ("PUT", "data/x/0/1", BODY),
        ("PATCH", "data/3/0/11/0", BODY),
        ("POST", "data/3/0", ""),
        ("POST", "data/3/0/11/0", ""),
        ("DELETE", "data/3", ""),
        ("DELETE", "data/3/0/1", ""),
        ("GET", "discover/3/0/11/0", ""),
        ("GET", "discover/a", ""),
        ("PUT", "attributes/-", r#"{"pmin":1}"#),
    ] {
        let answer = world
            .call(method, &format!("devices/dev-1/{tail}"), body)
            .await;
        let problem = answer.problem(400);
        let title = problem["title"].as_str().unwrap();
        assert!(
            ["Bad path", "Invalid operation"].contains(&title),
            "{method} {tail}: {problem}"
        );
    }
    for path in ["", "/", "x", "/65535", "/3/0/1/2/3"] {
        let wish = json!({ "path": path }).to_string();
        world
            .call("POST", "devices/dev-1/observations", wish)
            .await
            .problem(400);
    }
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn a_bad_body_is_400_with_line_and_column() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (method, tail, body, words) in [
        ("PUT", "data/1/0/1", "", "line 1 column 0"),
        (
            "PUT",
            "data/1/0/1",
            "{\"value\":\n  tru}",
            "line 2 column 6",
        ),
        ("PUT", "data/1/0/1", "{\"value\":1", "line 1 column 10"),
        (
            "PUT",
            "data/1/0/1",
            "{\"value\":1}x",
            "trailing characters at line 1 column 12",
        ),
        (
            "PUT",
            "data/1/0/1",
            "{\"vaule\":1}",
            "unknown field `vaule`",
        ),
        (
            "PUT",
            "data/1/0/1",
            "{\"value\":1,\"value\":2}",
            "duplicate field `value`",
        ),
        ("PUT", "data/1/0/1", "[1]", "line 1 column"),
        (
            "PUT",
            "data/1/0/1",
            "\u{feff}{\"value\":1}",
            "line 1 column 1",
        ),
        (
            "PATCH",
            "data/1/0",
            "{\"records\":[{\"path\":\"/1/0/1\"}]}",
            "missing field `value`",
        ),
        ("PATCH", "data/1/0", "{\"records\":{}}", "line 1 column"),
        (
            "POST",
            "data/3/0/4",
            "{\"arguments\":5}",
            "line 1 column 14",
        ),
        (
            "POST",
            "data/3303",
            "{\"instance\":65536}",
            "line 1 column 17",
        ),
        (
            "PUT",
            "attributes/3303/0/5700",
            "{\"pmin\":\"a\"}",
            "line 1 column 11",
        ),
        (
            "PUT",
            "attributes/3303/0/5700",
            "{\"pmin\":1e999}",
            "line 1 column",
        ),
        (
            "POST",
            "observations",
            "{\"attributes\":{}}",
            "Give either {\\\"path\\\"",
        ),
    ] {
        let answer = world
            .call(method, &format!("devices/dev-1/{tail}"), body)
            .await;
        let problem = answer.refused(400, words);
        assert_eq!(problem["title"], "Bad body", "{body}");
    }
    let not_utf8 = vec![b'{', b'"', 0xFF, b'"', b'}'];
    let answer = world
        .call("PUT", "devices/dev-1/data/1/0/1", not_utf8)
        .await;
    answer.refused(400, "Bad body");
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn deep_json_is_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for open in ["[", "{\"a\":"] {
        let bomb = format!("{{\"value\":{}", open.repeat(100_000));
        let answer = world.call("PUT", "devices/dev-1/data/1/0/1", bomb).await;
        answer.refused(400, "recursion limit exceeded");
    }
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn a_body_beyond_a_mebibyte_is_413() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let body = |length: usize| {
        let frame = r#"{"value":""}"#.len();
        format!(r#"{{"value":"{}"}}"#, "x".repeat(length - frame))
    };
    for (method, tail) in [
        ("PUT", "data/1/0/1"),
        ("PATCH", "data/1/0"),
        ("POST", "data/3/0/4"),
        ("PUT", "attributes/3"),
        ("POST", "observations"),
    ] {
        let uri = format!("devices/dev-1/{tail}");
        world
            .call(method, &uri, body((1 << 20) + 1))
            .await
            .problem(413);
    }
    // As much as that is read, and refused for what it says.
    let answer = world
        .call("PUT", "devices/dev-1/data/1/0/1", body(1 << 20))
        .await;
    let problem = answer.refused(400, "Bad value");
    // What was wrong need not be told in a mebibyte.
    assert!(problem["detail"].as_str().unwrap().len() < 420, "too long");
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for query in [
        "timeout=0",
        "timeout=-1",
        "timeout=NaN",
        "timeout=inf",
        "timeout=3601",
        "timeout=x",
        "format=",
        "format=xml",
        "format=65536",
        "format=-1",
        "depth=1",
        "formt=tlv",
    ] {
        let answer = world.get(&format!("devices/dev-1/data/3/0?{query}")).await;
        answer.problem(400);
    }
    for query in [
        "depth=4",
        "depth=-1",
        "depth=x",
        "format=tlv",
        "timeout=0.01",
    ] {
        let answer = world
            .get(&format!("devices/dev-1/discover/3/0?{query}"))
            .await;
        answer.refused(400, "Bad query");
    }
    assert_eq!(device.asked(), []);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_405_and_names_those_that_are() {
    let world = World::new();
    for (method, uri, allowed) in [
        ("POST", "/api/v1/devices", "GET,HEAD"),
        ("PATCH", "/api/v1/devices/dev-1", "DELETE"),
        ("PUT", "/api/v1/devices/dev-1/observations", "POST"),
        ("POST", "/api/v1/health", "GET,HEAD"),
        ("DELETE", "/metrics", "GET,HEAD"),
        ("POST", "/", "GET,HEAD"),
        ("PUT", "/index.html", "GET,HEAD"),
    ] {
        let answer = world.call(method, uri, "").await;
        answer.problem(405);
        let allow = answer.header("allow");
        assert!(allow.contains(allowed), "{method} {uri}: {allow:?}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_too() {
    let world = World::new();
    for uri in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/devices",
        "/api/v1/nothing",
        "/nothing",
        "/api/v1/devices/",
        "/api/v1/devices/a/data",
        "/api/v1/devices/a/data/",
        "/api/v1/devices/a/nothing/3",
        "/metrics/",
        "/index.htm",
    ] {
        world.get(uri).await.problem(404);
    }
    // Not UTF-8 once decoded: no endpoint can have such a name.
    world.get("devices/%FF").await.problem(400);
}

#[tokio::test]
async fn pages_of_other_origins_may_not_do_anything() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let request = |origin: &str| {
        Request::post("/api/v1/devices/dev-1/data/3/0/4")
            .header("host", "127.0.0.1:8080")
            .header("content-type", "text/plain")
            .header("origin", origin)
            .body(Body::empty())
            .unwrap()
    };
    world
        .send(request("http://elsewhere.example"))
        .await
        .problem(403);
    assert_eq!(device.asked(), []);
    world.send(request("http://127.0.0.1:8080")).await.json(200);
    assert_eq!(device.only().line(), "POST /3/0/4");
}
