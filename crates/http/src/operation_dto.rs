//! The JSON shape of a queued operation, and what a device answered to an operation of any kind.

use dunlin_coap::link::Links;
use dunlin_lwm2m::Path;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_server::api::{DeviceOperation, OperateError, OperationState, Outcome, QueuedOperation};
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::{AnswerDto, LinkDto};
use crate::problem::Problem;

/// An operation in the queue of a device, or how it ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub(crate) struct OperationDto {
    /// Id, unique on this server.
    id: String,
    /// The device.
    endpoint: String,
    /// `read`, `discover`, `write`, `update`, `writeAttributes`, `execute`, `create`, `delete`,
    /// `readComposite` or `writeComposite`.
    operation: &'static str,
    /// What it is about; `/` for a composite.
    path: String,
    /// The paths of a composite.
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<String>>,
    /// Those with a larger number go first; among equals the first come.
    priority: i16,
    /// Seconds it may wait, from its creation.
    ttl: u64,
    /// Unix seconds.
    created_at: f64,
    /// Unix seconds; when it ends at the latest, unless it is on its way then.
    expires_at: f64,
    /// Unix seconds.
    finished_at: Option<f64>,
    /// How often it was sent, not counting retransmissions.
    attempts: u32,
    /// `queued`, `sent`, `done`, `failed`, `expired` or `cancelled`.
    state: &'static str,
    /// With `done`: what the direct call would have answered.
    result: Option<AnswerDto>,
    /// With `failed`: what the direct call would have answered.
    error: Option<Problem>,
}

/// The name of an operation.
const fn name(operation: &DeviceOperation) -> &'static str {
    match operation {
        Operation::Read { .. } => "read",
        Operation::Discover { .. } => "discover",
        Operation::Write {
            mode: WriteMode::Replace,
            ..
        } => "write",
        Operation::Write {
            mode: WriteMode::Update,
            ..
        } => "update",
        Operation::WriteAttributes { .. } => "writeAttributes",
        Operation::Execute { .. } => "execute",
        Operation::Create { .. } => "create",
        Operation::Delete { .. } => "delete",
        Operation::ReadComposite { .. } => "readComposite",
        Operation::WriteComposite { .. } => "writeComposite",
        Operation::Observe { .. } | Operation::ObserveComposite { .. } => "observe",
        Operation::CancelObserve { .. } | Operation::CancelObserveComposite { .. } => {
            "cancelObservation"
        }
    }
}

/// The name of a state.
pub(crate) const fn state_name(state: &OperationState) -> &'static str {
    match state {
        OperationState::Queued => "queued",
        OperationState::Sent => "sent",
        OperationState::Done(_) => "done",
        OperationState::Failed(_) => "failed",
        OperationState::Expired => "expired",
        OperationState::Cancelled => "cancelled",
    }
}

/// The names of all states.
pub(crate) const STATES: [&str; 6] = ["queued", "sent", "done", "failed", "expired", "cancelled"];

impl From<&QueuedOperation> for OperationDto {
    fn from(operation: &QueuedOperation) -> Self {
        let (mut result, mut error) = (None, None);
        match &operation.state {
            OperationState::Done(outcome) => match answer(&operation.operation, outcome) {
                Ok(answer) => result = Some(answer),
                Err(why) => error = Some(Problem::of_operation(&operation.endpoint, why)),
            },
            OperationState::Failed(why) => {
                error = Some(Problem::of_operation(&operation.endpoint, why.clone()));
            }
            _ => {}
        }
        let records = match &operation.operation {
            Operation::ReadComposite { paths: body, .. } | Operation::WriteComposite { body } => {
                Some(body)
            }
            _ => None,
        };
        Self {
            id: operation.id.to_string(),
            endpoint: operation.endpoint.clone(),
            operation: name(&operation.operation),
            path: operation.operation.path().to_string(),
            paths: records.map(|records| {
                let paths = records.iter().map(|record| record.path.to_string());
                paths.collect()
            }),
            priority: operation.priority,
            ttl: (operation.expires_at - operation.created_at).round() as u64,
            created_at: operation.created_at,
            expires_at: operation.expires_at,
            finished_at: operation.ended_at,
            attempts: operation.attempts,
            state: match error {
                Some(_) => "failed",
                None => state_name(&operation.state),
            },
            result,
            error,
        }
    }
}

/// What a device answered to an operation.
pub(crate) fn answer(
    operation: &DeviceOperation,
    outcome: &Outcome,
) -> Result<AnswerDto, OperateError> {
    match operation {
        Operation::Read { .. } | Operation::ReadComposite { .. } => {
            Ok(AnswerDto::with_records(outcome))
        }
        Operation::Discover { .. } => {
            let text = outcome.links.as_deref().unwrap_or_default();
            let links = links_of(text).map_err(OperateError::Undecodable)?;
            Ok(AnswerDto::with_links(outcome, links))
        }
        _ => Ok(AnswerDto::plain(outcome)),
    }
}

/// The links of an answer, their paths as everywhere: without the alternate path of the device.
fn links_of(text: &str) -> Result<Vec<LinkDto>, String> {
    let mut links = Vec::new();
    for link in Links::new(text) {
        let link = link.map_err(|error| format!("the links: {error}"))?;
        let attributes = link.parameters().map(|parameter| {
            let value = parameter.value.map(|value| value.to_string());
            (parameter.name.to_owned(), value.unwrap_or_default())
        });
        links.push(LinkDto {
            path: without_root(link.target),
            attributes: attributes.collect(),
        });
    }
    Ok(links)
}

/// An alternate path has no segment that is a number alone (Transport 1.2 §6.4.1), so the first one
/// that is begins the path.
fn without_root(target: &str) -> String {
    let starts = target.match_indices('/').map(|(at, _)| at);
    let path = starts
        .map(|at| target.split_at(at).1)
        .find(|rest| rest.parse::<Path>().is_ok_and(|path| path != Path::ROOT));
    path.unwrap_or(target).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lose_the_alternate_path() {
        for (target, path) in [
            ("/3/0/9", "/3/0/9"),
            ("/lwm2m/3/0", "/3/0"),
            ("/a/b2/3303", "/3303"),
            ("/", "/"),
            ("/lwm2m", "/lwm2m"),
        ] {
            assert_eq!(without_root(target), path);
        }
    }
}
