//! `dunlin trace`.

use core::time::Duration;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::print;
use crate::terminal;

/// How often it is asked for new messages.
const POLL: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    /// Endpoint client name
    endpoint: String,
    /// Go on printing messages as they come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Write a capture file for Wireshark instead; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "follow")]
    pcap: Option<PathBuf>,
}

pub(super) fn run(api: &Api, args: &TraceArgs, as_json: bool) -> anyhow::Result<()> {
    if let Some(file) = &args.pcap {
        let capture = api.download(&api.device(&args.endpoint, "/trace.pcap"))?;
        if file.as_os_str() == "-" {
            return print::out_bytes(&capture);
        }
        return std::fs::write(file, capture)
            .with_context(|| format!("writing {}", file.display()));
    }
    let url = api.device(&args.endpoint, "/trace");
    if as_json && !args.follow {
        let answer = api.get(&url, &[])?;
        return print::out(&(terminal::json(&answer, true) + "\n"));
    }
    let mut shown: Vec<Value> = Vec::new();
    loop {
        let mut answer = api.get(&url, &[])?;
        let Value::Array(items) = answer["items"].take() else {
            anyhow::bail!("the server's answer has no items; is it Dunlin?");
        };
        for item in &items {
            if is_new(item, &shown) {
                print::out(&if as_json {
                    terminal::json(item, false) + "\n"
                } else {
                    print::message(item)
                })?;
            }
        }
        // Those before are older than everything that is still to come.
        if !items.is_empty() {
            shown = items;
        }
        if !args.follow {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
}

/// Whether a message came after those shown. Several may have the same time.
fn is_new(item: &Value, shown: &[Value]) -> bool {
    let Some(last) = shown.last() else {
        return true;
    };
    let time = |item: &Value| item["time"].as_f64().unwrap_or_default();
    time(item) > time(last) || (time(item) == time(last) && !shown.contains(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_of_the_same_time_are_told_apart() {
        let message = |time: f64, id: u16| json!({"time": time, "messageId": id});
        let shown = [message(1.0, 1), message(2.0, 2)];
        assert!(is_new(&message(1.0, 9), &[]));
        assert!(!is_new(&message(1.0, 1), &shown));
        assert!(!is_new(&message(2.0, 2), &shown));
        assert!(is_new(&message(2.0, 3), &shown));
        assert!(is_new(&message(2.5, 2), &shown));
    }
}
