//! A server in memory with its REST API called in process, and what comes back.

use core::time::Duration;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use dunlin_server::{Server, ServerConfig};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// How long anything may take that should happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    // First, so that requests end before the server does.
    router: Router,
    server: Server,
}

impl World {
    pub fn new() -> Self {
        Self::with(ServerConfig::default())
    }

    pub fn with(config: ServerConfig) -> Self {
        let server = Server::start(ServerConfig {
            coap: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            shards: 2,
            ..config
        })
        .unwrap();
        Self {
            router: dunlin_http::router(server.control(), Vec::new()),
            server,
        }
    }

    pub fn coap(&self) -> SocketAddr {
        self.server.coap_address().expect("it listens")
    }

    pub fn api(&self) -> Api {
        Api(self.router.clone())
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.api().send(request).await
    }

    pub async fn call(&self, method: &str, uri: &str, body: impl Into<Body>) -> Answer {
        self.api().call(method, uri, body).await
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.call("GET", uri, "").await
    }
}

/// The API alone, for a request that another task makes.
#[derive(Clone)]
pub struct Api(Router);

impl Api {
    pub async fn respond(&self, request: Request<Body>) -> Response {
        self.0.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = async {
            let (parts, body) = self.respond(request).await.into_parts();
            Answer {
                asked: asked.clone(),
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes().to_vec(),
            }
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| panic!("{asked}: no answer"))
    }

    pub async fn call(&self, method: &str, uri: &str, body: impl Into<Body>) -> Answer {
        let uri = match uri.starts_with('/') {
            true => uri.to_owned(),
            false => format!("/api/v1/{uri}"),
        };
        let request = Request::builder().method(method).uri(uri);
        self.send(request.body(body.into()).unwrap()).await
    }
}

#[derive(Debug)]
pub struct Answer {
    asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of an answer of this status.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document (RFC 9457) of an answer of this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {text}", self.asked);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}: {text}",
            self.asked
        );
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["type"], "about:blank", "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for name in ["title", "detail"] {
            let said = problem[name].as_str().unwrap_or_default();
            assert!(!said.is_empty(), "{name} is missing: {problem}");
        }
        problem
    }

    /// Asserts a problem that says these words somewhere in its title or detail.
    #[track_caller]
    pub fn refused(&self, status: u16, words: &str) -> Value {
        let problem = self.problem(status);
        let said = format!("{} {}", problem["title"], problem["detail"]);
        assert!(said.contains(words), "{words:?} is not in {problem}");
        problem
    }

    /// Asserts a status without content.
    #[track_caller]
    pub fn empty(&self, status: u16) {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        assert!(self.body.is_empty(), "{}", self.text());
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn encoded(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |encoded, byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded + &char::from(byte).to_string()
            }
            _ => encoded + &format!("%{byte:02X}"),
        })
}
