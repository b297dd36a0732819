//! Composite operations: several paths of a device at once (since 1.1).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{Level, OwnedRecord};
use dunlin_server::control::Control;

use crate::App;
use crate::data::{OperateQuery, QueryResult, distinct, operate, parse_body, to_record};
use crate::devices::find;
use crate::dto::{AnswerDto, PathsDto, RecordsDto, parse_path, parse_paths};
use crate::problem::Problem;

/// Reads several paths at once. The device leaves out what it does not have or may not show.
#[utoipa::path(post, path = "/devices/{endpoint}/composite/read", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        OperateQuery),
    request_body = PathsDto,
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn read(
    State(control): State<Control>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult,
    body: Bytes,
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let body: PathsDto = parse_body(&body)?;
    let paths = parse_paths(&body.paths)?
        .into_iter()
        .map(|path| OwnedRecord {
            path,
            time: None,
            value: None,
        })
        .collect();
    let operation = Operation::ReadComposite {
        paths,
        accept: options.format,
    };
    let outcome = operate(&control, &endpoint, operation, options).await?;
    Ok(Json(AnswerDto::with_records(&outcome)))
}

/// Writes resources anywhere on the device, all or none.
#[utoipa::path(post, path = "/devices/{endpoint}/composite/write", tag = "device management",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        OperateQuery),
    request_body = RecordsDto,
    responses((status = 200, body = AnswerDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn write(
    State(app): State<App>,
    UrlPath(endpoint): UrlPath<String>,
    query: QueryResult,
    body: Bytes,
) -> Result<Json<AnswerDto>, Problem> {
    let options = OperateQuery::options(query)?;
    let body: RecordsDto = parse_body(&body)?;
    let device = find(&app.control, &endpoint).await?;
    let mut records = Vec::with_capacity(body.records.len());
    for record in body.records {
        let path = parse_path(&record.path)?;
        records.push(
            if record.value.is_null() && path.level() == Level::ResourceInstance {
                OwnedRecord {
                    path,
                    time: None,
                    value: None,
                }
            } else {
                to_record(&app.models, &device, record)?
            },
        );
    }
    let body = distinct(records)?;
    let operation = Operation::WriteComposite { body };
    let outcome = operate(&app.control, &endpoint, operation, options).await?;
    Ok(Json(AnswerDto::plain(&outcome)))
}
