//! Health for load balancers, metrics for Prometheus.

use core::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use dunlin_server::api::Stats;
use dunlin_server::control::Control;
use serde::Serialize;
use utoipa::ToSchema;

use crate::devices::unavailable;
use crate::problem::Problem;

/// How the server is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Health)]
pub(crate) struct HealthDto {
    /// `ok`, or what is wrong.
    status: String,
    /// Version of the server.
    version: &'static str,
    /// Where the server listens for CoAP without security, as in `127.0.0.1:5683`; null when it does
    /// not.
    coap: Option<String>,
    /// Where the server listens for CoAP over DTLS, as in `127.0.0.1:5684`; null when it does not.
    coaps: Option<String>,
    /// Devices registered now.
    devices: u64,
    /// Seconds since the start.
    uptime_seconds: f64,
}

/// Tells whether the server can do its work; 503 when it cannot, e.g. when the disk is full.
#[utoipa::path(get, path = "/health", tag = "server",
    responses((status = 200, body = HealthDto), (status = 503, body = HealthDto)))]
pub(crate) async fn health(
    State(control): State<Control>,
) -> Result<(StatusCode, Json<HealthDto>), Problem> {
    let stats = control.stats().await.map_err(unavailable)?;
    let health = control.health();
    let status = match health.problem {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok((
        status,
        Json(HealthDto {
            status: health.problem.unwrap_or_else(|| "ok".to_owned()),
            version: env!("CARGO_PKG_VERSION"),
            coap: control.coap_address().map(|address| address.to_string()),
            coaps: control.coaps_address().map(|address| address.to_string()),
            devices: stats.devices,
            uptime_seconds: health.uptime.as_secs_f64(),
        }),
    ))
}

/// Counters in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(crate) async fn metrics(State(control): State<Control>) -> Result<impl IntoResponse, Problem> {
    let stats = control.stats().await.map_err(unavailable)?;
    let text = exposition(&stats, control.health().uptime.as_secs_f64());
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    ))
}

/// The engines count into plain integers with ready names, so writing them out is all there is to
/// do: a registry of metric objects would only copy them.
///
/// All lines of a family must stand together below its one TYPE line, wherever its counters come
/// from.
fn exposition(stats: &Stats, uptime: f64) -> String {
    let mut families: Vec<(&str, String)> = Vec::new();
    let mut line = |name: &'_ str, family, value: &dyn core::fmt::Display| {
        let at = families.iter().position(|(known, _)| *known == family);
        let at = at.unwrap_or_else(|| {
            families.push((family, String::new()));
            families.len() - 1
        });
        let _ = writeln!(families[at].1, "dunlin_{name} {value}");
    };
    line("uptime_seconds", "uptime_seconds", &uptime);
    line("devices", "devices", &stats.devices);
    for (name, value) in &stats.counters {
        line(name, name.split('{').next().unwrap_or(name), value);
    }
    let mut text = String::new();
    for (family, lines) in families {
        let kind = if family.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let _ = write!(text, "# TYPE dunlin_{family} {kind}\n{lines}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_written_with_their_types() {
        let stats = Stats {
            devices: 2,
            counters: vec![
                ("datagrams_dropped_total{reason=\"malformed\"}".into(), 1),
                ("datagrams_dropped_total{reason=\"unknown\"}".into(), 0),
                ("observations".into(), 3),
                ("datagrams_dropped_total{reason=\"late\"}".into(), 4),
            ],
        };
        assert_eq!(
            exposition(&stats, 1.5),
            "# TYPE dunlin_uptime_seconds gauge\n\
             dunlin_uptime_seconds 1.5\n\
             # TYPE dunlin_devices gauge\n\
             dunlin_devices 2\n\
             # TYPE dunlin_datagrams_dropped_total counter\n\
             dunlin_datagrams_dropped_total{reason=\"malformed\"} 1\n\
             dunlin_datagrams_dropped_total{reason=\"unknown\"} 0\n\
             dunlin_datagrams_dropped_total{reason=\"late\"} 4\n\
             # TYPE dunlin_observations gauge\n\
             dunlin_observations 3\n"
        );
    }
}
