//! What devices reported of their own accord.

use dunlin_coap::Code;
use serde_json::json;

use crate::device::{Device, changed};
use crate::sse::Events;
use crate::world::World;

const URI: &str = "devices/dev-1/sends";

#[tokio::test]
async fn sends_are_told_and_listed_newest_first() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    let mut events = Events::open(&world, "?types=send", None).await;
    let pack = r#"[{"n":"/3303/0/5700","v":20.5,"t":1795000000},{"n":"/3303/0/5700","v":21}]"#;
    assert_eq!(device.send(pack), Code::CHANGED);
    assert_eq!(device.send(r#"[{"n":"/3/0/0","vs":"x"}]"#), Code::CHANGED);
    assert_eq!(device.send(r#"[{"n":"/7/0/0","v":1}]"#), Code::NOT_FOUND);
    let event = events.expect("send").await;
    assert_eq!(event.data["endpoint"], "dev-1");
    assert_eq!(event.data["records"][0]["time"], 1_795_000_000.0);
    events.expect("send").await;

    let list = world.get(URI).await.json(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &list["next"]), (2, &json!(null)));
    assert_eq!(items[0]["records"][0]["value"], "x");
    assert_eq!(items[1]["records"], event.data["records"]);
    assert_eq!(items[1]["records"][1]["time"], items[1]["time"]);
    let one = world.get("devices/dev-1/sends?limit=1").await.json(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    device.deregister();
    assert_eq!(world.get(URI).await.json(200), list);

    let quiet = Device::register(&world, "dev-2", |_| changed());
    let none = world.get("devices/dev-2/sends").await.json(200);
    assert_eq!(none, json!({"items": [], "next": null}));
    drop(quiet);
    let nobody = world.get("devices/nobody/sends").await;
    nobody.refused(404, "nobody");
    for limit in ["0", "1001", "x"] {
        let answer = world.get(&format!("{URI}?limit={limit}")).await;
        answer.refused(400, "Bad query");
    }
}
