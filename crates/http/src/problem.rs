//! Errors as problem details (RFC 9457), with the device's CoAP code when it gave one.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dunlin_coap::Code;
use dunlin_server::api::OperateError;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong and what to do about it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// Always `about:blank`: the title says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Short and stable.
    title: String,
    /// HTTP status.
    status: u16,
    /// What was wrong in this request and what to do.
    detail: String,
    /// The device's response code, as in `4.04`.
    #[serde(skip_serializing_if = "Option::is_none")]
    coap_code: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: title.to_owned(),
            status: status.as_u16(),
            detail: shortened(detail.into()),
            coap_code: None,
        }
    }

    pub(crate) fn bad_request(title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title, detail)
    }

    pub(crate) fn unknown_endpoint(endpoint: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Unknown endpoint",
            format!(
                "No device is registered as {endpoint:?}. GET /api/v1/devices lists those that are."
            ),
        )
    }

    fn device(code: Code, diagnostic: &str) -> Self {
        let colon = if diagnostic.is_empty() { "" } else { ": " };
        Self {
            coap_code: Some(code.to_string()),
            ..Self::new(
                status_of(code),
                "The device refused",
                format!("The device answered {code:?}{colon}{diagnostic}"),
            )
        }
    }

    pub(crate) fn of_operation(endpoint: &str, error: OperateError) -> Self {
        let detail = error.to_string();
        match error {
            OperateError::UnknownEndpoint => Self::unknown_endpoint(endpoint),
            OperateError::Invalid(detail) => Self::bad_request("Invalid operation", detail),
            OperateError::Timeout => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "No answer",
                "The device did not answer in time. It may be asleep or out of reach; \
                 try again, or give it longer with ?timeout=SECONDS.",
            ),
            OperateError::Device { code, diagnostic } => Self::device(code, &diagnostic),
            OperateError::Reset => {
                Self::new(StatusCode::BAD_GATEWAY, "Reset by the device", detail)
            }
            OperateError::Undecodable(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "Unreadable answer", detail)
            }
            OperateError::RegistrationEnded => {
                Self::new(StatusCode::BAD_GATEWAY, "Registration ended", detail)
            }
            OperateError::QueueFull => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "The queue is full", detail)
            }
            OperateError::Unknown => Self::new(StatusCode::BAD_GATEWAY, "Outcome unknown", detail),
            OperateError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many operations",
                detail,
            ),
        }
    }
}

/// What was wrong is quoted, and may be a mebibyte of it: its begin tells what it was, and the end
/// of the sentence what is wrong with it.
fn shortened(detail: String) -> String {
    let (Some((head, _)), Some((tail, _))) = (
        detail.char_indices().nth(MAX_DETAIL - DETAIL_END),
        detail.char_indices().rev().nth(DETAIL_END),
    ) else {
        return detail;
    };
    if tail <= head {
        return detail;
    }
    format!("{} … {}", &detail[..head], &detail[tail..])
}

const MAX_DETAIL: usize = 400;
const DETAIL_END: usize = 100;

/// The HTTP status for a device's error code. 4.01 is not 401, which would ask the *caller* for
/// credentials; what has no counterpart is a bad gateway.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::BAD_REQUEST => StatusCode::BAD_REQUEST,
        Code::UNAUTHORIZED | Code::FORBIDDEN => StatusCode::FORBIDDEN,
        Code::NOT_FOUND => StatusCode::NOT_FOUND,
        Code::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        Code::NOT_ACCEPTABLE => StatusCode::NOT_ACCEPTABLE,
        Code::CONFLICT => StatusCode::CONFLICT,
        Code::PRECONDITION_FAILED => StatusCode::PRECONDITION_FAILED,
        Code::REQUEST_ENTITY_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UNSUPPORTED_CONTENT_FORMAT => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::NOT_IMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        Code::SERVICE_UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        Code::GATEWAY_TIMEOUT => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_codes_map_to_statuses() {
        for (code, status) in [
            (Code::BAD_REQUEST, 400),
            (Code::UNAUTHORIZED, 403),
            (Code::BAD_OPTION, 502),
            (Code::FORBIDDEN, 403),
            (Code::NOT_FOUND, 404),
            (Code::METHOD_NOT_ALLOWED, 405),
            (Code::NOT_ACCEPTABLE, 406),
            (Code::REQUEST_ENTITY_INCOMPLETE, 502),
            (Code::CONFLICT, 409),
            (Code::PRECONDITION_FAILED, 412),
            (Code::REQUEST_ENTITY_TOO_LARGE, 413),
            (Code::UNSUPPORTED_CONTENT_FORMAT, 415),
            (Code::INTERNAL_SERVER_ERROR, 502),
            (Code::NOT_IMPLEMENTED, 501),
            (Code::SERVICE_UNAVAILABLE, 503),
            (Code::GATEWAY_TIMEOUT, 504),
        ] {
            let error = OperateError::Device {
                code,
                diagnostic: String::new(),
            };
            let problem = Problem::of_operation("dev", error);
            assert_eq!(problem.status, status, "{code:?}");
            assert_eq!(problem.coap_code, Some(code.to_string()));
        }
    }

    #[test]
    fn long_details_keep_both_ends() {
        for text in ["", "ä", &"ä".repeat(MAX_DETAIL)] {
            assert_eq!(shortened(text.to_owned()), text);
        }
        let long = format!("begin {} end", "ä".repeat(1 << 20));
        let short = shortened(long);
        assert!(short.starts_with("begin ä") && short.ends_with("ä end"));
        assert!(short.chars().count() < MAX_DETAIL + 10, "{short}");
    }

    #[test]
    fn timeout_is_504_and_unknown_endpoint_404() {
        assert_eq!(
            Problem::of_operation("dev", OperateError::Timeout).status,
            504
        );
        assert_eq!(
            Problem::of_operation("dev", OperateError::UnknownEndpoint).status,
            404
        );
    }
}
