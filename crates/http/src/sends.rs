//! What devices reported of their own accord (Send).

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use dunlin_server::control::Control;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::devices::unavailable;
use crate::dto::{ListDto, RecordDto, records};
use crate::problem::Problem;

/// How many to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SendsQuery {
    /// At most so many, 1 to 1000; 100 when absent.
    limit: Option<usize>,
}

/// A Send.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Sent)]
pub(crate) struct SentDto {
    /// When it arrived, in Unix seconds.
    time: f64,
    /// The values, each with its time; that of the arrival where the device told none.
    records: Vec<RecordDto>,
}

/// Lists what a device reported with Send, newest first. The server keeps the latest hundred of a
/// device (fewer when they are large), also when it is no longer registered.
#[utoipa::path(get, path = "/devices/{endpoint}/sends", tag = "events",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        SendsQuery),
    responses((status = 200, body = ListDto<SentDto>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
    query: Result<Query<SendsQuery>, QueryRejection>,
) -> Result<Json<ListDto<SentDto>>, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad_request(
            "Bad query",
            "limit must be from 1 to 1000.",
        ));
    }
    let sends = control
        .sends(&endpoint, limit)
        .await
        .map_err(unavailable)?
        .ok_or_else(|| Problem::unknown_endpoint(&endpoint))?;
    let items = sends.iter().map(|sent| SentDto {
        time: sent.time,
        records: records(&sent.records),
    });
    Ok(Json(ListDto::all(items.collect())))
}
