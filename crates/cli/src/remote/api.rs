//! Calls of the REST API.

use core::time::Duration;
use std::io::Read;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use ureq::{Agent, http};

use super::queue::Queueing;
use crate::terminal::shown;

/// A server's REST API.
pub(crate) struct Api {
    agent: Agent,
    base: String,
    timeout: Option<f64>,
    queueing: Queueing,
}

impl Api {
    pub(crate) fn new(base: &str, timeout: Option<f64>, queueing: Queueing) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .build()
            .new_agent();
        Self {
            agent,
            base: base.trim_end_matches('/').to_owned(),
            timeout,
            queueing,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    /// The URL of something of a device; its name may hold any characters.
    pub(crate) fn device(&self, endpoint: &str, rest: &str) -> String {
        self.url(&format!("/devices/{}{rest}", encode(endpoint)))
    }

    /// The URL of an operation at a path of a device.
    pub(crate) fn of_device(&self, endpoint: &str, what: &str, path: &str) -> String {
        let path: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(encode)
            .collect();
        self.device(endpoint, &format!("/{what}/{}", path.join("/")))
    }

    pub(crate) fn get(&self, url: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.send("GET", url, query, None)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        if let Some(queued) = self.queueing.queued(method, url, query, body) {
            return self.exchange("POST", &queued.url, Some(&queued.body));
        }
        let mut query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let waits = ["/data/", "/discover/", "/attributes/", "/composite/"];
        let waits = waits.iter().any(|part| url.contains(part));
        if waits {
            query.extend(self.timeout.map(|timeout| format!("timeout={timeout}")));
            query.extend(self.queueing.query());
        }
        let url = if query.is_empty() {
            url.to_owned()
        } else {
            format!("{url}?{}", query.join("&"))
        };
        self.exchange(method, &url, body)
    }

    fn exchange(&self, method: &str, url: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json")
            .body(text)
            .with_context(|| self.no_url())?;
        let mut response = self
            .agent
            .run(request)
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response
            .body_mut()
            .read_to_string()
            .context("reading the answer")?;
        let answer = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).with_context(|| {
                format!("{} did not answer with JSON; is it Dunlin?", self.base)
            })?,
        };
        if status.is_success() {
            return Ok(answer);
        }
        Err(refused(status, &answer))
    }

    /// Sends a file.
    pub(crate) fn upload(
        &self,
        url: &str,
        query: &[(&str, String)],
        content: &[u8],
    ) -> anyhow::Result<Value> {
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let mut response = self
            .agent
            .post(format!("{url}?{}", query.join("&")))
            .header("content-type", "application/octet-stream")
            .send(content)
            .map_err(|error| self.unreachable(&error))?;
        let answer = response.body_mut().read_json().unwrap_or_default();
        match response.status().is_success() {
            true => Ok(answer),
            false => Err(refused(response.status(), &answer)),
        }
    }

    /// A file of the server.
    pub(crate) fn download(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let mut response = self
            .agent
            .get(url)
            .call()
            .map_err(|error| self.unreachable(&error))?;
        let bytes = response
            .body_mut()
            .read_to_vec()
            .context("reading the answer")?;
        if response.status().is_success() {
            return Ok(bytes);
        }
        let answer = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(refused(response.status(), &answer))
    }

    /// The stream of events of a device.
    pub(crate) fn events(&self, endpoint: &str) -> anyhow::Result<impl Read + use<>> {
        let response = self
            .agent
            .get(self.url(&format!("/events?endpoint={}", encode(endpoint))))
            .call()
            .map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            bail!("the server gives no events ({})", response.status());
        }
        Ok(response.into_body().into_reader())
    }

    /// The type of a resource by the server's definitions, for the version the device announced.
    pub(crate) fn resource_type(&self, endpoint: &str, path: &str) -> Option<String> {
        let mut ids = path.trim_start_matches('/').split('/');
        let object: u64 = ids.next()?.parse().ok()?;
        let resource: u64 = ids.nth(1)?.parse().ok()?;
        let device = self.get(&self.device(endpoint, ""), &[]).ok()?;
        let announced = device["objects"]
            .as_array()?
            .iter()
            .find(|candidate| candidate["id"] == object)?;
        let version = announced["version"].as_str()?.to_owned();
        let model = self
            .get(
                &self.url(&format!("/models/{object}")),
                &[("version", version)],
            )
            .ok()?;
        let resources = model["resources"].as_array()?;
        let found = resources
            .iter()
            .find(|candidate| candidate["id"] == resource)?;
        found["type"].as_str().map(str::to_owned)
    }

    fn no_url(&self) -> String {
        format!(
            "--api {}: not a URL, as in http://127.0.0.1:8080",
            self.base
        )
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        if matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_)) {
            return anyhow!("{error}").context(self.no_url());
        }
        anyhow!("{error}").context(format!(
            "no server at {}; start one with `dunlin serve`, or name it with --api URL",
            self.base
        ))
    }
}

/// A problem document in words.
fn refused(status: http::StatusCode, answer: &Value) -> anyhow::Error {
    let title = shown(answer["title"].as_str().unwrap_or("error"));
    let detail = shown(answer["detail"].as_str().unwrap_or_default());
    anyhow!("{detail}").context(format!("{title} ({})", status.as_u16()))
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn endpoint_names_of_any_kind_stay_one_segment() {
        assert_eq!(
            encode("urn:dev:os:1-a/b#\"ä\""),
            "urn%3Adev%3Aos%3A1-a%2Fb%23%22%C3%A4%22"
        );
    }
}
