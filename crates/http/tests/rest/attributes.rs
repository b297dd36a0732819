//! Write-Attributes.

use serde_json::json;

use crate::device::{Device, changed};
use crate::world::World;

#[tokio::test]
async fn numbers_set_and_null_unsets() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (body, queries) in [
        (json!({"pmin": 10}), vec!["pmin=10"]),
        (
            json!({"pmin": 10, "pmax": 60, "gt": null}),
            vec!["gt", "pmax=60", "pmin=10"],
        ),
        (
            json!({"gt": 21.5, "lt": -3, "st": 0.5}),
            vec!["gt=21.5", "lt=-3", "st=0.5"],
        ),
        (json!({"pmax": null}), vec!["pmax"]),
    ] {
        let uri = "devices/dev-1/attributes/3303/0/5700";
        let answer = world.call("PUT", uri, body.to_string()).await;
        assert_eq!(answer.json(200), json!({"code": "2.04"}));
        let ask = device.last();
        assert_eq!(ask.line(), "PUT /3303/0/5700");
        let mut sent = ask.queries.clone();
        sent.sort();
        assert_eq!(sent, queries);
        assert_eq!(ask.format, None);
    }
}

#[tokio::test]
async fn what_is_no_attribute_or_value_is_refused() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    for (path, body, words) in [
        (
            "3303/0/5700",
            json!({"pmean": 1}),
            "\\\"pmean\\\" is not an attribute",
        ),
        ("3303/0/5700", json!({"PMIN": 1}), "is not an attribute"),
        ("3303/0/5700", json!({"dim": 1}), "is not an attribute"),
        ("3303/0/5700", json!({}), "at least one"),
        ("3303/0/5700", json!({"pmin": -1}), "pmin"),
        ("3303/0/5700", json!({"pmin": 1.5}), "pmin"),
        ("3303/0/5700", json!({"pmax": 4294967296_u64}), "pmax"),
        ("3303/0", json!({"gt": 1}), "gt"),
        ("3303/0/5700", json!({"pmin": true}), "line 1 column"),
    ] {
        let uri = format!("devices/dev-1/attributes/{path}");
        world
            .call("PUT", &uri, body.to_string())
            .await
            .refused(400, words);
    }
    assert_eq!(device.asked(), []);
}
