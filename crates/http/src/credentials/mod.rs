//! Credentials: by what devices prove who they are. Secrets go in and do not come out, but for a
//! key that the server has just drawn.

mod csv;
mod dto;
mod import;
mod own;
mod text;
mod trust;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use dunlin_server::control::Control;
use dunlin_server::credentials::CredentialError;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::data::parse_body;
use crate::perform::blocking;
use crate::problem::Problem;

use dto::{CredentialDto, CredentialListDto, NewDto, RotateDto};
pub(crate) use import::*;
pub(crate) use own::*;
pub(crate) use trust::*;

/// No cache may keep a key that is shown once.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// Which credentials to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Part of the endpoint name or the PSK identity, in any case.
    q: Option<String>,
    /// This endpoint name exactly, in place of `q`; not in pages.
    endpoint: Option<String>,
    /// At most so many, 1 to 1000; 100 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

const MAX_LIMIT: usize = 1000;
const DEFAULT_LIMIT: usize = 100;

fn unknown(id: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Unknown credential",
        format!("There is no credential {id:?}; GET /api/v1/credentials lists those there are."),
    )
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| unknown(id))
}

/// An error in words, with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

fn bad(error: &str) -> Problem {
    Problem::bad_request("Bad credential", sentence(error))
}

fn refused(error: CredentialError) -> Problem {
    let (status, title) = match error {
        CredentialError::Unknown(id) => return unknown(&id.to_string()),
        CredentialError::Duplicate { .. } => (StatusCode::CONFLICT, "In use already"),
        CredentialError::TooMany(_) => (StatusCode::CONFLICT, "Too many credentials"),
        CredentialError::TooManyAuthorities(_) => (StatusCode::CONFLICT, "Too many authorities"),
        CredentialError::Worn(_) => (StatusCode::CONFLICT, "Rotated too often"),
        CredentialError::OtherKind { .. } => (StatusCode::CONFLICT, "Another kind of credential"),
        CredentialError::Database(_) => (StatusCode::INSUFFICIENT_STORAGE, "Not kept"),
        _ => (StatusCode::BAD_REQUEST, "Bad credential"),
    };
    Problem::new(status, title, sentence(&error.to_string()))
}

/// Lists credentials in the order of endpoint names; without what is secret in them.
#[utoipa::path(get, path = "/credentials", params(ListQuery), tag = "credentials",
    responses((status = 200, body = CredentialListDto), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(control): State<Control>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<CredentialListDto>, Problem> {
    let bad_query = |text: String| Problem::bad_request("Bad query", text);
    let Query(query) = query.map_err(|error| bad_query(error.body_text()))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad_query("limit must be from 1 to 1000.".to_owned()));
    }
    let credentials = control.credentials();
    if let Some(endpoint) = query.endpoint {
        let found = credentials.of_endpoint(&endpoint).into_iter();
        let items: Vec<CredentialDto> = found.map(CredentialDto::from).collect();
        let total = items.len();
        return Ok(Json(CredentialListDto {
            items,
            next: None,
            total,
        }));
    }
    // The number first: a name may hold anything.
    let after = query.cursor.as_deref().map(|cursor| {
        let parts = cursor
            .split_once(' ')
            .and_then(|(id, endpoint)| Some((endpoint, id.parse().ok()?)));
        parts.ok_or_else(|| bad_query(format!("{cursor:?} is not the \"next\" of a page.")))
    });
    let page = credentials.list(query.q.as_deref().unwrap_or(""), after.transpose()?, limit);
    let next = page.items.last().filter(|_| page.more);
    let next = next.map(|last| format!("{} {}", last.id, last.endpoint));
    Ok(Json(CredentialListDto {
        items: page.items.into_iter().map(CredentialDto::from).collect(),
        next,
        total: page.total,
    }))
}

/// Makes a credential. A key that is not given is drawn by the server and shown in this answer,
/// once.
#[utoipa::path(post, path = "/credentials", tag = "credentials", request_body = NewDto,
    responses((status = 201, body = CredentialDto), (status = 400, body = Problem),
        (status = 409, body = Problem)))]
pub(crate) async fn create(
    State(control): State<Control>,
    body: Bytes,
) -> Result<
    (
        StatusCode,
        [(HeaderName, &'static str); 1],
        Json<CredentialDto>,
    ),
    Problem,
> {
    let new: NewDto = parse_body(&body)?;
    let new = new.read().map_err(|error| bad(&error))?;
    let created = blocking(move || control.credentials().create(new)).await?;
    let created = created.map_err(refused)?;
    Ok((StatusCode::CREATED, NO_STORE, Json(created.into())))
}

/// Looks up a credential; what is secret in it is not shown.
#[utoipa::path(get, path = "/credentials/{id}", tag = "credentials",
    params(("id" = String, Path, description = "Number of the credential")),
    responses((status = 200, body = CredentialDto), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<CredentialDto>, Problem> {
    let found = control.credentials().get(number(&id)?);
    let found = found.ok_or_else(|| unknown(&id))?;
    Ok(Json(found.into()))
}

/// Gives a credential a new key, public key or certificate of the same kind, and ends the sessions
/// with the old one. Without a body a PSK gets a key that the server draws and shows in this
/// answer, once.
#[utoipa::path(post, path = "/credentials/{id}/rotate", tag = "credentials",
    params(("id" = String, Path, description = "Number of the credential")),
    request_body = Option<RotateDto>,
    responses((status = 200, body = CredentialDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn rotate(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<([(HeaderName, &'static str); 1], Json<CredentialDto>), Problem> {
    let id = number(&id)?;
    let rotate: RotateDto = match body.is_empty() {
        true => RotateDto::default(),
        false => parse_body(&body)?,
    };
    let material = rotate.read().map_err(|error| bad(&error))?;
    let rotated = blocking(move || control.credentials().rotate(id, material)).await?;
    Ok((NO_STORE, Json(rotated.map_err(refused)?.into())))
}

/// Removes a credential, and ends the sessions with it. The device cannot come back without
/// another one.
#[utoipa::path(delete, path = "/credentials/{id}", tag = "credentials",
    params(("id" = String, Path, description = "Number of the credential")),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = number(&id)?;
    let removed = blocking(move || control.credentials().remove(id)).await?;
    removed.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
