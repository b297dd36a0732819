//! Observation wishes: made again after each registration, kept on disk.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use dunlin_server::control::Control;

use crate::data::parse_body;
use crate::devices::unavailable;
use crate::dto::{ListDto, ObservationDto, WishDto, attribute_changes, parse_path};
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

/// Wishes for an observation. It is made now if the device is there, and again after each of its
/// registrations, until it is deleted here.
#[utoipa::path(post, path = "/devices/{endpoint}/observations", tag = "observations",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    request_body = WishDto,
    responses((status = 201, body = ObservationDto), (status = 400, body = Problem)))]
pub(crate) async fn create(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<ObservationDto>), Problem> {
    let wish: WishDto = parse_body(&body)?;
    let path = parse_path(&wish.path)?;
    let attributes = attribute_changes(wish.attributes)?;
    let wish = control
        .add_wish(&endpoint, path, attributes)
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
