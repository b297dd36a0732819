//! Device management: Read, Write, Execute, Create, Delete, Discover, Write-Attributes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use core::time::Duration;
use dunlin_lwm2m::model::{Models, ResourceModel};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, DataType, Level, MAX_ID, OwnedRecord, Path};
use dunlin_server::api::{Device, DeviceOperation, OperateOptions, Outcome};
use dunlin_server::control::Control;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json_;
use utoipa::IntoParams;

use crate::App;
use crate::devices::find;
use crate::dto::{
    AnswerDto, AttributesDto, PostDto, WriteDto, WriteRecordDto, attribute_changes, parse_path,
};
use crate::json;
use crate::models::find_model;
use crate::operation_dto::answer;
use crate::problem::Problem;

/// How to carry out the operation.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OperateQuery {
    /// Content format: a number, or text, opaque, cbor, senml-json, senml-cbor, tlv, json (of
    /// 1.0), lwm2m-cbor (of 1.2). The server chooses one that the device's version knows when it
    /// is absent.
    format: Option<String>,
    /// Seconds to wait for the device, 0.1 to 3600; 95 when absent, which is longer than CoAP
    /// retransmits.
    timeout: Option<f64>,
}

/// How to discover.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiscoverQuery {
    /// Seconds to wait for the device, 0.1 to 3600; 95 when absent.
    timeout: Option<f64>,
    /// Levels to list below the path, 0 to 3; devices before 1.2 are not told.
    depth: Option<u8>,
}

/// MAX_TRANSMIT_WAIT is 93 s (RFC 7252 §4.8.2): by then CoAP itself has given up.
const DEFAULT_TIMEOUT: f64 = 95.0;

pub(crate) type QueryResult = Result<Query<OperateQuery>, axum::extract::rejection::QueryRejection>;

impl OperateQuery {
    pub(crate) fn options(query: QueryResult) -> Result<OperateOptions, Problem> {
        let Query(query) =
            query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
        let format = match query.format.as_deref() {
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
                                 opaque, cbor, senml-json, senml-cbor, tlv, json, lwm2m-cbor."
                            ),
                        )
                    })?,
            ),
        };
        let timeout = duration(query.timeout)?;
        Ok(OperateOptions { format, timeout })
    }
}

fn duration(seconds: Option<f64>) -> Result<Duration, Problem> {
    let seconds = seconds.unwrap_or(DEFAULT_TIMEOUT);
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(Problem::bad_request(
            "Bad query",
            "timeout must be from 0.1 to 3600 seconds.",
        ));
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(crate) async fn operate(
    control: &Control,
    endpoint: &str,
    operation: DeviceOperation,
    options: OperateOptions,
) -> Result<Outcome, Problem> {
    control
        .operate(endpoint, operation, options)
        .await
        .map_err(|error| Problem::of_operation(endpoint, error))
}

/// Reads an object, an instance, a resource or a resource instance.
#[utoipa::path(get, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3/0/9"), OperateQuery),
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn read(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let path = at_least_object(parse_path(&path)?)?;
    let operation = Operation::Read {
        path,
        accept: options.format,
    };
    let outcome = operate(&control, &endpoint, operation, options).await?;
    Ok(Json(AnswerDto::with_records(&outcome)))
}

/// Writes, replacing what was there: a resource, or all writable resources of an instance.
#[utoipa::path(put, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 1/0/1"), OperateQuery),
    request_body = WriteDto,
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn replace(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
    body: Bytes,
) -> Result<Json<AnswerDto>, Problem> {
    write(&app, &endpoint, &path, WriteMode::Replace, query, &body).await
}

/// Writes, leaving what is not given as it is: an instance, or a multiple resource.
#[utoipa::path(patch, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 1/0"), OperateQuery),
    request_body = WriteDto,
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
    body: Bytes,
) -> Result<Json<AnswerDto>, Problem> {
    write(&app, &endpoint, &path, WriteMode::Update, query, &body).await
}

async fn write(
    app: &App,
    endpoint: &str,
    path: &str,
    mode: WriteMode,
    query: QueryResult,
    body: &[u8],
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let path = parse_path(path)?;
    if path.level() < Level::ObjectInstance {
        return Err(Problem::bad_request(
            "Bad path",
            "A Write needs an instance, a resource or a resource instance, as in 1/0/1.",
        ));
    }
    if mode == WriteMode::Update && path.level() == Level::ResourceInstance {
        return Err(Problem::bad_request(
            "Bad path",
            "A partial update needs an instance or a multiple resource; use PUT for a resource \
             instance.",
        ));
    }
    let device = find(&app.control, endpoint).await?;
    let models = &app.models;
    let body: WriteDto = parse_body(body)?;
    let one = |value, data_type| {
        let path = path.to_string();
        let record = WriteRecordDto {
            path,
            value,
            data_type,
        };
        to_record(models, &device, record).map(|record| vec![record])
    };
    let records = match (body.value, body.records) {
        (Some(value), None) if path.level() >= Level::Resource => one(value, body.data_type)?,
        (None, Some(_)) if body.data_type.is_some() => {
            return Err(Problem::bad_request(
                "Bad body",
                "\"type\" stands beside the \"value\" it is the type of.",
            ));
        }
        (None, Some(records)) if records.is_empty() && path.level() >= Level::Resource => {
            one(Json_::Null, None)?
        }
        (None, Some(records)) => to_records(models, &device, records)?,
        (Some(_), None) => {
            return Err(Problem::bad_request(
                "Bad body",
                "{\"value\":…} fits a resource only; give {\"records\":[…]} for an instance.",
            ));
        }
        _ => {
            return Err(Problem::bad_request(
                "Bad body",
                "Give either {\"value\":…} or {\"records\":[{\"path\":…,\"value\":…}]}.",
            ));
        }
    };
    in_scope(&path, &records)?;
    let operation = Operation::Write {
        path,
        mode,
        body: records,
    };
    let outcome = operate(&app.control, endpoint, operation, options).await?;
    Ok(Json(AnswerDto::plain(&outcome)))
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
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn post(
    State(app): State<App>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let options = OperateQuery::options(query)?;
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
    match path.level() {
        Level::Resource => {
            if body.records.is_some() || body.instance.is_some() {
                return Err(Problem::bad_request(
                    "Bad body",
                    "POST on a resource executes it and takes {\"arguments\":…} only; \
                     PATCH writes parts of a multiple resource.",
                ));
            }
            let arguments = body.arguments.unwrap_or_default();
            let operation = Operation::Execute { path, arguments };
            let outcome = operate(&app.control, &endpoint, operation, options).await?;
            Ok(Json(AnswerDto::plain(&outcome)).into_response())
        }
        Level::Object => {
            if body.arguments.is_some() {
                return Err(Problem::bad_request(
                    "Bad body",
                    "POST on an object creates an instance and takes {\"records\":[…]}.",
                ));
            }
            create(&app, &endpoint, path, body, options).await
        }
        _ => Err(Problem::bad_request(
            "Bad path",
            "POST executes a resource, as in 3/0/4, or creates an instance of an object, as in \
             3303; PATCH is the partial update of an instance.",
        )),
    }
}

async fn create(
    app: &App,
    endpoint: &str,
    path: Path,
    body: PostDto,
    mut options: OperateOptions,
) -> Result<Response, Problem> {
    let object = path.object_id().unwrap_or(MAX_ID);
    let device = find(&app.control, endpoint).await?;
    let mut records = to_records(&app.models, &device, body.records.unwrap_or_default())?;
    in_scope(&path, &records)?;
    if let Some(instance) = body.instance {
        if instance == MAX_ID {
            return Err(Problem::bad_request(
                "Bad body",
                "65535 is no id of an instance; leave \"instance\" out to let the device choose.",
            ));
        }
        let scope = Path::instance(object, instance);
        in_scope(&scope, &records)?;
        if records.is_empty() {
            records.push(OwnedRecord {
                path: scope,
                time: None,
                value: None,
            });
            // The others have no way to name an instance without resources.
            if options.format.get_or_insert(ContentFormat::TLV) != &ContentFormat::TLV {
                return Err(Problem::bad_request(
                    "Bad format",
                    "Only tlv can carry an instance without resources.",
                ));
            }
        }
    }
    let mut instances = records.iter().map(|record| record.path.instance_id());
    let first = instances.next();
    if let Some(other) = instances.find(|other| Some(*other) != first) {
        return Err(Problem::bad_request(
            "Bad body",
            format!(
                "A Create makes one instance, and the records are of {} and {}.",
                first.flatten().unwrap_or(MAX_ID),
                other.unwrap_or(MAX_ID)
            ),
        ));
    }
    let body = (!records.is_empty()).then_some(records);
    let operation = Operation::Create { object, body };
    let outcome = operate(&app.control, endpoint, operation, options).await?;
    Ok((StatusCode::CREATED, Json(AnswerDto::plain(&outcome))).into_response())
}

/// Deletes an object instance.
#[utoipa::path(delete, path = "/devices/{endpoint}/data/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3303/1"), OperateQuery),
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn delete(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let path = parse_path(&path)?;
    if !matches!(
        path.level(),
        Level::ObjectInstance | Level::ResourceInstance
    ) {
        return Err(Problem::bad_request(
            "Bad path",
            "Only an object instance can be deleted, as in 3303/1 (and since 1.2 a resource \
             instance).",
        ));
    }
    let outcome = operate(&control, &endpoint, Operation::Delete { path }, options).await?;
    Ok(Json(AnswerDto::plain(&outcome)))
}

/// Discovers what an object, an instance or a resource has, with attributes.
#[utoipa::path(get, path = "/devices/{endpoint}/discover/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3/0"), DiscoverQuery),
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn discover(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: Result<Query<DiscoverQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<AnswerDto>, Problem> {
    let Query(DiscoverQuery { timeout, depth }) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    if depth.is_some_and(|depth| depth > 3) {
        return Err(Problem::bad_request(
            "Bad query",
            "depth must be from 0 to 3.",
        ));
    }
    let options = OperateOptions {
        format: None,
        timeout: duration(timeout)?,
    };
    let path = at_least_object(parse_path(&path)?)?;
    if path.level() > Level::Resource {
        return Err(Problem::bad_request(
            "Bad path",
            "Discover works on an object, an instance or a resource.",
        ));
    }
    let operation = Operation::Discover { path, depth };
    let outcome = operate(&control, &endpoint, operation.clone(), options).await?;
    answer(&operation, &outcome)
        .map(Json)
        .map_err(|error| Problem::of_operation(&endpoint, error))
}

/// Sets and unsets attributes of an object, an instance, a resource or a resource instance.
#[utoipa::path(put, path = "/devices/{endpoint}/attributes/{*path}", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("path" = String, Path, description = "As in 3303/0/5700"), OperateQuery),
    request_body(content = AttributesDto,
        description = "A number sets, null unsets, as in {\"pmin\":10,\"gt\":null}"),
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn write_attributes(
    State(control): State<Control>,
    UrlPath((endpoint, path)): UrlPath<(String, String)>,
    query: QueryResult,
    body: Bytes,
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let path = at_least_object(parse_path(&path)?)?;
    let attributes = attribute_changes(parse_body::<AttributesDto>(&body)?)?;
    if attributes.is_empty() {
        return Err(Problem::bad_request(
            "Bad body",
            "Give at least one attribute, as in {\"pmin\":10} or {\"pmin\":null}.",
        ));
    }
    let operation = Operation::WriteAttributes { path, attributes };
    let outcome = operate(&control, &endpoint, operation, options).await?;
    Ok(Json(AnswerDto::plain(&outcome)))
}

fn at_least_object(path: Path) -> Result<Path, Problem> {
    if path.level() == Level::Root {
        return Err(Problem::bad_request(
            "Bad path",
            "Give at least an object, as in 3/0.",
        ));
    }
    Ok(path)
}

/// Reads a JSON body; the error names line and column.
pub(crate) fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request("Bad body", format!("The body does not fit: {error}."))
    })
}

fn in_scope(scope: &Path, records: &[OwnedRecord]) -> Result<(), Problem> {
    match records.iter().find(|record| !scope.contains(&record.path)) {
        Some(record) => Err(Problem::bad_request(
            "Bad path",
            format!("The record {} does not lie below {scope}.", record.path),
        )),
        None => Ok(()),
    }
}

fn to_records(
    models: &Models,
    device: &Device,
    records: Vec<WriteRecordDto>,
) -> Result<Vec<OwnedRecord>, Problem> {
    let records = records
        .into_iter()
        .map(|record| to_record(models, device, record))
        .collect::<Result<_, _>>()?;
    distinct(records)
}

/// The records in the order of their paths, if none is of another's place.
pub(crate) fn distinct(mut records: Vec<OwnedRecord>) -> Result<Vec<OwnedRecord>, Problem> {
    records.sort_by_key(|record| record.path);
    // In the order of paths a resource stands right before its instances.
    if let Some([first, second]) = records
        .array_windows()
        .find(|[a, b]| a.path.contains(&b.path))
    {
        let detail = if first.path == second.path {
            format!("The record {} is given twice.", first.path)
        } else {
            format!("Give either {} or {}, not both.", first.path, second.path)
        };
        return Err(Problem::bad_request("Bad body", detail));
    }
    Ok(records)
}

pub(crate) fn to_record(
    models: &Models,
    device: &Device,
    record: WriteRecordDto,
) -> Result<OwnedRecord, Problem> {
    let path = parse_path(&record.path)?;
    let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
        return Err(Problem::bad_request(
            "Bad path",
            format!("The record {path} must name a resource or a resource instance."),
        ));
    };
    let defined = definition(models, device, object, resource);
    let data_type = match &record.data_type {
        Some(name) => Some(DataType::from_name(name).ok_or_else(|| {
            Problem::bad_request("Bad body", format!("{name:?} is not a type of a resource."))
        })?),
        None => defined.and_then(|resource| resource.data_type),
    };
    let may_be_empty =
        path.level() == Level::Resource && defined.is_none_or(|resource| resource.multiple);
    let value =
        match &record.value {
            Json_::Null if may_be_empty => None,
            value => Some(json::from_json(value, data_type).map_err(|error| {
                Problem::bad_request("Bad value", format!("At {path}: {error}."))
            })?),
        };
    Ok(OwnedRecord {
        path,
        time: None,
        value,
    })
}

/// The definition of a resource in the object version the device announced.
fn definition<'a>(
    models: &'a Models,
    device: &Device,
    object: u16,
    resource: u16,
) -> Option<&'a ResourceModel> {
    let version = device
        .objects
        .iter()
        .find(|candidate| candidate.id == object)
        .map(|found| found.version);
    find_model(models, object, version)?.resource(resource)
}
