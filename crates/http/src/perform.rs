//! An operation carried out at once, or queued for a device that sleeps.

use core::time::Duration;

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dunlin_lwm2m::ContentFormat;
use dunlin_lwm2m::operation::Operation;
use dunlin_server::api::{
    DeviceOperation, OperateOptions, OperationState, Outcome, QueueOptions, QueuedOperation,
    Requested,
};
use dunlin_server::control::Control;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::devices::unavailable;
use crate::operation_dto::{OperationDto, answer};
use crate::problem::Problem;

/// How to carry out the operation.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OperateQuery {
    /// Content format: a number, or text, opaque, cbor, senml-json, senml-cbor, tlv. The server
    /// chooses one that the device's version knows when it is absent.
    format: Option<String>,
    /// Seconds to wait for the device, 0.1 to 3600; 95 when absent, which is longer than CoAP
    /// retransmits.
    timeout: Option<f64>,
    /// With a device in queue mode: seconds to wait for the result, 0 to 3600, before the answer is
    /// 202 and the operation stays in the queue. When absent 0 if the device sleeps, else
    /// `timeout`.
    wait: Option<f64>,
    /// With a device in queue mode: seconds the operation may stay in the queue, 1 to 31536000;
    /// a week when absent.
    ttl: Option<u32>,
    /// With a device in queue mode: those with a larger number go first, -32768 to 32767; 0 when
    /// absent.
    priority: Option<i16>,
    /// Whether the request is Confirmable; true when absent. Only an Execute may be sent with
    /// false, to a device of 1.1 or later without queue mode: once, and whoever gets no answer
    /// (504) does not know whether it was carried out.
    confirmable: Option<bool>,
}

/// MAX_TRANSMIT_WAIT is 93 s (RFC 7252 §4.8.2): by then CoAP itself has given up.
const DEFAULT_TIMEOUT: f64 = 95.0;

pub(crate) type QueryResult<Q> = Result<Query<Q>, QueryRejection>;

/// What a query says about how to carry an operation out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) format: Option<ContentFormat>,
    pub(crate) timeout: Duration,
    pub(crate) wait: Option<Duration>,
    pub(crate) ttl: Option<u32>,
    pub(crate) priority: i16,
    pub(crate) confirmable: bool,
}

impl OperateQuery {
    pub(crate) fn manner(query: QueryResult<Self>) -> Result<Manner, Problem> {
        let Query(query) =
            query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
        let manner = Manner::new(query.timeout, query.wait, query.ttl, query.priority)?;
        Manner {
            confirmable: query.confirmable.unwrap_or(true),
            ..manner
        }
        .with_format(query.format.as_deref())
    }
}

impl Manner {
    pub(crate) fn new(
        timeout: Option<f64>,
        wait: Option<f64>,
        ttl: Option<u32>,
        priority: Option<i16>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            format: None,
            timeout: seconds("timeout", timeout.unwrap_or(DEFAULT_TIMEOUT), 0.1)?,
            wait: wait.map(|wait| seconds("wait", wait, 0.0)).transpose()?,
            ttl,
            priority: priority.unwrap_or(0),
            confirmable: true,
        })
    }

    pub(crate) fn with_format(self, format: Option<&str>) -> Result<Self, Problem> {
        let format = match format {
            None => None,
            Some(text) => Some(
                text.parse()
                    .ok()
                    .map(ContentFormat)
                    .or_else(|| ContentFormat::from_name(text))
                    .ok_or_else(|| {
                        Problem::bad_request(
                            "Bad format",
                            format!(
                                "{text:?} is not a content format: give its number, or text, \
                                 opaque, cbor, senml-json, senml-cbor, tlv."
                            ),
                        )
                    })?,
            ),
        };
        Ok(Self { format, ..self })
    }

    /// How the operation is queued.
    pub(crate) fn queue(&self) -> Result<QueueOptions, Problem> {
        let default = QueueOptions::default();
        let ttl = match self.ttl.map(|ttl| Duration::from_secs(ttl.into())) {
            None => default.ttl,
            Some(ttl) if !ttl.is_zero() && ttl <= QueueOptions::LONGEST => ttl,
            Some(_) => {
                return Err(Problem::bad_request(
                    "Bad query",
                    "ttl must be from 1 to 31536000 seconds.",
                ));
            }
        };
        Ok(QueueOptions {
            format: self.format,
            ttl,
            priority: self.priority,
        })
    }
}

fn seconds(name: &str, seconds: f64, least: f64) -> Result<Duration, Problem> {
    if !(least..=3600.0).contains(&seconds) {
        return Err(Problem::bad_request(
            "Bad query",
            format!("{name} must be from {least} to 3600 seconds."),
        ));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Carries out an operation at once, or queues it when the device uses queue mode; then waits for
/// the result as long as it may be expected soon.
pub(crate) async fn perform(
    control: &Control,
    endpoint: &str,
    operation: DeviceOperation,
    manner: &Manner,
) -> Result<Response, Problem> {
    let options = OperateOptions {
        format: manner.format,
        timeout: manner.timeout,
        confirmable: manner.confirmable,
    };
    let requested = control
        .request(endpoint, operation.clone(), options, manner.queue()?)
        .await
        .map_err(|error| Problem::of_operation(endpoint, error))?;
    match requested {
        Requested::Answered(outcome) => answered(endpoint, &operation, &outcome),
        Requested::Queued { operation, awake } => {
            let usual = if awake {
                manner.timeout
            } else {
                Duration::ZERO
            };
            let wait = manner.wait.unwrap_or(usual);
            match wait_for(control, &operation, wait).await? {
                Some(ended) => finished(&ended),
                None => Ok(accepted(control, &operation)),
            }
        }
    }
}

/// Waits so long for the end of an operation; `None` when that was not long enough.
pub(crate) async fn wait_for(
    control: &Control,
    operation: &QueuedOperation,
    wait: Duration,
) -> Result<Option<std::sync::Arc<QueuedOperation>>, Problem> {
    if wait.is_zero() {
        return Ok(None);
    }
    let ended = control.ended(&operation.endpoint, operation.id);
    match tokio::time::timeout(wait, ended).await {
        Ok(ended) => ended.map_err(unavailable),
        Err(_) => Ok(None),
    }
}

fn answered(
    endpoint: &str,
    operation: &DeviceOperation,
    outcome: &Outcome,
) -> Result<Response, Problem> {
    let answer =
        answer(operation, outcome).map_err(|error| Problem::of_operation(endpoint, error))?;
    let status = match operation {
        Operation::Create { .. } => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(answer)).into_response())
}

/// What a direct call answers when its operation has ended.
fn finished(operation: &QueuedOperation) -> Result<Response, Problem> {
    match &operation.state {
        OperationState::Done(outcome) => {
            answered(&operation.endpoint, &operation.operation, outcome)
        }
        OperationState::Failed(error) => {
            Err(Problem::of_operation(&operation.endpoint, error.clone()))
        }
        OperationState::Cancelled => Err(Problem::new(
            StatusCode::CONFLICT,
            "Cancelled",
            "Somebody cancelled the operation before it was sent.",
        )),
        _ => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Expired",
            "The time to live of the operation ran out before the device could be asked.",
        )),
    }
}

/// The operation as it stands now, and where it can be found.
fn accepted(control: &Control, operation: &QueuedOperation) -> Response {
    let now = control.operation(&operation.endpoint, operation.id);
    let operation = now.as_deref().unwrap_or(operation);
    let body = Json(OperationDto::from(operation));
    (StatusCode::ACCEPTED, location(operation), body).into_response()
}

/// Where an operation can be found.
pub(crate) fn location(operation: &QueuedOperation) -> HeaderMap {
    let endpoint: String = operation
        .endpoint
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let location = format!("/api/v1/devices/{endpoint}/operations/{}", operation.id);
    let location = HeaderValue::try_from(location).ok();
    location
        .map(|location| (header::LOCATION, location))
        .into_iter()
        .collect()
}

/// Does what waits for the disk where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "Failed", error.to_string())
    })
}
