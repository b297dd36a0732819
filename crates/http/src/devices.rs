//! Registrations: list, look up, remove.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use dunlin_server::control::Control;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::dto::{DeviceDto, DeviceListDto};
use crate::problem::Problem;

/// Which devices to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Part of the endpoint name, in any case.
    q: Option<String>,
    /// At most so many, 1 to 1000; 100 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

const MAX_LIMIT: usize = 1000;
const DEFAULT_LIMIT: usize = 100;

/// Lists registered devices in the order of their endpoint names.
#[utoipa::path(get, path = "/devices", params(ListQuery), tag = "devices",
    responses((status = 200, body = DeviceListDto), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(control): State<Control>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<DeviceListDto>, Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(
            "Bad query",
            "limit must be from 1 to 1000.",
        ));
    }
    let page = control
        .devices(
            query.q.as_deref().unwrap_or(""),
            query.cursor.as_deref(),
            limit,
        )
        .await
        .map_err(unavailable)?;
    let next = page
        .items
        .last()
        .filter(|_| page.more)
        .map(|device| device.endpoint.clone());
    Ok(Json(DeviceListDto {
        items: page.items.into_iter().map(DeviceDto::from).collect(),
        next,
        total: page.total,
    }))
}

/// Looks up a device.
#[utoipa::path(get, path = "/devices/{endpoint}", tag = "devices",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 200, body = DeviceDto), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
) -> Result<Json<DeviceDto>, Problem> {
    find(&control, &endpoint)
        .await
        .map(|device| Json(device.into()))
}

/// Forgets a registration. The device registers again when its next Update is answered 4.04.
#[utoipa::path(delete, path = "/devices/{endpoint}", tag = "devices",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
) -> Result<StatusCode, Problem> {
    match control.remove(&endpoint).await.map_err(unavailable)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::unknown_endpoint(&endpoint)),
    }
}

pub(crate) async fn find(
    control: &Control,
    endpoint: &str,
) -> Result<dunlin_server::api::Device, Problem> {
    control
        .device(endpoint)
        .await
        .map_err(unavailable)?
        .ok_or_else(|| Problem::unknown_endpoint(endpoint))
}

pub(crate) fn unavailable(error: dunlin_server::control::Unavailable) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        error.to_string(),
    )
}
