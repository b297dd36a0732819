//! Device management: Read, Write, Execute, Create, Delete, Discover, Write-Attributes.

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use dunlin_lwm2m::Level;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_server::control::Control;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::App;
use crate::build::{self, at_least_object};
use crate::devices::find;
use crate::dto::{AnswerDto, AttributesDto, PostDto, WriteDto, parse_path};
use crate::operation_dto::OperationDto;
use crate::perform::{Manner, OperateQuery, QueryResult, perform};
use crate::problem::Problem;

/// How to discover.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiscoverQuery {
    /// Seconds to wait for the device, 0.1 to 3600; 95 when absent.
    timeout: Option<f64>,
    /// Levels to list below the path, 0 to 3; devices before 1.2 are not told.
    depth: Option<u8>,
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
}

/// Reads an object, an instance, a resource or a resource instance.
#[utoipa::path(get, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3/0/9"), OperateQuery),
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn read(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let path = at_least_object(parse_path(&path)?)?;
    let operation = Operation::Read {
        path,
        accept: manner.format,
    };
    perform(&control, &endpoint, operation, &manner).await
}

/// Writes, replacing what was there: a resource, or all writable resources of an instance.
#[utoipa::path(put, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 1/0/1"), OperateQuery),
    request_body = WriteDto,
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn replace(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    write(&app, &endpoint, &path, WriteMode::Replace, query, &body).await
}

/// Writes, leaving what is not given as it is: an instance, or a multiple resource.
#[utoipa::path(patch, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 1/0"), OperateQuery),
    request_body = WriteDto,
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    write(&app, &endpoint, &path, WriteMode::Update, query, &body).await
}

async fn write(
    app: &App,
    endpoint: &str,
    path: &str,
    mode: WriteMode,
    query: QueryResult<OperateQuery>,
    body: &[u8],
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let path = parse_path(path)?;
    build::check_write(path, mode)?;
    let device = find(&app.control, endpoint).await?;
    let body: WriteDto = parse_body(body)?;
    let operation = build::write(&app.models, Some(&device), path, mode, body)?;
    perform(&app.control, endpoint, operation, &manner).await
}

/// Executes a resource (with arguments as text or as `{"arguments":…}`), or creates an instance of
/// an object (with `{"records":[…]}`).
#[utoipa::path(post, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "A resource, as in 3/0/4, or an object, as in 3303"),
        OperateQuery),
    request_body = PostDto,
    responses((status = 200, description = "Executed", body = AnswerDto),
        (status = 201, description = "Created", body = AnswerDto),
        (status = 202, body = OperationDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn post(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let mut manner = OperateQuery::manner(query)?;
    let path = parse_path(&path)?;
    let is_text = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/plain"));
    let body = if is_text {
        let arguments = String::from_utf8(body.to_vec())
            .map_err(|_| Problem::bad_request("Bad body", "Arguments must be UTF-8 text."))?;
        PostDto {
            arguments: Some(arguments),
            ..PostDto::default()
        }
    } else if body.is_empty() {
        PostDto::default()
    } else {
        parse_body(&body)?
    };
    let device = match path.level() {
        Level::Object => Some(find(&app.control, &endpoint).await?),
        _ => None,
    };
    let models = &app.models;
    let operation = build::post(models, device.as_ref(), path, body, &mut manner.format)?;
    perform(&app.control, &endpoint, operation, &manner).await
}

/// Deletes an object instance.
#[utoipa::path(delete, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3303/1"), OperateQuery),
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn delete(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let operation = build::delete(parse_path(&path)?)?;
    perform(&control, &endpoint, operation, &manner).await
}

/// Discovers what an object, an instance or a resource has, with attributes.
#[utoipa::path(get, path = "/devices/{endpoint}/discover/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3/0"), DiscoverQuery),
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn discover(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<DiscoverQuery>,
) -> Result<Response, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let manner = Manner::new(query.timeout, query.wait, query.ttl, query.priority)?;
    let operation = build::discover(parse_path(&path)?, query.depth)?;
    perform(&control, &endpoint, operation, &manner).await
}

/// Sets and unsets attributes of an object, an instance, a resource or a resource instance.
#[utoipa::path(put, path = "/devices/{endpoint}/attributes/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3303/0/5700"), OperateQuery),
    request_body(content = AttributesDto,
        description = "A number sets, null unsets, as in {\"pmin\":10,\"gt\":null}"),
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn write_attributes(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult<OperateQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let path = at_least_object(parse_path(&path)?)?;
    let operation = build::write_attributes(path, parse_body::<AttributesDto>(&body)?)?;
    perform(&control, &endpoint, operation, &manner).await
}

/// Reads a JSON body; the error names line and column.
pub(crate) fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request("Bad body", format!("The body does not fit: {error}."))
    })
}
