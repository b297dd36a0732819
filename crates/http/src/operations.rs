//! The queue of a device: operations that wait until it is awake, and what came of them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{Level, Path};
use dunlin_server::api::{Device, DeviceOperation, NotCancelled};
use dunlin_server::control::Control;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::build;
use crate::data::parse_body;
use crate::devices::unavailable;
use crate::dto::{AttributesDto, PostDto, WriteDto, WriteRecordDto, even_null, parse_path};
use crate::operation_dto::{OperationDto, STATES, state_name};
use crate::perform::{Manner, QueryResult, location, wait_for};
use crate::problem::Problem;

/// An operation to queue. Beside `path` it takes what the direct call takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OperationToQueue)]
pub(crate) struct OperationRequestDto {
    /// `read`, `discover`, `write`, `update`, `writeAttributes`, `execute`, `create`, `delete`,
    /// `readComposite` or `writeComposite`.
    operation: String,
    /// As in `/3/0/9`; not for composites.
    path: Option<String>,
    /// With `readComposite`.
    paths: Option<Vec<String>>,
    /// With `write`: the value of the one resource.
    #[serde(default, deserialize_with = "even_null")]
    value: Option<Json_>,
    /// With `value`: its type, for resources the server has no definition of.
    #[serde(rename = "type")]
    data_type: Option<String>,
    /// With `write`, `update`, `create`, `writeComposite`: what to write.
    records: Option<Vec<WriteRecordDto>>,
    /// With `create`: the id of the instance.
    instance: Option<u16>,
    /// With `execute`: as in `0='x',1`.
    arguments: Option<String>,
    /// With `writeAttributes`: a number sets, null unsets.
    attributes: Option<AttributesDto>,
    /// With `discover`: levels to list below the path, 0 to 3.
    depth: Option<u8>,
    /// Content format, by number or name; the server chooses when it is absent.
    format: Option<String>,
    /// Seconds it may wait, 1 to 31536000; a week when absent.
    ttl: Option<u32>,
    /// Those with a larger number go first, -32768 to 32767; 0 when absent.
    priority: Option<i16>,
}

/// What each operation takes beside `path`.
const MEMBERS: [(&str, &[&str]); 10] = [
    ("read", &[]),
    ("discover", &["depth"]),
    ("write", &["value", "type", "records"]),
    ("update", &["value", "type", "records"]),
    ("writeAttributes", &["attributes"]),
    ("execute", &["arguments"]),
    ("create", &["instance", "records"]),
    ("delete", &[]),
    ("readComposite", &["paths"]),
    ("writeComposite", &["records"]),
];

impl OperationRequestDto {
    /// Refuses what the operation does not take: somebody meant something by it.
    fn check_members(&self) -> Result<(), Problem> {
        let known = MEMBERS
            .iter()
            .find(|(name, _)| *name == self.operation)
            .ok_or_else(|| {
                let names: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).collect();
                Problem::bad_request(
                    "Bad body",
                    format!(
                        "{:?} is not an operation; there are {}.",
                        self.operation,
                        names.join(", ")
                    ),
                )
            })?;
        let given = [
            ("paths", self.paths.is_some()),
            ("value", self.value.is_some()),
            ("type", self.data_type.is_some()),
            ("records", self.records.is_some()),
            ("instance", self.instance.is_some()),
            ("arguments", self.arguments.is_some()),
            ("attributes", self.attributes.is_some()),
            ("depth", self.depth.is_some()),
        ];
        match given
            .iter()
            .find(|(name, given)| *given && !known.1.contains(name))
        {
            Some((name, _)) => Err(Problem::bad_request(
                "Bad body",
                format!("{} does not take {name:?}.", self.operation),
            )),
            None => Ok(()),
        }
    }

    fn build(
        self,
        app: &App,
        device: Option<&Device>,
    ) -> Result<(DeviceOperation, Manner), Problem> {
        self.check_members()?;
        let manner = Manner::new(None, None, self.ttl, self.priority)?;
        let mut manner = manner.with_format(self.format.as_deref())?;
        let composite = matches!(self.operation.as_str(), "readComposite" | "writeComposite");
        let path = match (&self.path, composite) {
            (Some(path), false) => parse_path(path)?,
            (None, true) => Path::ROOT,
            (Some(_), true) => {
                return Err(Problem::bad_request(
                    "Bad body",
                    "A composite has its paths in \"paths\" or \"records\".",
                ));
            }
            (None, false) => {
                return Err(Problem::bad_request(
                    "Bad body",
                    "Give a \"path\", as in {\"operation\":\"read\",\"path\":\"/3/0/9\"}.",
                ));
            }
        };
        let post = |arguments, instance, records| PostDto {
            arguments,
            instance,
            records,
        };
        let write = WriteDto {
            value: self.value,
            data_type: self.data_type,
            records: None,
        };
        let models = &app.models;
        let operation = match self.operation.as_str() {
            "read" => Operation::Read {
                path: build::at_least_object(path)?,
                accept: manner.format,
            },
            "discover" => build::discover(path, self.depth)?,
            "writeAttributes" => {
                build::write_attributes(path, self.attributes.unwrap_or_default())?
            }
            "execute" | "create" => {
                let (level, needs) = match self.operation.as_str() {
                    "execute" => (Level::Resource, "a resource"),
                    _ => (Level::Object, "an object"),
                };
                if path.level() != level {
                    return Err(Problem::bad_request(
                        "Bad path",
                        format!("{} needs {needs}.", self.operation),
                    ));
                }
                let body = post(self.arguments, self.instance, self.records);
                build::post(models, device, path, body, &mut manner.format)?
            }
            "delete" => build::delete(path)?,
            "readComposite" => {
                build::read_composite(&self.paths.unwrap_or_default(), manner.format)?
            }
            "writeComposite" => {
                build::write_composite(models, device, self.records.unwrap_or_default())?
            }
            name => {
                let mode = match name {
                    "update" => WriteMode::Update,
                    _ => WriteMode::Replace,
                };
                let body = WriteDto {
                    records: self.records,
                    ..write
                };
                build::write(models, device, path, mode, body)?
            }
        };
        Ok((operation, manner))
    }
}

/// For whom an operation may be queued, and how long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// Whether the device may be one of which nothing is known yet; false when absent, so that a
    /// misspelt name is told.
    #[serde(default)]
    away: bool,
    /// Seconds to wait for the end of the operation, 0 to 3600; 0 when absent.
    wait: Option<f64>,
}

/// Queues an operation. It is sent when the device is awake and those before it have ended; when
/// this is answered it is on disk.
#[utoipa::path(post, path = "/devices/{endpoint}/operations", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        QueueQuery),
    request_body = OperationRequestDto,
    responses((status = 201, body = OperationDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult<QueueQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let wait = Manner::new(None, query.wait, None, None)?.wait;
    let body: OperationRequestDto = parse_body(&body)?;
    let control = &app.control;
    if !query.away && !control.knows(&endpoint) {
        return Err(Problem::unknown_endpoint(&endpoint));
    }
    let device = control.device(&endpoint).await.map_err(unavailable)?;
    let (operation, manner) = body.build(&app, device.as_ref())?;
    let operation = control
        .enqueue(&endpoint, operation, manner.queue()?)
        .await
        .map_err(|error| Problem::of_operation(&endpoint, error))?;
    let ended = wait_for(control, &operation, wait.unwrap_or_default()).await?;
    let operation = ended.unwrap_or(operation);
    let body = Json(OperationDto::from(&*operation));
    Ok((StatusCode::CREATED, location(&operation), body).into_response())
}

/// Which operations to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those in this state: `queued`, `sent`, `done`, `failed`, `expired` or `cancelled`.
    state: Option<String>,
    /// At most so many, 1 to 1000; 100 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of operations.
#[derive(Serialize, ToSchema)]
#[schema(as = OperationList)]
pub(crate) struct OperationListDto {
    /// The newest first.
    items: Vec<OperationDto>,
    /// Give this as `cursor` to get the next page; null at the end.
    next: Option<String>,
}

/// Lists the operations of a device that wait and those that ended lately, the newest first.
#[utoipa::path(get, path = "/devices/{endpoint}/operations", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ListQuery),
    responses((status = 200, body = OperationListDto), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(control): State<Control>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult<ListQuery>,
) -> Result<Json<OperationListDto>, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad_request(
            "Bad query",
            "limit must be from 1 to 1000.",
        ));
    }
    if let Some(state) = &query.state
        && !STATES.contains(&state.as_str())
    {
        return Err(Problem::bad_request(
            "Bad query",
            format!("{state:?} is not a state; there are {}.", STATES.join(", ")),
        ));
    }
    let before = match query.cursor.as_deref().map(str::parse) {
        None => None,
        Some(Ok(before)) => Some(before),
        Some(Err(_)) => {
            return Err(Problem::bad_request(
                "Bad query",
                "cursor must be the \"next\" of a page.",
            ));
        }
    };
    let wanted = |state: &_| {
        query
            .state
            .as_ref()
            .is_none_or(|name| name == state_name(state))
    };
    let page = control
        .operations(&endpoint, before, limit, wanted)
        .ok_or_else(|| Problem::unknown_endpoint(&endpoint))?;
    let last = page.items.last().filter(|_| page.more);
    Ok(Json(OperationListDto {
        next: last.map(|operation| operation.id.to_string()),
        items: page.items.iter().map(|found| (&**found).into()).collect(),
    }))
}

fn unknown_operation(endpoint: &str, id: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Unknown operation",
        format!("{endpoint:?} has no operation {id:?}; results are kept for a week."),
    )
}

/// Looks up an operation.
#[utoipa::path(get, path = "/devices/{endpoint}/operations/{id}", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("id" = String, Path, description = "Id of the operation")),
    responses((status = 200, body = OperationDto), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(control): State<Control>,
    UrlPath((endpoint, id)): UrlPath<(String, String)>,
) -> Result<Json<OperationDto>, Problem> {
    let found = id
        .parse()
        .ok()
        .and_then(|id| control.operation(&endpoint, id));
    let found = found.ok_or_else(|| unknown_operation(&endpoint, &id))?;
    Ok(Json((&*found).into()))
}

/// Cancels an operation that has not been sent.
#[utoipa::path(delete, path = "/devices/{endpoint}/operations/{id}", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("id" = String, Path, description = "Id of the operation")),
    responses((status = 200, body = OperationDto), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(crate) async fn cancel(
    State(control): State<Control>,
    UrlPath((endpoint, id)): UrlPath<(String, String)>,
) -> Result<Json<OperationDto>, Problem> {
    let number = id.parse().map_err(|_| unknown_operation(&endpoint, &id))?;
    let cancelled = control
        .cancel_operation(&endpoint, number)
        .await
        .map_err(unavailable)?;
    let conflict = |detail: &str| Problem::new(StatusCode::CONFLICT, "Too late", detail);
    match cancelled {
        Ok(operation) => Ok(Json((&*operation).into())),
        Err(NotCancelled::Unknown) => Err(unknown_operation(&endpoint, &id)),
        Err(NotCancelled::Sent) => Err(conflict("The operation is on its way to the device.")),
        Err(NotCancelled::Ended) => Err(conflict("The operation has ended.")),
    }
}

/// How long a device stays awake.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AwakeTime)]
pub(crate) struct AwakeTimeDto {
    /// Seconds after each of its messages, 1 to 86400.
    seconds: u32,
}

/// Says how long a device in queue mode stays awake after each of its messages; without it that is
/// learned.
#[utoipa::path(put, path = "/devices/{endpoint}/awake-time", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    request_body = AwakeTimeDto,
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn set_awake_time(
    State(control): State<Control>,
    UrlPath(endpoint): UrlPath<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let AwakeTimeDto { seconds } = parse_body(&body)?;
    if !(1..=86_400).contains(&seconds) {
        return Err(Problem::bad_request(
            "Bad body",
            "seconds must be from 1 to 86400.",
        ));
    }
    awake_time(&control, &endpoint, Some(seconds)).await
}

/// Takes back what was said about the awake time of a device, and forgets what was learned.
#[utoipa::path(delete, path = "/devices/{endpoint}/awake-time", tag = "operations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn forget_awake_time(
    State(control): State<Control>,
    UrlPath(endpoint): UrlPath<String>,
) -> Result<StatusCode, Problem> {
    awake_time(&control, &endpoint, None).await
}

async fn awake_time(
    control: &Control,
    endpoint: &str,
    seconds: Option<u32>,
) -> Result<StatusCode, Problem> {
    if !control.knows(endpoint) {
        return Err(Problem::unknown_endpoint(endpoint));
    }
    match control.set_awake_time(endpoint, seconds).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many awake times",
            "The server keeps no more awake times.",
        )),
        Err(error) => Err(unavailable(error)),
    }
}
