//! REST, server-sent events, OpenAPI, metrics and the console: the only crate that knows HTTP and
//! JSON.
//!
//! Nothing here decides anything about LwM2M: it turns HTTP into calls of
//! [`dunlin_server::control::Control`] and answers into JSON.

// The macros of utoipa write out paths that are in scope.
#![allow(unused_qualifications)]

mod build;
mod composite;
mod console;
mod credentials;
mod data;
mod devices;
mod dto;
mod events;
mod firmware;
mod guard;
mod health;
mod hex;
mod json;
mod listen;
mod models;
mod observations;
mod operation_dto;
mod operations;
mod perform;
mod problem;
mod sends;
mod trace;

use core::future::Future;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Request};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use dunlin_lwm2m::model::Models;
use dunlin_server::control::Control;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;

/// The largest request body in bytes.
pub const MAX_BODY: usize = 1 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dunlin",
        description = "The LwM2M server Dunlin. Errors are problem details (RFC 9457) and carry the \
            device's CoAP code when it gave one.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "devices", description = "Registrations"),
        (name = "device management", description = "Operations towards a device"),
        (name = "operations", description = "The queue of a device"),
        (name = "observations", description = "Wishes for observations"),
        (name = "firmware", description = "Images, and the jobs that bring them to devices"),
        (name = "credentials", description = "By what devices prove who they are"),
        (name = "events", description = "What happens, as it happens"),
        (name = "models", description = "Object definitions"),
        (name = "server", description = "Health and metrics"),
    )
)]
struct Api;

/// What handlers need.
#[derive(Clone)]
struct App {
    control: Control,
    models: Arc<Models>,
}

impl FromRef<App> for Control {
    fn from_ref(app: &App) -> Self {
        app.control.clone()
    }
}

fn api() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Api::openapi())
        .nest(
            "/api/v1",
            OpenApiRouter::new()
                .routes(routes!(devices::list))
                .routes(routes!(devices::get, devices::remove))
                .routes(routes!(
                    data::read,
                    data::replace,
                    data::update,
                    data::post,
                    data::delete
                ))
                .routes(routes!(data::discover))
                .routes(routes!(data::write_attributes))
                .routes(routes!(composite::read))
                .routes(routes!(composite::write))
                .routes(routes!(operations::list, operations::create))
                .routes(routes!(operations::get, operations::cancel))
                .routes(routes!(
                    operations::set_awake_time,
                    operations::forget_awake_time
                ))
                .routes(routes!(observations::list, observations::create))
                .routes(routes!(observations::remove))
                .routes(routes!(firmware::images, firmware::add))
                .routes(routes!(firmware::image, firmware::remove))
                .routes(routes!(firmware::status, firmware::start, firmware::cancel))
                .routes(routes!(credentials::list, credentials::create))
                .routes(routes!(credentials::import))
                .routes(routes!(credentials::own, credentials::import_own))
                .routes(routes!(credentials::authorities, credentials::trust))
                .routes(routes!(credentials::distrust))
                .routes(routes!(credentials::get, credentials::remove))
                .routes(routes!(credentials::rotate))
                .routes(routes!(trace::list))
                .routes(routes!(trace::capture))
                .routes(routes!(sends::list))
                .routes(routes!(events::events))
                .routes(routes!(models::list))
                .routes(routes!(models::get))
                .routes(routes!(health::health))
                .routes(routes!(health::metrics)),
        )
        .split_for_parts();
    // The router's word for "the rest of the path" is not OpenAPI's.
    document.paths.paths = core::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    (router, document)
}

/// The OpenAPI document, as pretty JSON; the same that is served at `/api/v1/openapi.json`.
pub fn openapi() -> String {
    api().1.to_pretty_json().unwrap_or_default() + "\n"
}

/// The whole HTTP face of a server: API, metrics and console.
/// `hosts` are the names it answers to, besides IP addresses and `localhost`.
pub fn router(control: Control, hosts: Vec<String>) -> Router {
    let models = Arc::clone(control.models());
    let (router, _) = api();
    let document: &'static str = openapi().leak();
    let json = [(header::CONTENT_TYPE, "application/json")];
    // Server-sent events must leave at once, not when a compressor's buffer is full.
    let compressed = SizeAbove::new(1024).and(NotForContentType::SSE);
    router
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move || async move { (json, document) }),
        )
        .route("/metrics", axum::routing::get(health::metrics))
        .route("/api/{*rest}", axum::routing::any(no_such_path))
        .fallback(console::asset)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(plain_errors_are_problems))
        .layer(middleware::from_fn_with_state(
            guard::Hosts::new(hosts),
            guard::guard,
        ))
        .layer(CompressionLayer::new().compress_when(compressed))
        .with_state(App { control, models })
}

/// Serves until `shutdown` is ready; `hosts` as for [`router`]. At most 1024 connections are open,
/// more wait; the head of a request may take 20 seconds.
pub async fn serve(
    listener: tokio::net::TcpListener,
    control: Control,
    hosts: Vec<String>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let router = router(control, hosts);
    listen::serve(listener, router, listen::Bounds::default(), shutdown).await;
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Not found",
        format!(
            "There is no {}; /api/v1/openapi.json tells what there is.",
            uri.path()
        ),
    )
}

async fn no_such_method(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        format!(
            "{} does not take this method; see /api/v1/openapi.json.",
            uri.path()
        ),
    )
}

/// Errors that the framework itself answers as plain text (a body too large, a path that is not
/// UTF-8) become problem details as well.
async fn plain_errors_are_problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == HeaderValue::from_static("text/plain; charset=utf-8"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), 4096)
        .await
        .unwrap_or_default();
    let title = status.canonical_reason().unwrap_or("Error");
    Problem::new(status, title, String::from_utf8_lossy(&text)).into_response()
}
