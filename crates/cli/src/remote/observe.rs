//! `dunlin observe`.

use core::time::Duration;
use std::io::{BufRead, BufReader};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::api::Api;
use super::print;
use crate::terminal;

/// How long a device is given for its first answer before it is told that it lets one wait.
const FIRST_ANSWER: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);

/// What is to be observed.
pub(super) struct Wish<'a> {
    pub(super) endpoint: &'a str,
    /// One, or those of an Observe-Composite.
    pub(super) paths: Vec<String>,
    pub(super) attributes: Map<String, Value>,
    /// Whether the attributes go into the Observe.
    pub(super) in_request: bool,
}

impl Wish<'_> {
    fn title(&self) -> String {
        self.paths.join(", ")
    }

    /// Whether an observation is of the same paths.
    fn is_of(&self, item: &Value) -> bool {
        match &self.paths[..] {
            [path] => item["path"] == path.as_str() && item.get("paths").is_none(),
            paths => item["paths"] == json!(paths),
        }
    }

    /// Whether an observation has the same attributes.
    fn is_like(&self, item: &Value) -> bool {
        let none = Map::new();
        let (written, asked) = if self.in_request {
            (&none, &self.attributes)
        } else {
            (&self.attributes, &none)
        };
        let of = |name: &str| {
            item[name].as_object().unwrap_or(&none)
                == match name {
                    "attributes" => written,
                    _ => asked,
                }
        };
        of("attributes") && of("parameters")
    }

    fn body(&self) -> Value {
        let name = if self.in_request {
            "parameters"
        } else {
            "attributes"
        };
        match &self.paths[..] {
            [path] => json!({ "path": path, name: self.attributes }),
            paths => json!({ "paths": paths, name: self.attributes }),
        }
    }

    fn list(&self, api: &Api) -> anyhow::Result<Vec<Value>> {
        // Before the first wish the server does not know a device that is away.
        let url = api.device(self.endpoint, "/observations");
        let mut list = api.get(&url, &[])?;
        match list["items"].take() {
            Value::Array(items) => Ok(items.into_iter().filter(|item| self.is_of(item)).collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn url(&self, api: &Api, id: &str) -> String {
        api.device(self.endpoint, &format!("/observations/{id}"))
    }
}

/// Observes and prints what comes; an observation of the same kind is taken up, not doubled.
pub(super) fn run(
    api: &Api,
    wish: &Wish<'_>,
    as_json: bool,
    count: Option<usize>,
) -> anyhow::Result<()> {
    // Listen before asking, so that the first value is not missed.
    let events = api.events(wish.endpoint)?;
    let known = wish.list(api).unwrap_or_default();
    let known = known.into_iter().find(|known| wish.is_like(known));
    let is_new = known.is_none();
    let made = match known {
        Some(known) => known,
        None => {
            let url = api.device(wish.endpoint, "/observations");
            api.send("POST", &url, &[], Some(&wish.body()))?
        }
    };
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    let (path, endpoint) = (wish.title(), wish.endpoint);
    if !as_json {
        eprintln!("observing {path} of {endpoint} (observation {id}); Ctrl-C to end");
    }
    let left = count.unwrap_or(usize::MAX);
    let mut seen = 0;
    let mut show = |data: &Value| {
        let text = if as_json {
            terminal::json(data, false) + "\n"
        } else {
            print::records(data)
        };
        seen += 1;
        print::out(&text).map(|()| seen >= left)
    };
    if is_new {
        first_answer(api, wish, &id)?;
    } else if made["state"] == "failed" {
        eprintln!("the device refused so far: {}", print::word(&made["error"]));
    } else if made["records"]
        .as_array()
        .is_some_and(|records| !records.is_empty())
    {
        // There is no first answer to come: the last known values stand for it.
        let last = json!({
            "endpoint": endpoint,
            "time": made["updatedAt"],
            "observation": id,
            "path": made["path"],
            "records": made["records"],
        });
        if show(&last)? {
            return Ok(());
        }
    }
    let mut name = String::new();
    for line in BufReader::new(events).lines() {
        let line = line.context("the server closed the stream of events")?;
        if let Some(event) = line.strip_prefix("event:") {
            event.trim().clone_into(&mut name);
        }
        let Some(data) = line
            .strip_prefix("data:")
            .filter(|_| name == "notification")
        else {
            continue;
        };
        let data: Value = serde_json::from_str(data.trim()).context("reading an event")?;
        if data["observation"].as_str() == Some(id.as_str()) && show(&data)? {
            return Ok(());
        }
    }
    bail!("the server closed the stream of events")
}

/// Waits for what the device says to a new wish: a refusal ends it, and there would never be an
/// event.
fn first_answer(api: &Api, wish: &Wish<'_>, id: &str) -> anyhow::Result<()> {
    let end = std::time::Instant::now() + FIRST_ANSWER;
    while std::time::Instant::now() < end {
        let list = wish.list(api)?;
        let Some(made) = list.iter().find(|made| made["id"] == id) else {
            bail!("somebody else has ended the observation");
        };
        match made["state"].as_str() {
            Some("pending") => std::thread::sleep(POLL),
            Some("failed") => {
                // Who asked is told; nobody shall be surprised by it later.
                api.send("DELETE", &wish.url(api, id), &[], None)?;
                let (path, endpoint) = (wish.title(), wish.endpoint);
                let error = print::word(&made["error"]);
                bail!("{path} of {endpoint} cannot be observed: {error}");
            }
            _ => return Ok(()),
        }
    }
    match api.get(&api.device(wish.endpoint, ""), &[]) {
        Ok(_) => eprintln!("the device has not answered yet; it is asked when it is awake"),
        Err(_) => eprintln!(
            "{} is not registered; it is asked when it is",
            wish.endpoint
        ),
    }
    Ok(())
}

/// Ends all observations of the path.
pub(super) fn cancel(api: &Api, wish: &Wish<'_>) -> anyhow::Result<()> {
    let (path, endpoint) = (wish.title(), wish.endpoint);
    let found = wish.list(api)?;
    if found.is_empty() {
        bail!("{path} of {endpoint} is not observed");
    }
    for id in found.iter().filter_map(|wish| wish["id"].as_str()) {
        api.send("DELETE", &wish.url(api, id), &[], None)?;
    }
    print::out(&format!("{path} of {endpoint} is no longer observed\n"))
}
