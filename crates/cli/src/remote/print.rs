//! Answers for people.

use serde_json::Value;

/// A string without its quotes, other values as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Prints rows in columns as wide as their widest cell.
fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{}", line.join("  ").trim_end());
    }
}

pub(crate) fn devices(answer: &Value) {
    let mut rows = vec![
        [
            "ENDPOINT", "VERSION", "BINDING", "LIFETIME", "ADDRESS", "OBJECTS",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for device in items(answer, "items") {
        let objects: Vec<String> = items(device, "objects")
            .map(|object| plain(&object["id"]))
            .collect();
        rows.push(vec![
            plain(&device["endpoint"]),
            plain(&device["version"]),
            plain(&device["binding"]),
            format!("{} s", device["lifetime"]),
            plain(&device["address"]),
            objects.join(" "),
        ]);
    }
    table(&rows);
    println!("{} of {} devices", rows.len() - 1, answer["total"]);
}

pub(crate) fn device(answer: &Value) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in [
        "endpoint",
        "version",
        "lifetime",
        "binding",
        "queueMode",
        "address",
        "registrationId",
        "rootPath",
    ] {
        rows.push(vec![name.to_owned(), plain(&answer[name])]);
    }
    for object in items(answer, "objects") {
        let instances: Vec<String> = items(object, "instances")
            .map(|id| format!("/{}/{id}", object["id"]))
            .collect();
        rows.push(vec![
            format!("object {}", object["id"]),
            format!(
                "version {}  {}",
                plain(&object["version"]),
                instances.join(" ")
            ),
        ]);
    }
    for fault in items(answer, "faults") {
        rows.push(vec!["tolerated".to_owned(), plain(fault)]);
    }
    table(&rows);
}

pub(crate) fn records(answer: &Value) {
    let rows: Vec<Vec<String>> = items(answer, "records")
        .map(|record| {
            let time = record
                .get("time")
                .map(|time| format!("at {time}"))
                .unwrap_or_default();
            vec![plain(&record["path"]), plain(&record["value"]), time]
        })
        .collect();
    if rows.is_empty() {
        println!("(nothing there)");
    }
    table(&rows);
}

pub(crate) fn links(answer: &Value) {
    let rows: Vec<Vec<String>> = items(answer, "links")
        .map(|link| {
            let attributes: Vec<String> = link["attributes"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={}", plain(value)))
                .collect();
            vec![plain(&link["path"]), attributes.join(" ")]
        })
        .collect();
    table(&rows);
}

pub(crate) fn code(answer: &Value) {
    match answer["location"].as_str() {
        Some(location) => println!("{} {location}", plain(&answer["code"])),
        None => println!("{}", plain(&answer["code"])),
    }
}
