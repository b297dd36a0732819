//! Server-sent events, resumable by `Last-Event-ID`.

use core::convert::Infallible;
use core::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event as SseEvent, KeepAlive};
use dunlin_server::api::{Event, EventKind};
use dunlin_server::control::{Control, Delivery, Subscription};
use futures_util::{Stream, StreamExt, future};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::dto::{DeviceDto, RecordDto, records};
use crate::firmware::FirmwareDto;
use crate::operation_dto::OperationDto;
use crate::problem::Problem;

/// Which events to send.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct EventsQuery {
    /// Only events of this device.
    endpoint: Option<String>,
    /// Only these, as in `registration,update`; all when absent. `reset` comes in any case.
    types: Option<String>,
    /// Resume after this event; the header `Last-Event-ID` wins.
    last_event_id: Option<u64>,
}

/// The data of an event; its name says which fields are there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(crate) struct EventDto {
    /// The device.
    endpoint: String,
    /// Unix seconds.
    time: f64,
    /// With `registration` and `update`.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceDto>,
    /// With `notification`: id of the observation.
    #[serde(skip_serializing_if = "Option::is_none")]
    observation: Option<String>,
    /// With `notification`: what is observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// With `notification` and `send`: the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<RecordDto>>,
    /// With `operation`: how it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<OperationDto>,
    /// With `firmware`: how the update stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<FirmwareDto>,
}

/// Sends what happens, as it happens: `registration`, `update`, `deregistration`, `expiry`,
/// `notification`, `operation`, `firmware`, `send`; and `reset` when events were missed and the
/// devices must be read anew.
#[utoipa::path(get, path = "/events", params(EventsQuery), tag = "events",
    responses((status = 200, content_type = "text/event-stream", body = EventDto),
        (status = 400, body = Problem)))]
pub(crate) async fn events(
    State(control): State<Control>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    // An id that is none of ours is as good as one that is gone: the client must not go on as if
    // it had missed nothing.
    let after = headers
        .get("last-event-id")
        .map(|id| id.to_str().ok().and_then(|id| id.parse().ok()))
        .map(|id| id.unwrap_or(u64::MAX))
        .or(query.last_event_id);
    let endpoint = query.endpoint;
    let types = query.types.as_deref().map(parse_types).transpose()?;
    let subscription = control.subscribe(after);
    let mut passed_over = 0_u32;
    let stream = deliveries(subscription).filter_map(move |delivery| {
        future::ready(match delivery {
            Delivery::Reset(id) => Some(Ok(SseEvent::default()
                .event("reset")
                .id(id.to_string())
                .data("{}"))),
            Delivery::Event(event) => {
                let wanted = endpoint
                    .as_ref()
                    .is_none_or(|endpoint| *endpoint == event.endpoint)
                    && types
                        .as_ref()
                        .is_none_or(|types| types.contains(&name(&event.kind)));
                passed_over = if wanted { 0 } else { passed_over + 1 };
                if wanted {
                    Some(Ok(to_sse(&event)))
                } else if passed_over >= PLACE_AFTER {
                    passed_over = 0;
                    Some(Ok(SseEvent::default().id(event.id.to_string())))
                } else {
                    None
                }
            }
        })
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// After so many events that a subscriber does not want it is told its place, as an id without
/// data (which a browser remembers and does not dispatch); else the place it comes back with might
/// be long gone.
const PLACE_AFTER: u32 = 1024;

const NAMES: [&str; 8] = [
    "registration",
    "update",
    "deregistration",
    "expiry",
    "notification",
    "operation",
    "firmware",
    "send",
];

const fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Registration(_) => "registration",
        EventKind::Update(_) => "update",
        EventKind::Deregistration => "deregistration",
        EventKind::Expiry => "expiry",
        EventKind::Notification { .. } => "notification",
        EventKind::Operation(_) => "operation",
        EventKind::Firmware(_) => "firmware",
        EventKind::Send { .. } => "send",
    }
}

fn parse_types(text: &str) -> Result<Vec<&'static str>, Problem> {
    text.split(',')
        .map(|word| {
            let known = NAMES.into_iter().find(|name| *name == word.trim());
            known.ok_or_else(|| {
                Problem::bad_request(
                    "Bad query",
                    format!(
                        "{word:?} is not a type of event; there are {}.",
                        NAMES.join(", ")
                    ),
                )
            })
        })
        .collect()
}

fn deliveries(subscription: Subscription) -> impl Stream<Item = Delivery> {
    futures_util::stream::unfold(subscription, |mut subscription| async move {
        let delivery = subscription.next().await?;
        Some((delivery, subscription))
    })
}

fn to_sse(event: &Event) -> SseEvent {
    let mut dto = EventDto {
        endpoint: event.endpoint.clone(),
        time: event.time,
        device: None,
        observation: None,
        path: None,
        records: None,
        operation: None,
        firmware: None,
    };
    match &event.kind {
        EventKind::Registration(device) | EventKind::Update(device) => {
            dto.device = Some(device.clone().into());
        }
        EventKind::Deregistration | EventKind::Expiry => {}
        EventKind::Send { records: values } => dto.records = Some(records(values)),
        EventKind::Operation(operation) => dto.operation = Some((&**operation).into()),
        EventKind::Firmware(status) => dto.firmware = Some(status.clone().into()),
        EventKind::Notification {
            wish,
            path,
            records: values,
        } => {
            dto.observation = Some(wish.to_string());
            dto.path = Some(path.to_string());
            dto.records = Some(records(values));
        }
    }
    // JSON escapes every line break, so no endpoint name can break out of its event.
    let data = serde_json::to_string(&dto).unwrap_or_default();
    SseEvent::default()
        .event(name(&event.kind))
        .id(event.id.to_string())
        .data(data)
}
