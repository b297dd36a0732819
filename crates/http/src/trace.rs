//! The trace of a device: its latest messages, explained or as a capture file.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use dunlin_server::trace::{Datagram, Direction, Explained, explain, pcap};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::devices::unavailable;
use crate::dto::ListDto;
use crate::hex::to_hex;
use crate::problem::Problem;

/// A message, or a datagram that is none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TracedMessage)]
pub(crate) struct TracedDto {
    /// Unix seconds.
    time: f64,
    /// `in` from the device, `out` to it.
    direction: &'static str,
    /// Address and port of the device.
    peer: String,
    /// One line that tells the message.
    summary: String,
    /// As in `2.05 Content`; null when the datagram is no CoAP message.
    code: Option<String>,
    /// `CON`, `NON`, `ACK` or `RST`.
    #[serde(rename = "type")]
    ty: Option<&'static str>,
    /// Message ID.
    message_id: Option<u16>,
    /// Token in hexadecimal digits.
    token: String,
    /// Options in the order of the message.
    options: Vec<OptionDto>,
    /// Payload in hexadecimal digits; all bytes of a datagram that is no message.
    payload: String,
    /// What the payload says, one record a line; null when there is none, or its format or path is
    /// not known.
    decoded: Option<String>,
}

/// An option of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = TracedOption)]
pub(crate) struct OptionDto {
    /// As in `Uri-Path`, or `Option 65000`.
    name: String,
    /// Text, a number, or hexadecimal digits.
    value: String,
}

/// The port of `coap` (RFC 7252 §6.1): what Wireshark reads as CoAP.
const DEFAULT_PORT: u16 = 5683;

impl From<Explained> for TracedDto {
    fn from(explained: Explained) -> Self {
        let options = explained.options.into_iter();
        Self {
            time: explained.time,
            direction: match explained.direction {
                Direction::In => "in",
                Direction::Out => "out",
            },
            peer: explained.peer.to_string(),
            summary: explained.summary,
            code: explained.code,
            ty: explained.ty,
            message_id: explained.message_id,
            token: to_hex(&explained.token),
            options: options
                .map(|(name, value)| OptionDto { name, value })
                .collect(),
            payload: to_hex(&explained.payload),
            decoded: explained.decoded,
        }
    }
}

async fn datagrams(app: &App, endpoint: &str) -> Result<Vec<Datagram>, Problem> {
    let found = app.control.trace(endpoint).await.map_err(unavailable)?;
    found.ok_or_else(|| Problem::unknown_endpoint(endpoint))
}

/// Lists the latest messages of a device in both directions, oldest first; also of one whose
/// Register was refused. Devices that share an address and a port share their messages.
#[utoipa::path(get, path = "/devices/{endpoint}/trace", tag = "devices",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 200, body = ListDto<TracedDto>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    Path(endpoint): Path<String>,
) -> Result<Json<ListDto<TracedDto>>, Problem> {
    let datagrams = datagrams(&app, &endpoint).await?;
    let device = app.control.device(&endpoint).await.map_err(unavailable)?;
    let explained = explain(&datagrams, device.as_ref(), &app.models);
    let items = explained.into_iter().map(TracedDto::from).collect();
    Ok(Json(ListDto::all(items)))
}

/// The same as a capture file for Wireshark, with IP and UDP headers around the messages.
#[utoipa::path(get, path = "/devices/{endpoint}/trace.pcap", tag = "devices",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 200, content_type = "application/vnd.tcpdump.pcap", body = Vec<u8>),
        (status = 404, body = Problem)))]
pub(crate) async fn capture(
    State(app): State<App>,
    Path(endpoint): Path<String>,
) -> Result<Response, Problem> {
    let datagrams = datagrams(&app, &endpoint).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"trace.pcap\"",
        ),
    ];
    // Messages of DTLS are shown as they were inside it, so the port is that of CoAP.
    let server = app.control.coap_address();
    let server = server.or_else(|| {
        let coaps = app.control.coaps_address()?;
        Some(SocketAddr::new(coaps.ip(), DEFAULT_PORT))
    });
    let server = server.unwrap_or((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into());
    Ok((headers, pcap(server, &datagrams)).into_response())
}
