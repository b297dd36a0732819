//! Lists of devices, single devices, and forgetting them.

use serde_json::{Value, json};

use crate::device::{Device, LINKS, changed};
use crate::sse::Events;
use crate::world::World;

fn endpoints(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["endpoint"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_server_without_devices_has_an_empty_list() {
    let world = World::new();
    let list = world.get("devices").await.json(200);
    assert_eq!(list, json!({"items": [], "next": null, "total": 0}));
}

#[tokio::test]
async fn lists_are_sorted_and_paged_to_their_end() {
    let world = World::new();
    let names: Vec<String> = (0..7).map(|index| format!("dev-{index}")).collect();
    let order = [3, 0, 6, 1, 5, 2, 4];
    let devices = order.map(|index| Device::register(&world, &names[index], |_| changed()));
    let mut seen = Vec::new();
    let mut uri = "devices?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = world.get(&uri).await.json(200);
        assert_eq!(page["total"], 7);
        pages += 1;
        seen.extend(endpoints(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            assert_eq!(page["next"], Value::Null);
            break;
        };
        assert_eq!(endpoints(&page).len(), 3);
        uri = format!("devices?limit=3&cursor={next}");
    }
    assert_eq!((seen, pages), (names, 3));
    // Exactly full is no reason for another page, and behind the end there is nothing.
    assert_eq!(
        world.get("devices?limit=7").await.json(200)["next"],
        Value::Null
    );
    let behind = world.get("devices?cursor=dev-6").await.json(200);
    assert_eq!(behind, json!({"items": [], "next": null, "total": 7}));
    drop(devices);
}

#[tokio::test]
async fn search_finds_parts_of_names_in_any_case() {
    let world = World::new();
    let names = ["Pump-North", "pump-south", "valve", "ÄRMEL"];
    let devices = names.map(|name| Device::register(&world, name, |_| changed()));
    let found = world.get("devices?q=PUMP").await.json(200);
    assert_eq!(endpoints(&found), ["Pump-North", "pump-south"]);
    assert_eq!((&found["total"], &found["next"]), (&json!(2), &json!(null)));
    let first = world.get("devices?q=pump&limit=1").await.json(200);
    assert_eq!(
        (endpoints(&first), &first["total"]),
        (vec!["Pump-North"], &json!(2))
    );
    let cursor = first["next"].as_str().unwrap();
    let uri = format!("devices?q=pump&limit=1&cursor={cursor}");
    let second = world.get(&uri).await.json(200);
    assert_eq!(
        (endpoints(&second), &second["next"]),
        (vec!["pump-south"], &json!(null))
    );
    let found = world.get("devices?q=%C3%A4rm").await.json(200);
    assert_eq!(endpoints(&found), ["ÄRMEL"]);
    let none = world.get("devices?q=*").await.json(200);
    assert_eq!((endpoints(&none).len(), &none["total"]), (0, &json!(0)));
    drop(devices);
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let world = World::new();
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "page=2",
        "limit=1&limit=2",
    ] {
        let problem = world.get(&format!("devices?{query}")).await.problem(400);
        assert_eq!(problem["title"], "Bad query", "{query}");
    }
}

#[tokio::test]
async fn a_device_shows_its_registration() {
    let world = World::new();
    let mut device = Device::new(&world, |_| changed());
    device.register_as(
        &[
            "ep=dev-1",
            "lt=600",
            "lwm2m=1.1",
            "b=U",
            "Q",
            "sms=+49151",
            "colour=red",
            "tag",
        ],
        "</lw>;rt=\"oma.lwm2m\";ct=\"110 112\",</lw/3303>;ver=1.1,</lw/3303/2>,</lw/3303/0>,\
         </lw/3/0>,</lw/9>",
    );
    let mut shown = world.get("devices/dev-1").await.json(200);
    let mut time = |name: &str| shown[name].take().as_f64().unwrap();
    let (registered, updated) = (time("registeredAt"), time("updatedAt"));
    let expires = time("expiresAt");
    let awake_until = time("awakeUntil");
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    assert!((now - registered).abs() < 20.0, "{registered} is not {now}");
    // Registered is told in whole seconds.
    assert!(
        (0.0..1.5).contains(&(updated - registered)),
        "{registered} {updated}"
    );
    // A lifetime ends a little later than promised, not earlier.
    assert!(
        (600.0..603.0).contains(&(expires - updated)),
        "{expires} {updated}"
    );
    assert!(
        (92.0..94.0).contains(&(awake_until - updated)),
        "{awake_until} {updated}"
    );
    assert_eq!(
        shown,
        json!({
            "endpoint": "dev-1",
            "registrationId": device.registration_id(),
            "version": "1.1",
            "lifetime": 600,
            "binding": "U",
            "queueMode": true,
            "awake": true, "awakeUntil": null, "awakeTime": 93, "queued": 0,
            "sms": "49151",
            "address": device.address().to_string(),
            "security": null,
            "rootPath": "/lw",
            "contentFormats": [110, 112],
            "registeredAt": null, "updatedAt": null, "expiresAt": null,
            "objects": [
                {"id": 3, "version": "1.1", "instances": [0]},
                {"id": 9, "version": "1.0", "instances": []},
                {"id": 3303, "version": "1.1", "instances": [0, 2]},
            ],
            "attributes": {"colour": "red", "tag": ""},
            "faults": [
                "the SMS number starts with + (Core 1.2 §6.2.1)",
                "/1 is not listed (Core 1.2 §6.2.1)",
            ],
        })
    );
    let listed = world.get("devices").await.json(200);
    assert_eq!(listed["items"][0]["endpoint"], "dev-1");
}

#[tokio::test]
async fn an_update_shows() {
    let world = World::new();
    let mut device = Device::new(&world, |_| changed());
    // 1.0 has no Q parameter; the binding says that the device sleeps.
    device.register_as(&["ep=old", "lwm2m=1.0", "b=UQ", "lt=60"], LINKS);
    let before = world.get("devices/old").await.json(200);
    assert_eq!(
        (&before["queueMode"], &before["lifetime"]),
        (&json!(true), &json!(60))
    );
    device.update(&["lt=90", "b=U"]);
    let after = world.get("devices/old").await.json(200);
    assert_eq!(
        (&after["queueMode"], &after["lifetime"]),
        (&json!(false), &json!(90))
    );
    assert!(after["updatedAt"].as_f64() >= before["updatedAt"].as_f64());
    assert_eq!(after["registeredAt"], before["registeredAt"]);
    assert_eq!(after["registrationId"], before["registrationId"]);
}

#[tokio::test]
async fn a_forgotten_device_is_gone() {
    let world = World::new();
    let mut events = Events::open(&world, "", None).await;
    let device = Device::register(&world, "dev-1", |_| changed());
    events.expect("registration").await;
    world.call("DELETE", "devices/dev-1", "").await.empty(204);
    let event = events.expect("deregistration").await;
    assert_eq!(event.data["endpoint"], "dev-1");
    world
        .get("devices/dev-1")
        .await
        .refused(404, "Unknown endpoint");
    world
        .call("DELETE", "devices/dev-1", "")
        .await
        .refused(404, "Unknown endpoint");
    drop(device);
}
