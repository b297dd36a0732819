//! The console's assets, embedded in the binary.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::no_such_method;
use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// Nothing inline, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub(crate) async fn asset(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Assets::get(path) else {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "Not found",
            format!(
                "There is nothing at {}. The console is at /, the API below /api/v1.",
                uri.path()
            ),
        )
        .into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        let mut response = no_such_method(uri).await.into_response();
        let allowed = HeaderValue::from_static("GET,HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    let hash = file.metadata.sha256_hash();
    let etag = hash[..8].iter().fold(String::from("\""), |mut etag, byte| {
        etag.push_str(&format!("{byte:02x}"));
        etag
    }) + "\"";
    // Names of assets carry a hash of their content; the page itself must be asked for anew.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let unchanged = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|known| known.to_str().ok())
        .any(|known| is_known(known, &etag));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data.into_owned()).into_response()
    };
    let set = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, file.metadata.mimetype()),
        (header::CACHE_CONTROL, caching),
        (header::ETAG, &etag),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            set.insert(name, value);
        }
    }
    response
}

/// Whether an If-None-Match names this tag; weak comparison (RFC 9110 §13.1.2), as a proxy that
/// compresses weakens the tag.
fn is_known(known: &str, etag: &str) -> bool {
    known
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
