//! Answers for people.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use serde_json::Value;

use crate::terminal::{json, shown, table};

/// Writes to standard output. When nobody reads on (`| head`), that is the end.
pub(super) fn out(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("writing to standard output"),
    }
}

/// Writes bytes to standard output.
pub(super) fn out_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .context("writing to standard output")
}

/// A string without its quotes, other values as JSON. Whatever would move the cursor or speak to
/// the terminal is shown as an escape: names and values are the device's words.
pub(super) fn word(value: &Value) -> String {
    match value.as_str() {
        Some(text) => shown(text),
        None => json(value, false),
    }
}

/// Unix seconds as in `2026-11-18 11:06:40.5Z`.
pub(super) fn utc(value: &Value) -> String {
    moment(value, 1)
}

/// Unix seconds with so many digits behind the point.
fn moment(value: &Value, digits: u32) -> String {
    let scale = 10_i64.pow(digits);
    let Some(seconds) = value.as_f64().filter(|seconds| seconds.abs() < 2e11) else {
        return word(value);
    };
    let parts = (seconds * scale as f64).floor() as i64;
    let (days, parts) = (
        parts.div_euclid(86_400 * scale),
        parts.rem_euclid(86_400 * scale),
    );
    // Days since 0000-03-01: a year that begins in March ends with its leap day.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, part) = (parts / scale, parts % scale);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{part:0width$}Z")
}

pub(super) fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

pub(super) fn devices(answer: &Value) -> String {
    let mut rows = vec![
        [
            "ENDPOINT", "VERSION", "BINDING", "LIFETIME", "STATE", "QUEUED", "ADDRESS", "OBJECTS",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for device in items(answer, "items") {
        let objects: Vec<String> = items(device, "objects")
            .map(|object| word(&object["id"]))
            .collect();
        rows.push(vec![
            word(&device["endpoint"]),
            word(&device["version"]),
            word(&device["binding"]),
            format!("{} s", device["lifetime"]),
            awake(device).to_owned(),
            device["queued"].to_string(),
            word(&device["address"]),
            objects.join(" "),
        ]);
    }
    let count = format!("{} of {} devices\n", rows.len() - 1, answer["total"]);
    table(&rows) + &count
}

/// Whether a device takes requests.
fn awake(device: &Value) -> &'static str {
    match (device["queueMode"] == true, device["awake"] == true) {
        (false, _) => "on",
        (true, true) => "awake",
        (true, false) => "asleep",
    }
}

pub(super) fn device(answer: &Value) -> String {
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
        rows.push(vec![name.to_owned(), word(&answer[name])]);
    }
    let security = &answer["security"];
    let security = match security.is_object() {
        true => format!(
            "{} {}",
            word(&security["mode"]),
            word(&security["identity"])
        ),
        false => "none".to_owned(),
    };
    rows.push(vec!["security".to_owned(), security]);
    rows.push(vec!["state".to_owned(), awake(answer).to_owned()]);
    if answer["queueMode"] == true {
        rows.push(vec![
            "awake time".to_owned(),
            format!("{} s", answer["awakeTime"]),
        ]);
    }
    rows.push(vec!["queued".to_owned(), answer["queued"].to_string()]);
    for (name, field) in [
        ("registered", "registeredAt"),
        ("updated", "updatedAt"),
        ("expires", "expiresAt"),
    ] {
        let time = match &answer[field] {
            Value::Null => "never".to_owned(),
            time => utc(time),
        };
        rows.push(vec![name.to_owned(), time]);
    }
    for object in items(answer, "objects") {
        let instances: Vec<String> = items(object, "instances")
            .map(|id| format!("/{}/{id}", object["id"]))
            .collect();
        rows.push(vec![
            format!("object {}", object["id"]),
            format!(
                "version {}  {}",
                word(&object["version"]),
                instances.join(" ")
            ),
        ]);
    }
    for fault in items(answer, "faults") {
        rows.push(vec!["tolerated".to_owned(), word(fault)]);
    }
    table(&rows)
}

pub(super) fn records(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = items(answer, "records")
        .map(|record| {
            let time = record
                .get("time")
                .map(|time| format!("at {}", utc(time)))
                .unwrap_or_default();
            vec![word(&record["path"]), word(&record["value"]), time]
        })
        .collect();
    if rows.is_empty() {
        return "(nothing there)\n".to_owned();
    }
    table(&rows)
}

pub(super) fn sends(answer: &Value) -> String {
    let one = |sent: &Value| format!("{}\n{}", utc(&sent["time"]), records(sent));
    let all: Vec<String> = items(answer, "items").map(one).collect();
    if all.is_empty() {
        return "(nothing was sent)\n".to_owned();
    }
    all.join("\n")
}

pub(super) fn links(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = items(answer, "links")
        .map(|link| {
            let attributes: Vec<String> = link["attributes"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={}", word(value)))
                .collect();
            vec![word(&link["path"]), attributes.join(" ")]
        })
        .collect();
    table(&rows)
}

pub(super) fn code(answer: &Value) -> String {
    match answer["location"].as_str() {
        Some(location) => format!("{} {}\n", word(&answer["code"]), shown(location)),
        None => format!("{}\n", word(&answer["code"])),
    }
}

/// Firmware images, one a line.
pub(super) fn images(answer: &Value) -> String {
    let mut rows = vec![
        ["IMAGE", "NAME", "SIZE", "ADDED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for image in items(answer, "items") {
        rows.push(vec![
            word(&image["id"]),
            word(&image["name"]),
            format!("{} B", image["size"]),
            utc(&image["createdAt"]),
        ]);
    }
    table(&rows)
}

pub(super) fn image(image: &Value) -> String {
    let (id, name) = (word(&image["id"]), word(&image["name"]));
    format!("{id}  {name}  {} B\n", image["size"])
}

/// How a firmware update stands.
pub(super) fn update(update: &Value) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, cell: String| rows.push(vec![name.to_owned(), cell]);
    row("state", word(&update["state"]));
    row("", word(&update["stateText"]));
    let (name, id) = (word(&update["imageName"]), word(&update["image"]));
    row("image", format!("{name} ({id})"));
    row(
        "sent",
        format!("{} of {} B", update["sent"], update["size"]),
    );
    for (name, member) in [
        ("method", "method"),
        ("device", "deviceState"),
        ("result", "resultText"),
        ("version before", "versionBefore"),
        ("version after", "versionAfter"),
    ] {
        if !update[member].is_null() {
            row(name, word(&update[member]));
        }
    }
    row("started", utc(&update["startedAt"]));
    if !update["finishedAt"].is_null() {
        row("finished", utc(&update["finishedAt"]));
    }
    table(&rows)
}

pub(super) fn operations(answer: &Value) -> String {
    let mut rows = vec![
        [
            "ID",
            "STATE",
            "OPERATION",
            "PATH",
            "PRIORITY",
            "CREATED",
            "ATTEMPTS",
            "RESULT",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for operation in items(answer, "items") {
        let result = match (&operation["result"], &operation["error"]) {
            (Value::Null, Value::Null) => String::new(),
            (Value::Null, error) => word(&error["title"]),
            (result, _) => word(&result["code"]),
        };
        rows.push(vec![
            word(&operation["id"]),
            word(&operation["state"]),
            word(&operation["operation"]),
            paths(operation),
            operation["priority"].to_string(),
            utc(&operation["createdAt"]),
            operation["attempts"].to_string(),
            result,
        ]);
    }
    if rows.len() == 1 {
        return "(nothing there)\n".to_owned();
    }
    table(&rows)
}

/// The path of an operation, or those of a composite.
fn paths(operation: &Value) -> String {
    let several: Vec<String> = items(operation, "paths").map(word).collect();
    if several.is_empty() {
        return word(&operation["path"]);
    }
    several.join(" ")
}

pub(super) fn operation(answer: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in ["id", "endpoint", "operation"] {
        rows.push(vec![name.to_owned(), word(&answer[name])]);
    }
    rows.push(vec!["path".to_owned(), paths(answer)]);
    for name in ["state", "priority", "attempts"] {
        rows.push(vec![name.to_owned(), word(&answer[name])]);
    }
    for (name, field) in [
        ("created", "createdAt"),
        ("expires", "expiresAt"),
        ("finished", "finishedAt"),
    ] {
        if !answer[field].is_null() {
            rows.push(vec![name.to_owned(), utc(&answer[field])]);
        }
    }
    if !answer["error"].is_null() {
        let (title, detail) = (&answer["error"]["title"], &answer["error"]["detail"]);
        let error = format!("{}: {}", word(title), word(detail));
        rows.push(vec!["error".to_owned(), error]);
    }
    let result = &answer["result"];
    if !result.is_null() {
        rows.push(vec![
            "result".to_owned(),
            code(result).trim_end().to_owned(),
        ]);
    }
    let mut text = table(&rows);
    if result["records"].is_array() {
        text += &records(result);
    }
    if result["links"].is_array() {
        text += &links(result);
    }
    text
}

/// A message of a trace: a line, and below it what the line does not tell.
pub(super) fn message(message: &Value) -> String {
    let arrow = if message["direction"] == "in" {
        "<-"
    } else {
        "->"
    };
    let time = moment(&message["time"], 3);
    let mut text = format!("{time} {arrow} {}\n", word(&message["summary"]));
    let told = ["Uri-Path", "Uri-Query", "Block1", "Block2"];
    let options: Vec<String> = items(message, "options")
        .filter(|option| !told.iter().any(|name| option["name"] == *name))
        .map(|option| format!("{} {}", word(&option["name"]), word(&option["value"])))
        .collect();
    if !options.is_empty() {
        text += &format!("    {}\n", options.join(", "));
    }
    for line in message["decoded"].as_str().unwrap_or_default().lines() {
        text += &format!("    | {}\n", shown(line));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_dates() {
        for (seconds, date) in [
            (0.0, "1970-01-01 00:00:00.0Z"),
            (951_782_399.96, "2000-02-28 23:59:59.9Z"),
            (951_782_400.0, "2000-02-29 00:00:00.0Z"),
            (1_795_000_000.5, "2026-11-18 11:06:40.5Z"),
            (4_107_542_400.0, "2100-03-01 00:00:00.0Z"),
            (-0.1, "1969-12-31 23:59:59.9Z"),
        ] {
            assert_eq!(utc(&json!(seconds)), date, "{seconds}");
        }
        assert_eq!(utc(&json!(1e300)), "1e+300");
    }

    #[test]
    fn sends_come_with_their_times() {
        let record = json!({"path": "/3303/0/5700", "value": 21.5, "time": 951_782_400.0});
        let sent = json!({"time": 951_782_410.0, "records": [record]});
        assert_eq!(
            sends(&json!({"items": [sent, {"time": 0.0, "records": []}]})),
            "2000-02-29 00:00:10.0Z\n/3303/0/5700  21.5  at 2000-02-29 00:00:00.0Z\n\n\
             1970-01-01 00:00:00.0Z\n(nothing there)\n"
        );
        assert_eq!(sends(&json!({"items": []})), "(nothing was sent)\n");
    }

    #[test]
    fn nothing_of_a_device_speaks_to_the_terminal() {
        let answer = json!({"records": [
            {"path": "/3/0/0", "value": "\u{1b}[2Jä\n\u{9b}x"},
            {"path": "/3/0/13", "value": 1, "time": 0.0},
        ]});
        assert_eq!(
            records(&answer),
            "/3/0/0   \\u{1b}[2Jä\\n\\u{9b}x\n\
             /3/0/13  1                    at 1970-01-01 00:00:00.0Z\n"
        );
    }
}
