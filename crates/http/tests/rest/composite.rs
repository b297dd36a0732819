//! Several paths at once: Read-, Write- and Observe-Composite.

use dunlin_coap::Code;
use serde_json::{Value, json};

use crate::device::{Ask, Device, LINKS, Say, changed, content, observed};
use crate::world::World;

const URI: &str = "devices/dev-1";

fn script(ask: &Ask) -> Say {
    match (ask.code, ask.observe) {
        (Code::FETCH, Some(0)) => observed(1, 110, br#"[{"n":"/3/0/9","v":80}]"#),
        (Code::FETCH, _) => content(110, br#"[{"n":"/3/0/9","v":80},{"n":"/3/0/0","vs":"x"}]"#),
        _ => changed(),
    }
}

fn register(world: &World, version: &str) -> Device {
    let mut device = Device::new(world, script);
    let links = format!("</>;ct=110,{LINKS}");
    let version = format!("lwm2m={version}");
    device.register_as(&["ep=dev-1", "lt=300", &version], &links);
    device
}

#[tokio::test]
async fn several_paths_are_read_at_once() {
    let world = World::new();
    let device = register(&world, "1.1");
    let uri = format!("{URI}/composite/read");
    let body = r#"{"paths":["/3/0/9","3/0/0","/"]}"#;
    let answer = world.call("POST", &uri, body).await.json(200);
    assert_eq!(
        (&answer["code"], &answer["format"]),
        (&json!("2.05"), &json!(110))
    );
    assert_eq!(answer["records"][0]["value"], 80);
    assert_eq!(answer["records"][1]["path"], "/3/0/0");
    let ask = device.only();
    assert_eq!(
        ask.line(),
        r#"FETCH  [{"n":"/3/0/9"},{"n":"/3/0/0"},{"n":"/"}]"#
    );
    for (body, words) in [
        (r#"{"paths":[]}"#, "at least one path"),
        (r#"{"paths":["x"]}"#, "is not a path"),
        (r#"{"path":"/3"}"#, "does not fit"),
    ] {
        world.call("POST", &uri, body).await.refused(400, words);
    }
    let format = format!("{uri}?format=tlv");
    world
        .call("POST", &format, body)
        .await
        .refused(400, "cannot be in 11542 (tlv)");
}

#[tokio::test]
async fn resources_anywhere_are_written_at_once() {
    let world = World::new();
    let device = register(&world, "1.1");
    let uri = format!("{URI}/composite/write");
    let body =
        r#"{"records":[{"path":"/3303/0/5750","value":"roof"},{"path":"/1/0/1","value":60}]}"#;
    let answer = world.call("POST", &uri, body).await.json(200);
    assert_eq!(answer, json!({"code": "2.04"}));
    let ask = device.only();
    assert_eq!(
        ask.line(),
        r#"iPATCH  [{"bn":"/","n":"1/0/1","v":60},{"n":"3303/0/5750","vs":"roof"}]"#
    );
    for (body, words) in [
        (r#"{"records":[]}"#, "at least one"),
        (
            r#"{"records":[{"path":"/3/0/7/1","value":null}]}"#,
            "LwM2M 1.1",
        ),
        (
            r#"{"records":[{"path":"/1/0/1","value":"soon"}]}"#,
            "not an integer",
        ),
        (
            r#"{"records":[{"path":"/1/0/1","value":1},{"path":"/1/0/1","value":2}]}"#,
            "twice",
        ),
    ] {
        world.call("POST", &uri, body).await.refused(400, words);
    }
    let nobody = "devices/nobody/composite/write";
    world
        .call("POST", nobody, body)
        .await
        .refused(404, "nobody");
}

#[tokio::test]
async fn several_paths_are_observed_together() {
    let world = World::new();
    let device = register(&world, "1.1");
    let uri = format!("{URI}/observations");
    let body = r#"{"paths":["/3/0/9","/3/0/0"],"attributes":{}}"#;
    let made = world.call("POST", &uri, body).await.json(201);
    assert_eq!(
        (&made["path"], &made["paths"]),
        (&json!("/"), &json!(["/3/0/9", "/3/0/0"]))
    );
    device.asked_at_least(1).await;
    let one = world
        .call("POST", &uri, r#"{"path":"/3/0/9"}"#)
        .await
        .json(201);
    assert_eq!(one.get("paths"), None::<&Value>);
    for (body, words) in [
        ("{}", "Give either"),
        (r#"{"path":"/3","paths":["/1"]}"#, "Give either"),
        (r#"{"paths":[]}"#, "Give either"),
        (
            r#"{"path":"/3","parameters":{"pmin":1}}"#,
            "no parameters of Observe",
        ),
        (
            r#"{"path":"/3","attributes":{"con":1}}"#,
            "no attribute con",
        ),
    ] {
        world.call("POST", &uri, body).await.refused(400, words);
    }
}

#[tokio::test]
async fn attributes_may_stand_in_the_observe_since_1_2() {
    let world = World::new();
    let device = register(&world, "1.2");
    let uri = format!("{URI}/observations");
    let body = r#"{"path":"/3/0/9","parameters":{"pmin":1,"hqmax":3}}"#;
    let made = world.call("POST", &uri, body).await.json(201);
    assert_eq!(made["parameters"], json!({"pmin": 1.0, "hqmax": 3.0}));
    let asked = device.asked_at_least(1).await;
    assert_eq!(asked[0].queries, ["pmin=1", "hqmax=3"]);
}
