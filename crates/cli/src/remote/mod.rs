//! The REST API from a terminal: `dunlin devices`, `read`, `write`, `exec`, ... For people by
//! default, for scripts with `--json`.

mod api;
mod composite;
mod credentials;
mod firmware;
mod observe;
mod print;
mod queue;
mod trace;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use api::Api;

use crate::terminal;

/// Which server, and how to print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remote {
    /// Base URL of the server's HTTP side.
    #[arg(
        long,
        env = "DUNLIN_API",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    api: String,
    /// Print the server's JSON as it is, for scripts.
    #[arg(long, global = true)]
    json: bool,
    /// Seconds to wait for the device.
    #[arg(long, global = true)]
    timeout: Option<f64>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// List registered devices
    Devices {
        /// Only those whose endpoint name contains this
        query: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Show one device: its registration and objects
    Show {
        /// Endpoint client name
        endpoint: String,
    },
    /// Read an object, an instance, a resource or a resource instance, or several at once
    #[command(
        after_help = "Several paths are one Read-Composite, which devices know since LwM2M 1.1.\n\n\
        Examples:\n  dunlin read demo-1 /3/0/9\n  dunlin read demo-1 /3/0/9 /1 /3303/0/5700"
    )]
    Read {
        /// Endpoint client name
        endpoint: String,
        /// As in /3/0/9
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// Content format to ask for: text, opaque, cbor, senml-json, senml-cbor, tlv,
        /// json, lwm2m-cbor or a number
        #[arg(long)]
        format: Option<String>,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Write a resource, parts of an instance, or resources anywhere at once
    #[command(
        after_help = "PATH=VALUE pairs without a path before them are one Write-Composite, which \
        devices know since LwM2M 1.1: all of it is written, or nothing.\n\n\
        Examples:\n  dunlin write demo-1 /1/0/1 120\n  \
        dunlin write demo-1 /1/0 /1/0/1=120 /1/0/6=true --update\n  \
        dunlin write demo-1 /1/0/1=120 /3303/0/5750=roof"
    )]
    Write {
        /// Endpoint client name
        endpoint: String,
        /// As in /1/0/1, or the first PATH=VALUE pair
        path: Option<String>,
        /// The value of a resource (Opaque in base64), or PATH=VALUE pairs for an instance; a
        /// path without a leading slash is below PATH
        #[arg(allow_negative_numbers = true)]
        values: Vec<String>,
        /// Remove a resource instance, as in /3/0/7/1, in the same Write-Composite (since 1.2)
        #[arg(long, value_name = "PATH")]
        remove: Vec<String>,
        /// Leave what is not given as it is (partial update)
        #[arg(long)]
        update: bool,
        /// Content format to write in
        #[arg(long)]
        format: Option<String>,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Execute a resource
    #[command(
        visible_alias = "execute",
        after_help = "Examples:\n  dunlin exec demo-1 /3303/0/5605\n  \
        dunlin exec demo-1 /3303/0/5605 --non-confirmable"
    )]
    Exec {
        /// Endpoint client name
        endpoint: String,
        /// As in /3/0/4
        path: String,
        /// Arguments, as in 0='x',1
        arguments: Option<String>,
        /// Send it once, as a Non-confirmable request (since 1.1, not to a device in queue mode)
        #[arg(long, conflicts_with = "queue")]
        non_confirmable: bool,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Create an instance of an object
    #[command(after_help = "Example:\n  dunlin create demo-1 /3303/7 /3303/7/5750=kitchen")]
    Create {
        /// Endpoint client name
        endpoint: String,
        /// The object, as in /3303, or the instance, as in /3303/7
        path: String,
        /// PATH=VALUE pairs; a path without a leading slash is below the instance
        values: Vec<String>,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Delete an instance
    Delete {
        /// Endpoint client name
        endpoint: String,
        /// As in /3303/7
        path: String,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Discover what is there, with attributes
    Discover {
        /// Endpoint client name
        endpoint: String,
        /// As in /3/0
        path: String,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Set or unset attributes
    #[command(after_help = "Example:\n  dunlin attributes demo-1 /3303/0/5700 pmin=10 gt=")]
    Attributes {
        /// Endpoint client name
        endpoint: String,
        /// As in /3303/0/5700
        path: String,
        /// NAME=NUMBER sets, NAME= unsets
        #[arg(required = true)]
        attributes: Vec<String>,
        #[command(flatten)]
        queueing: queue::Queueing,
    },
    /// Show what a device reported of its own accord (Send), newest first
    Sends {
        /// Endpoint client name
        endpoint: String,
        /// At most so many
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
    /// Observe one path or several, and print values as they come, until Ctrl-C
    #[command(
        after_help = "The observation stays when the command ends (see --cancel): it is kept \
        by the server and made again whenever the device registers.\n\n\
        Several paths are one Observe-Composite, which devices know since LwM2M 1.1.\n\n\
        Examples:\n  dunlin observe demo-1 /3303/0/5700 pmin=5\n  \
        dunlin observe demo-1 /3/0/9 /3303/0/5700"
    )]
    Observe {
        /// Endpoint client name
        endpoint: String,
        /// As in /3303/0/5700; NAME=NUMBER is an attribute to write first
        #[arg(required = true, value_name = "PATH|NAME=NUMBER")]
        words: Vec<String>,
        /// Put the attributes into the Observe itself, instead of writing them (since 1.2)
        #[arg(long)]
        in_request: bool,
        /// End after so many notifications
        #[arg(long)]
        count: Option<usize>,
        /// End the observation and forget it, instead of starting one
        #[arg(long)]
        cancel: bool,
    },
    /// Firmware images, and bringing them to devices
    #[command(subcommand)]
    Firmware(firmware::Command),
    /// Credentials of devices: list, add, rotate, remove, import
    #[command(subcommand)]
    Credentials(credentials::Command),
    /// Show the queue of a device: operations that wait until it is awake, and their results
    #[command(
        after_help = "Examples:\n  dunlin write demo-1 /1/0/1 120 --queue --ttl 86400\n  \
        dunlin operations demo-1\n  dunlin operations demo-1 show 17\n  \
        dunlin operations demo-1 cancel 17\n  dunlin operations demo-1 awake-time 20"
    )]
    Operations(queue::OperationsArgs),
    /// Show the latest messages between a device and the server, explained
    #[command(
        after_help = "Shows what was said before it was asked for as well, also of a device whose \
        Register is refused.\n\n\
        Examples:\n  dunlin trace demo-1 --follow\n  dunlin trace demo-1 --pcap demo-1.pcap"
    )]
    Trace(trace::TraceArgs),
}

impl Command {
    /// How the operation waits when the device sleeps.
    fn queueing(&self) -> queue::Queueing {
        match self {
            Self::Read { queueing, .. }
            | Self::Write { queueing, .. }
            | Self::Exec { queueing, .. }
            | Self::Create { queueing, .. }
            | Self::Delete { queueing, .. }
            | Self::Discover { queueing, .. }
            | Self::Attributes { queueing, .. } => queueing.clone(),
            _ => queue::Queueing::default(),
        }
    }
}

pub(crate) fn run(remote: &Remote, command: Command) -> anyhow::Result<()> {
    let api = Api::new(&remote.api, remote.timeout, command.queueing());
    let (answer, print): (Value, fn(&Value) -> String) = match command {
        Command::Devices { query, limit } => (
            all_pages(&api, "/devices", &pairs("q", query), limit)?,
            print::devices,
        ),
        Command::Show { endpoint } => (api.get(&api.device(&endpoint, ""), &[])?, print::device),
        Command::Read {
            endpoint,
            paths,
            format,
            ..
        } => {
            let format = pairs("format", format);
            let answer = if let [path] = &paths[..] {
                api.get(&api.of_device(&endpoint, "data", path), &format)?
            } else {
                composite::read(&api, &endpoint, &paths, &format)?
            };
            (answer, print::records)
        }
        Command::Write {
            endpoint,
            path,
            values,
            remove,
            update,
            format,
            ..
        } => {
            let Some(path) = path.as_ref().filter(|path| !path.contains('=')) else {
                if update {
                    bail!("a Write-Composite is no partial update: leave --update away");
                }
                let pairs_given: Vec<String> = path.into_iter().chain(values).collect();
                let records = records(&api, &endpoint, "/", &pairs_given)?;
                let format = pairs("format", format);
                let answer = composite::write(&api, &endpoint, records, &remove, &format)?;
                return show(remote, &answer, print::code);
            };
            if values.is_empty() || !remove.is_empty() {
                bail!("give {path} a value, or PATH=VALUE pairs; --remove goes with pairs alone");
            }
            let url = api.of_device(&endpoint, "data", path);
            let body = write_body(&api, &endpoint, path, &values)?;
            let method = if update { "PATCH" } else { "PUT" };
            (
                api.send(method, &url, &pairs("format", format), Some(&body))?,
                print::code,
            )
        }
        Command::Exec {
            endpoint,
            path,
            arguments,
            non_confirmable,
            ..
        } => {
            let url = api.of_device(&endpoint, "data", &path);
            let body = arguments.map(|arguments| json!({ "arguments": arguments }));
            let query = non_confirmable.then(|| "false".to_owned());
            let query = pairs("confirmable", query);
            (api.send("POST", &url, &query, body.as_ref())?, print::code)
        }
        Command::Create {
            endpoint,
            path,
            values,
            ..
        } => (create(&api, &endpoint, &path, &values)?, print::code),
        Command::Delete { endpoint, path, .. } => {
            let url = api.of_device(&endpoint, "data", &path);
            (api.send("DELETE", &url, &[], None)?, print::code)
        }
        Command::Discover { endpoint, path, .. } => {
            let url = api.of_device(&endpoint, "discover", &path);
            (api.get(&url, &[])?, print::links)
        }
        Command::Attributes {
            endpoint,
            path,
            attributes,
            ..
        } => {
            let url = api.of_device(&endpoint, "attributes", &path);
            let body = Value::Object(parse_attributes(&attributes)?);
            (api.send("PUT", &url, &[], Some(&body))?, print::code)
        }
        Command::Firmware(command) => return firmware::run(&api, command, remote.json),
        Command::Credentials(command) => return credentials::run(&api, remote, command),
        Command::Operations(args) => return queue::run(&api, remote, args),
        Command::Trace(args) => return trace::run(&api, &args, remote.json),
        Command::Sends { endpoint, limit } => {
            let url = api.device(&endpoint, "/sends");
            let limit = [("limit", limit.to_string())];
            (api.get(&url, &limit)?, print::sends)
        }
        Command::Observe {
            endpoint,
            words,
            in_request,
            count,
            cancel,
        } => {
            let is_path = |word: &String| {
                word.starts_with(|first: char| first == '/' || first.is_ascii_digit())
            };
            let (paths, attributes): (Vec<_>, Vec<_>) = words.into_iter().partition(is_path);
            if paths.is_empty() {
                bail!("name what to observe, as in /3303/0/5700");
            }
            let wish = observe::Wish {
                endpoint: &endpoint,
                paths: paths.iter().map(|path| absolute(path)).collect(),
                attributes: parse_attributes(&attributes)?,
                in_request,
            };
            if cancel {
                return observe::cancel(&api, &wish);
            }
            return observe::run(&api, &wish, remote.json, count);
        }
    };
    show(remote, &answer, print)
}

fn show(remote: &Remote, answer: &Value, print: fn(&Value) -> String) -> anyhow::Result<()> {
    if remote.json {
        print::out(&(terminal::json(answer, true) + "\n"))
    } else if queue::is_operation(answer) {
        queue::show_operation(answer, print)
    } else {
        print::out(&print(answer))
    }
}

fn pairs(name: &'static str, value: Option<String>) -> Vec<(&'static str, String)> {
    value.map(|value| (name, value)).into_iter().collect()
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

/// Reads all pages of a list, up to `limit` items.
fn all_pages(
    api: &Api,
    path: &str,
    query: &[(&str, String)],
    limit: usize,
) -> anyhow::Result<Value> {
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let mut parameters = query.to_vec();
        parameters.push(("limit", (limit - items.len()).clamp(1, 1000).to_string()));
        parameters.extend(pairs("cursor", cursor));
        let mut page = api.get(&api.url(path), &parameters)?;
        if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
            items.extend(more);
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() || items.len() >= limit {
            items.truncate(limit);
            return Ok(json!({ "items": items, "next": cursor, "total": page["total"] }));
        }
    }
}

/// `VALUE` for a resource, `PATH=VALUE ...` for an instance or several instances of a resource.
fn write_body(api: &Api, endpoint: &str, path: &str, values: &[String]) -> anyhow::Result<Value> {
    let is_resource = path.trim_matches('/').split('/').count() >= 3;
    match values {
        [value] if is_resource => Ok(json!({ "value": typed(api, endpoint, path, value) })),
        _ if is_resource && !values.iter().all(|value| value.contains('=')) => {
            bail!("a resource takes one value; put it in quotes if it has blanks")
        }
        _ => Ok(json!({ "records": records(api, endpoint, path, values)? })),
    }
}

/// Records of `PATH=VALUE` pairs; a path without a leading slash is below `scope`.
fn records(
    api: &Api,
    endpoint: &str,
    scope: &str,
    values: &[String],
) -> anyhow::Result<Vec<Value>> {
    values
        .iter()
        .map(|pair| {
            let (path, value) = pair
                .split_once('=')
                .with_context(|| format!("{pair:?} is not PATH=VALUE, as in /1/0/1=120"))?;
            let below = format!("{}/", absolute(scope).trim_end_matches('/'));
            let path = match absolute(path) {
                full if path.starts_with('/') || full.starts_with(&below) => full,
                _ => format!("{below}{path}"),
            };
            Ok(json!({ "path": path, "value": typed(api, endpoint, &path, value) }))
        })
        .collect()
}

/// A word of the command line as JSON of the resource's type; without a definition, as it looks.
fn typed(api: &Api, endpoint: &str, path: &str, word: &str) -> Value {
    let text = || Value::from(word);
    let by_look = || {
        serde_json::from_str(word)
            .ok()
            .filter(|json: &Value| !json.is_object())
    };
    match api.resource_type(endpoint, path).as_deref() {
        Some("String" | "Corelnk" | "Objlnk" | "Opaque") => text(),
        _ => by_look().unwrap_or_else(text),
    }
}

fn create(api: &Api, endpoint: &str, path: &str, values: &[String]) -> anyhow::Result<Value> {
    let mut ids = path.trim_matches('/').splitn(2, '/');
    let object = ids.next().unwrap_or_default();
    let instance = ids.next();
    // The id that stands for "the device chooses".
    let scope = format!("/{object}/{}", instance.unwrap_or("65535"));
    let mut body = json!({ "records": records(api, endpoint, &scope, values)? });
    if let Some(instance) = instance {
        let instance: u16 = instance.parse().context("the instance must be a number")?;
        body["instance"] = instance.into();
    }
    api.send(
        "POST",
        &api.of_device(endpoint, "data", object),
        &[],
        Some(&body),
    )
}

fn parse_attributes(attributes: &[String]) -> anyhow::Result<Map<String, Value>> {
    attributes
        .iter()
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match value {
                "" => Value::Null,
                number => number
                    .parse::<f64>()
                    .ok()
                    .filter(|number| number.is_finite())
                    .with_context(|| format!("{pair:?} is not NAME=NUMBER, as in pmin=10"))?
                    .into(),
            };
            Ok((name.to_owned(), value))
        })
        .collect()
}
