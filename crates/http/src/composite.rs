//! Composite operations: several paths of a device at once (since 1.1).

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::response::Response;
use dunlin_server::control::Control;

use crate::App;
use crate::build;
use crate::data::parse_body;
use crate::devices::find;
use crate::dto::{AnswerDto, PathsDto, RecordsDto};
use crate::operation_dto::OperationDto;
use crate::perform::{OperateQuery, QueryResult, perform};
use crate::problem::Problem;

/// Reads several paths at once. The device leaves out what it does not have or may not show.
#[utoipa::path(post, path = "/devices/{endpoint}/composite/read", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        OperateQuery),
    request_body = PathsDto,
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn read(
    State(control): State<Control>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult<OperateQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let body: PathsDto = parse_body(&body)?;
    let operation = build::read_composite(&body.paths, manner.format)?;
    perform(&control, &endpoint, operation, &manner).await
}

/// Writes resources anywhere on the device, all or none.
#[utoipa::path(post, path = "/devices/{endpoint}/composite/write", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        OperateQuery),
    request_body = RecordsDto,
    responses((status = 200, body = AnswerDto), (status = 202, body = OperationDto),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 504, body = Problem)))]
pub(crate) async fn write(
    State(app): State<App>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult<OperateQuery>,
    body: Bytes,
) -> Result<Response, Problem> {
    let manner = OperateQuery::manner(query)?;
    let body: RecordsDto = parse_body(&body)?;
    let device = find(&app.control, &endpoint).await?;
    let operation = build::write_composite(&app.models, Some(&device), body.records)?;
    perform(&app.control, &endpoint, operation, &manner).await
}
