//! Observation wishes: made again after each registration, kept on disk.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use dunlin_server::api::Observed;
use dunlin_server::control::Control;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::data::parse_body;
use crate::devices::unavailable;
use crate::dto::{ListDto, ObservationDto, WishDto, attribute_changes, parse_path, parse_paths};
use crate::problem::Problem;

/// Lists what is observed, with the last known values.
#[utoipa::path(get, path = "/devices/{endpoint}/observations", tag = "observations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 200, body = ListDto<ObservationDto>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
) -> Result<Json<ListDto<ObservationDto>>, Problem> {
    let wishes = control
        .wishes(&endpoint)
        .await
        .map_err(unavailable)?
        .ok_or_else(|| Problem::unknown_endpoint(&endpoint))?;
    Ok(Json(ListDto::all(
        wishes.into_iter().map(ObservationDto::from).collect(),
    )))
}

/// For whom one may wish.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WishQuery {
    /// Whether the device may be one that is not registered and has no wishes yet; false when
    /// absent, so that a misspelt name is told.
    #[serde(default)]
    away: bool,
}

/// Wishes for an observation. It is made now if the device is there, and again after each of its
/// registrations, until it is deleted here.
#[utoipa::path(post, path = "/devices/{endpoint}/observations", tag = "observations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        WishQuery),
    request_body = WishDto,
    responses((status = 201, body = ObservationDto), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn create(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
    query: Result<Query<WishQuery>, QueryRejection>,
    body: Bytes,
) -> Result<(StatusCode, Json<ObservationDto>), Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let wish: WishDto = parse_body(&body)?;
    let target = match (wish.path, wish.paths) {
        (Some(path), None) => Observed::path(parse_path(&path)?),
        (None, Some(paths)) if !paths.is_empty() => Observed::composite(parse_paths(&paths)?),
        _ => {
            return Err(Problem::bad_request(
                "Bad body",
                "Give either {\"path\":\"/3/0/9\"} or {\"paths\":[\"/3/0/9\",…]}.",
            ));
        }
    };
    let observed = Observed {
        attributes: attribute_changes(wish.attributes)?,
        parameters: attribute_changes(wish.parameters)?,
        ..target
    };
    if !query.away {
        let wishes = control.wishes(&endpoint).await.map_err(unavailable)?;
        wishes.ok_or_else(|| Problem::unknown_endpoint(&endpoint))?;
    }
    let wish = control
        .add_wish(&endpoint, observed)
        .await
        .map_err(|error| Problem::of_operation(&endpoint, error))?;
    Ok((StatusCode::CREATED, Json(wish.into())))
}

/// Ends an observation and forgets the wish.
#[utoipa::path(delete, path = "/devices/{endpoint}/observations/{id}", tag = "observations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded"),
        ("id" = String, Path, description = "Id of the observation")),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(control): State<Control>,
    Path((endpoint, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let removed = match id.parse() {
        Ok(id) => control
            .remove_wish(&endpoint, id)
            .await
            .map_err(unavailable)?,
        Err(_) => false,
    };
    if removed {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "Unknown observation",
        format!("{endpoint:?} has no observation {id:?}."),
    ))
}
