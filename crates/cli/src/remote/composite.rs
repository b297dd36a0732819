//! Several paths of a device at once.

use serde_json::{Value, json};

use super::absolute;
use super::api::Api;

type Query = [(&'static str, String)];

pub(super) fn read(
    api: &Api,
    endpoint: &str,
    paths: &[String],
    query: &Query,
) -> anyhow::Result<Value> {
    let paths: Vec<String> = paths.iter().map(|path| absolute(path)).collect();
    let url = api.device(endpoint, "/composite/read");
    api.send("POST", &url, query, Some(&json!({ "paths": paths })))
}

/// Writes records and removes resource instances.
pub(super) fn write(
    api: &Api,
    endpoint: &str,
    mut records: Vec<Value>,
    remove: &[String],
    query: &Query,
) -> anyhow::Result<Value> {
    let removed = remove
        .iter()
        .map(|path| json!({ "path": absolute(path), "value": null }));
    records.extend(removed);
    let url = api.device(endpoint, "/composite/write");
    api.send("POST", &url, query, Some(&json!({ "records": records })))
}
