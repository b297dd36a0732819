//! The queue of a device: `dunlin operations`, and what other commands do about a device that
//! sleeps.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::api::Api;
use super::{Remote, print, show};
use crate::terminal::shown;

/// How an operation waits when the device sleeps.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Queueing {
    /// Wait so many seconds for a device that sleeps; the operation stays queued after that
    #[arg(long, value_name = "SECONDS")]
    wait: Option<f64>,
    /// Seconds that an operation may stay queued [default: a week]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// Queued operations with a larger number go first
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i16>,
    /// Queue the operation whatever the device does: sent once it is awake, also if it is not
    /// registered at the moment
    #[arg(long)]
    queue: bool,
}

/// A call that goes into the queue instead.
pub(super) struct Queued {
    pub(super) url: String,
    pub(super) body: Value,
}

impl Queueing {
    /// The query of a direct call.
    pub(super) fn query(&self) -> Vec<String> {
        let wait = self.wait.map(|wait| format!("wait={wait}"));
        let ttl = self.ttl.map(|ttl| format!("ttl={ttl}"));
        let priority = self.priority.map(|priority| format!("priority={priority}"));
        [wait, ttl, priority].into_iter().flatten().collect()
    }

    /// The same call as an operation of the queue, if that is asked for.
    pub(super) fn queued(
        &self,
        method: &str,
        url: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Option<Queued> {
        if !self.queue {
            return None;
        }
        let (before, rest) = url.split_once("/devices/")?;
        let mut parts = rest.splitn(3, '/');
        let (endpoint, what, path) = (parts.next()?, parts.next()?, parts.next()?);
        let levels = path.split('/').filter(|id| !id.is_empty()).count();
        let name = match (what, method) {
            ("data", "GET") => "read",
            ("data", "PUT") => "write",
            ("data", "PATCH") => "update",
            ("data", "DELETE") => "delete",
            ("data", "POST") if levels == 1 => "create",
            ("data", "POST") => "execute",
            ("discover", _) => "discover",
            ("attributes", _) => "writeAttributes",
            ("composite", _) if path == "read" => "readComposite",
            ("composite", _) => "writeComposite",
            _ => return None,
        };
        let mut operation = match body {
            Some(attributes) if what == "attributes" => {
                Map::from_iter([("attributes".to_owned(), attributes.clone())])
            }
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        operation.insert("operation".to_owned(), name.into());
        if what != "composite" {
            operation.insert("path".to_owned(), format!("/{path}").into());
        }
        for (name, value) in query {
            if *name == "format" {
                operation.insert("format".to_owned(), value.as_str().into());
            }
        }
        if let Some(ttl) = self.ttl {
            operation.insert("ttl".to_owned(), ttl.into());
        }
        if let Some(priority) = self.priority {
            operation.insert("priority".to_owned(), priority.into());
        }
        let wait = self
            .wait
            .map_or(String::new(), |wait| format!("&wait={wait}"));
        Some(Queued {
            url: format!("{before}/devices/{endpoint}/operations?away=true{wait}"),
            body: Value::Object(operation),
        })
    }
}

/// Whether an answer is an operation of a queue and not what a device said.
pub(super) fn is_operation(answer: &Value) -> bool {
    answer["id"].is_string() && answer["attempts"].is_number()
}

/// Prints an operation in place of what a device said: what it said if it has, else where to ask.
pub(super) fn show_operation(
    answer: &Value,
    print_result: fn(&Value) -> String,
) -> anyhow::Result<()> {
    let endpoint = shown(answer["endpoint"].as_str().unwrap_or_default());
    let id = shown(answer["id"].as_str().unwrap_or_default());
    match answer["state"].as_str().unwrap_or_default() {
        "done" => print::out(&print_result(&answer["result"])),
        "queued" => print::out(&format!(
            "operation {id} is queued for {endpoint}; it is sent when the device is awake\n\
             (dunlin operations {endpoint} show {id} tells what came of it)\n"
        )),
        "sent" => print::out(&format!(
            "operation {id} is on its way to {endpoint}, and stays queued if no answer comes\n\
             (dunlin operations {endpoint} show {id} tells what came of it)\n"
        )),
        "failed" => bail!(
            "operation {id} failed: {}",
            shown(answer["error"]["detail"].as_str().unwrap_or_default())
        ),
        state => bail!("operation {id} ended as {}", shown(state)),
    }
}

/// The arguments of `dunlin operations`.
#[derive(Args, Debug)]
pub(crate) struct OperationsArgs {
    /// Endpoint client name
    endpoint: String,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// List operations that wait and those that ended lately, the newest first (this is the default)
    List {
        /// Only those in this state: queued, sent, done, failed, expired or cancelled
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one operation and its result
    Show {
        /// Number of the operation
        id: String,
    },
    /// Cancel an operation that has not been sent
    Cancel {
        /// Number of the operation
        id: String,
    },
    /// Say how long the device stays awake after each of its messages
    AwakeTime {
        /// Seconds; without them it is learned again
        seconds: Option<u32>,
    },
}

pub(super) fn run(api: &Api, remote: &Remote, args: OperationsArgs) -> anyhow::Result<()> {
    let endpoint = &args.endpoint;
    let one = |id: &str| api.of_device(endpoint, "operations", id);
    let what = args.what.unwrap_or(What::List {
        state: None,
        limit: 100,
    });
    match what {
        What::List { state, limit } => {
            let mut query: Vec<(&str, String)> = vec![("limit", limit.to_string())];
            query.extend(state.map(|state| ("state", state)));
            let answer = api.get(&api.device(endpoint, "/operations"), &query)?;
            show(remote, &answer, print::operations)
        }
        What::Show { id } => {
            let answer = api.get(&one(&id), &[])?;
            // As it is: this is not the answer of a device.
            if remote.json {
                return show(remote, &answer, print::operation);
            }
            print::out(&print::operation(&answer))
        }
        What::Cancel { id } => {
            let answer = api.send("DELETE", &one(&id), &[], None)?;
            if remote.json {
                return show(remote, &answer, print::operation);
            }
            print::out(&format!("operation {} is cancelled\n", shown(&id)))
        }
        What::AwakeTime { seconds } => {
            let url = api.device(endpoint, "/awake-time");
            match seconds {
                Some(seconds) => {
                    api.send("PUT", &url, &[], Some(&json!({ "seconds": seconds })))?
                }
                None => api.send("DELETE", &url, &[], None)?,
            };
            Ok(())
        }
    }
}
