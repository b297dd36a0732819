//! Keeps other web pages out.
//!
//! The server has no login yet, and a browser on the same machine reaches loopback. Without this a
//! page from anywhere could send a POST that executes a resource (a request as a form sends needs
//! no permission), or point a name of its own at 127.0.0.1 and read everything (DNS rebinding).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Names the server answers to, besides IP addresses and `localhost`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self(names.into())
    }

    fn allow(&self, host: &str) -> bool {
        let is_address = host.parse::<core::net::Ipv4Addr>().is_ok()
            || host
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|address| address.parse::<core::net::Ipv6Addr>().is_ok());
        is_address
            || host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The host of `HOST[:PORT]`.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What is wrong with where a request comes from, if anything.
fn refusal(hosts: &Hosts, request: &Request) -> Option<Problem> {
    let headers = request.headers();
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| text(headers, header::HOST))
        .unwrap_or_default();
    // An absent Host is legal in HTTP/1.0; a browser never leaves it out.
    if !authority.is_empty() && !hosts.allow(without_port(authority)) {
        return Some(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Unknown host",
            format!(
                "The server answers to IP addresses and localhost, not to {authority:?}. Start it \
                 with --http-host NAME to use a name."
            ),
        ));
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return embeds(headers, request.uri().path()).then(foreign);
    };
    // Fetch Metadata: no page can forge it, and behind a proxy that does not pass the host name on
    // it still tells the console's own requests. Absent on plain HTTP but for loopback.
    if headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "same-origin")
    {
        return None;
    }
    let same = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .is_some_and(|(_, from)| from.eq_ignore_ascii_case(authority));
    (!same).then(foreign)
}

fn foreign() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "Foreign origin",
        "The request comes from a page of another origin; only the server's own console may call \
         it from a browser.",
    )
}

/// Whether a page of another origin fetches this as an image, a script, a frame or without CORS:
/// it goes without Origin and could not be read, but would wake a device or search all of them. A
/// link that a person follows is welcome, but not to what asks a device: a page can follow links by
/// itself, and each would wait in the queue of a device that sleeps.
fn embeds(headers: &HeaderMap, path: &str) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let foreign = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    foreign && (!is("sec-fetch-dest", "document") || path.starts_with("/api/v1/devices"))
}

pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match refusal(&hosts, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn status(headers: &[(&str, &str)]) -> Option<u16> {
        status_at("/api/v1/devices/a/data/3/0/4", headers)
    }

    fn status_at(path: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let hosts = Hosts::new(vec!["dunlin.example".to_owned()]);
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let problem = refusal(&hosts, &request.body(Body::empty()).unwrap())?;
        Some(problem.into_response().status().as_u16())
    }

    #[test]
    fn scripts_and_the_console_pass() {
        assert_eq!(status(&[]), None);
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost:8080",
            "LOCALHOST",
            "Dunlin.example",
        ] {
            assert_eq!(status(&[("host", host)]), None, "{host}");
            let origin = format!("http://{host}");
            assert_eq!(
                status(&[("host", host), ("origin", &origin)]),
                None,
                "{host}"
            );
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:9999",
            "https://localhost",
        ] {
            assert_eq!(
                status(&[("host", "127.0.0.1:8080"), ("origin", origin)]),
                Some(403),
                "{origin}"
            );
        }
    }

    #[test]
    fn the_console_works_behind_a_proxy_that_keeps_its_name_to_itself() {
        let behind = |site: &str| {
            status(&[
                ("host", "127.0.0.1:8080"),
                ("origin", "https://gateway.example"),
                ("sec-fetch-site", site),
            ])
        };
        assert_eq!(behind("same-origin"), None);
        for site in ["same-site", "cross-site", "none", ""] {
            assert_eq!(behind(site), Some(403), "{site}");
        }
    }

    #[test]
    fn pages_of_other_origins_embed_nothing_but_may_link() {
        let fetched = |site: &str, destination: &str| {
            status(&[
                ("host", "127.0.0.1:8080"),
                ("sec-fetch-site", site),
                ("sec-fetch-dest", destination),
            ])
        };
        for site in ["cross-site", "same-site"] {
            for destination in ["image", "script", "iframe", "empty", ""] {
                assert_eq!(
                    fetched(site, destination),
                    Some(403),
                    "{site} {destination}"
                );
            }
            // A link to the console is followed, one that would ask a device is not.
            assert_eq!(fetched(site, "document"), Some(403), "{site}");
            let followed = [
                ("host", "127.0.0.1:8080"),
                ("sec-fetch-site", site),
                ("sec-fetch-dest", "document"),
            ];
            for path in ["/", "/api/v1/openapi.json"] {
                assert_eq!(status_at(path, &followed), None, "{site} {path}");
            }
        }
        for site in ["same-origin", "none"] {
            assert_eq!(fetched(site, "empty"), None, "{site}");
        }
    }

    #[test]
    fn names_pointed_at_loopback_are_refused() {
        for host in [
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ] {
            let origin = format!("http://{host}");
            assert_eq!(
                status(&[("host", host), ("origin", &origin)]),
                Some(421),
                "{host}"
            );
        }
    }
}
