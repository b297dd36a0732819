//! Health, metrics, definitions, the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::device::{Device, changed};
use crate::world::World;

#[tokio::test]
async fn health_is_told() {
    let world = World::new();
    let _device = Device::register(&world, "dev-1", |_| changed());
    let mut health = world.get("health").await.json(200);
    assert!(health["uptimeSeconds"].take().as_f64().unwrap() > 0.0);
    assert_eq!(
        health,
        json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "coap": world.coap().to_string(),
            "coaps": null,
            "devices": 1,
            "uptimeSeconds": null,
        })
    );
}

/// The text format of Prometheus 0.0.4: names, labels, one TYPE line before the samples of a
/// family, all samples of a family in one piece, no sample twice.
fn parse_exposition(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut family = "";
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(families.insert(name), "{name} has two TYPE lines");
            family = name;
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert_eq!(name, family, "{line} is not below its TYPE");
        assert!(name.starts_with("dunlin_"), "{line}");
        assert!(
            name.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
            "{line}"
        );
        if let Some(labels) = sample
            .strip_prefix(name)
            .filter(|labels| !labels.is_empty())
        {
            let labels = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
            for label in labels.split(',') {
                let (name, value) = label.split_once('=').unwrap();
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
                let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(!value.contains(['"', '\\', '\n']), "{line}");
            }
        }
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        assert_eq!(
            samples.insert(sample.to_owned(), value),
            None,
            "{sample} is there twice"
        );
    }
    samples
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| changed());
    device.update(&["lt=600"]);
    world
        .call("POST", "devices/dev-1/data/3/0/4", "")
        .await
        .json(200);
    for uri in ["/metrics", "/api/v1/metrics"] {
        let answer = world.get(uri).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let samples = parse_exposition(answer.text());
        for (name, value) in [
            ("dunlin_devices", 1.0),
            ("dunlin_registrations_total", 1.0),
            ("dunlin_updates_total", 1.0),
            ("dunlin_operations_total", 1.0),
            ("dunlin_operations_ended_total{outcome=\"success\"}", 1.0),
            ("dunlin_datagrams_dropped_total{reason=\"malformed\"}", 0.0),
            ("dunlin_events_total", 2.0),
        ] {
            assert_eq!(samples.get(name), Some(&value), "{name} of {samples:?}");
        }
        assert!(samples["dunlin_uptime_seconds"] > 0.0);
    }
}

#[tokio::test]
async fn definitions_are_listed_and_shown() {
    let world = World::new();
    let list = world.get("models").await.json(200);
    let items = list["items"].as_array().unwrap();
    assert!(items.len() >= 8, "{list}");
    let known = |id: u64| {
        items
            .iter()
            .filter(|item| item["id"] == id)
            .collect::<Vec<_>>()
    };
    for id in 0..8 {
        assert!(!known(id).is_empty(), "{id} is missing");
    }
    let device = known(3)[0];
    assert_eq!(
        (&device["name"], &device["mandatory"]),
        (&json!("Device"), &json!(true))
    );
    assert_eq!(device.get("resources"), None);

    let shown = world.get("models/3303").await.json(200);
    assert_eq!(
        (&shown["id"], &shown["name"]),
        (&json!(3303), &json!("Temperature"))
    );
    assert!(!shown["description"].as_str().unwrap().is_empty());
    let resources = shown["resources"].as_array().unwrap();
    let find = |id: u64| {
        resources
            .iter()
            .find(|resource| resource["id"] == id)
            .unwrap()
    };
    let value = find(5700);
    for (name, expected) in [
        ("operations", json!("R")),
        ("multiple", json!(false)),
        ("mandatory", json!(true)),
        ("type", json!("Float")),
    ] {
        assert_eq!(value[name], expected, "{value}");
    }
    let reset = find(5605);
    assert_eq!(
        (&reset["operations"], &reset["type"]),
        (&json!("E"), &json!(""))
    );
    let ids: Vec<u64> = resources
        .iter()
        .map(|resource| resource["id"].as_u64().unwrap())
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn a_definition_is_chosen_by_version() {
    let world = World::new();
    let newest = world.get("models/3").await.json(200);
    let list = world.get("models").await.json(200);
    let versions: Vec<&Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["id"] == 3)
        .map(|item| &item["version"])
        .collect();
    assert!(versions.contains(&&newest["version"]), "{versions:?}");
    for version in &versions {
        let version = version.as_str().unwrap();
        let shown = world
            .get(&format!("models/3?version={version}"))
            .await
            .json(200);
        assert_eq!(shown["version"], version);
    }
    // A minor version nobody has: the newest of the major will do.
    let shown = world.get("models/3?version=1.99").await.json(200);
    assert_eq!(shown["version"], newest["version"]);
    world
        .get("models/3?version=9.0")
        .await
        .refused(404, "Unknown object");
    for id in ["30000", "65536", "x", "-1", "3.0"] {
        world
            .get(&format!("models/{id}"))
            .await
            .refused(404, "Unknown object");
    }
    for query in ["version=x", "version=1", "version=", "v=1.0"] {
        world.get(&format!("models/3?{query}")).await.problem(400);
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let world = World::new();
    let document = world.get("openapi.json").await.json(200);
    let generated: Value = serde_json::from_str(&dunlin_http::openapi()).unwrap();
    assert_eq!(document, generated);
}
