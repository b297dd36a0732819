//! Endpoint names are any text: they stay one name in URLs, JSON and events.

use dunlin_coap::Code;
use serde_json::json;

use crate::device::{Ask, Device, Say, changed, content, observed};
use crate::sse::Events;
use crate::world::{World, encoded};

const NAMES: [&str; 10] = [
    "urn:dev:os:32473-123456",
    "a/b",
    "a/data/3/0",
    "#fragment?query&x=y",
    "quote\"}, {\"endpoint\":\"forged",
    "Ünïcödé-蜂-🐦",
    "per%cent%2F",
    "with space",
    "<script>alert(1)</script>",
    "back\\slash\u{2028}",
];

fn script(ask: &Ask) -> Say {
    match ask.observe {
        Some(0) => observed(1, 0, b"21.5"),
        _ if ask.code.name() == "GET" => content(0, b"21.5"),
        _ => changed(),
    }
}

#[tokio::test]
async fn any_name_is_one_name_everywhere() {
    let world = World::new();
    let mut all = Events::open(&world, "", None).await;
    let mut devices = Vec::new();
    for name in NAMES {
        let uri = format!("devices/{}", encoded(name));
        let query = format!("?endpoint={}", encoded(name));
        let mut own = Events::open(&world, &query, None).await;
        devices.push(Device::register(&world, name, script));
        // The reader of events splits at every line break and takes no field twice.
        let event = all.expect("registration").await;
        assert_eq!(event.data["endpoint"], name);
        assert_eq!(event.data["device"]["endpoint"], name);
        assert_eq!(own.expect("registration").await, event);

        assert_eq!(world.get(&uri).await.json(200)["endpoint"], name);
        let read = world
            .get(&format!("{uri}/data/3303/0/5700"))
            .await
            .json(200);
        assert_eq!(read["records"][0]["value"], 21.5);
        let wish = json!({"path": "/3303/0/5700"}).to_string();
        let made = world
            .call("POST", &format!("{uri}/observations"), wish)
            .await
            .json(201);
        let notified = all.expect("notification").await;
        assert_eq!(notified.data["endpoint"], name);
        assert_eq!(notified.data["observation"], made["id"]);
        let found = world
            .get(&format!("devices?q={}", encoded(name)))
            .await
            .json(200);
        assert_eq!(found["items"][0]["endpoint"], name, "{found}");
    }
    let mut sorted = NAMES.to_vec();
    sorted.sort_unstable();
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("devices?limit=1{cursor}"))
            .await
            .json(200);
        listed.push(page["items"][0]["endpoint"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={}", encoded(next));
    }
    assert_eq!(listed, sorted);
    for name in NAMES {
        let uri = format!("devices/{}", encoded(name));
        world.call("DELETE", &uri, "").await.empty(204);
        assert_eq!(all.expect("deregistration").await.data["endpoint"], name);
        let problem = world.get(&uri).await.problem(404);
        assert_eq!(problem["title"], "Unknown endpoint");
    }
}

/// Nobody needs a name with a line break, and the server takes none with control characters.
#[tokio::test]
async fn control_characters_are_no_name() {
    let world = World::new();
    for name in [
        "line\nevent: registration\ndata: {}\n\n",
        "carriage\rreturn",
        "nul\0",
    ] {
        let device = Device::new(&world, script);
        let endpoint = format!("ep={name}");
        let code = device.try_register(&[&endpoint, "lt=300", "lwm2m=1.1", "b=U"]);
        assert_eq!(code, Code::BAD_REQUEST, "{name:?}");
    }
    assert_eq!(world.get("devices").await.json(200)["total"], 0);
}

/// Names are not the only text of a device in an event.
#[tokio::test]
async fn line_breaks_in_values_stay_in_their_event() {
    const TEXT: &str = "a\n\nevent: expiry\ndata: {}\r\n\rb";
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let _device = Device::register(&world, "dev-1", |_| observed(1, 0, TEXT.as_bytes()));
    events.expect("registration").await;
    let wish = json!({"path": "/3/0/0"}).to_string();
    let made = world.call("POST", "devices/dev-1/observations", wish).await;
    made.json(201);
    let event = events.expect("notification").await;
    assert_eq!(event.data["records"][0]["value"], TEXT);
}
