//! Firmware: images, and the job that brings one to a device.

use core::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use dunlin_server::control::Control;
use dunlin_server::firmware::{
    FirmwareStatus, Image, ImageError, Method, StartUpdate, UpdateError, result_text, state_text,
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};

use crate::data::parse_body;
use crate::devices::find;
use crate::dto::ListDto;
use crate::perform::blocking;
use crate::problem::Problem;

/// Uploads that lie in memory at the same time; more wait for their turn.
static UPLOADS: Semaphore = Semaphore::const_new(2);

/// An image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FirmwareImage)]
pub(crate) struct ImageDto {
    /// The first digits of `sha256`.
    id: String,
    /// As given when it was added.
    name: String,
    /// Bytes.
    size: u64,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
    /// Unix seconds.
    created_at: f64,
}

impl From<Image> for ImageDto {
    fn from(image: Image) -> Self {
        Self {
            id: image.id,
            name: image.name,
            size: image.size,
            sha256: image.sha256,
            created_at: image.created_at,
        }
    }
}

/// What an image is called.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NameQuery {
    /// For people, and the last segment of the address that devices are told; up to 100
    /// characters.
    name: String,
}

/// What to bring to a device.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StartFirmwareUpdate)]
pub(crate) struct StartDto {
    /// Id of an image.
    image: String,
    /// `push`: the server writes it to the device; `pull`: the device fetches it over CoAP; `auto`
    /// or absent: what the device can.
    method: Option<String>,
    /// Whether to install it once it is there; true when absent.
    install: Option<bool>,
}

/// How the firmware update of a device stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FirmwareUpdate)]
pub(crate) struct FirmwareDto {
    /// Id of the image.
    image: String,
    /// Its name.
    image_name: String,
    /// `push` or `pull`; null while that depends on the device.
    method: Option<&'static str>,
    /// Whether it is installed once it is there.
    install: bool,
    /// `starting`, `pushing`, `pulling`, `installing`; at the end `done`, `failed` or `cancelled`.
    state: &'static str,
    /// The same in words, with the reason when it failed or does not go on.
    state_text: String,
    /// Bytes the device has acknowledged (push) or asked for (pull).
    sent: u64,
    /// Bytes of the image.
    size: u64,
    /// State of the device (`/5/0/3`) in words, when it was last read.
    device_state: Option<String>,
    /// Update Result of the device (`/5/0/5`), when it was last read.
    result: Option<i64>,
    /// The same in words.
    result_text: Option<String>,
    /// Firmware Version (`/3/0/3`) before, when the device told.
    version_before: Option<String>,
    /// Firmware Version after the installation, when the device told.
    version_after: Option<String>,
    /// Unix seconds.
    started_at: f64,
    /// Unix seconds; null while it is under way.
    finished_at: Option<f64>,
}

impl From<FirmwareStatus> for FirmwareDto {
    fn from(status: FirmwareStatus) -> Self {
        Self {
            image: status.image,
            image_name: status.image_name,
            method: status.method.map(Method::name),
            install: status.install,
            state: status.stage.name(),
            state_text: status.text,
            sent: status.sent,
            size: status.size,
            device_state: status.device_state.map(state_text),
            result: status.result,
            result_text: status.result.map(result_text),
            version_before: status.version_before,
            version_after: status.version_after,
            started_at: status.started_at,
            finished_at: status.finished_at,
        }
    }
}

fn unknown_image(id: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Unknown image",
        format!("There is no image {id:?}; GET /api/v1/firmware lists those there are."),
    )
}

fn of_image(error: ImageError) -> Problem {
    let (status, title) = match error {
        ImageError::Unknown(id) => return unknown_image(&id),
        ImageError::Empty | ImageError::Name => (StatusCode::BAD_REQUEST, "Bad image"),
        ImageError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "Image too large"),
        ImageError::TooMany(_) => (StatusCode::CONFLICT, "Too many images"),
        ImageError::Ambiguous(_) => (StatusCode::CONFLICT, "Ambiguous image"),
        ImageError::InUse(_) => (StatusCode::CONFLICT, "Image in use"),
        ImageError::Disk(_) | ImageError::Database(_) => {
            (StatusCode::INSUFFICIENT_STORAGE, "Not kept")
        }
    };
    Problem::new(status, title, error.to_string())
}

fn of_update(error: UpdateError) -> Problem {
    let (status, title) = match error {
        UpdateError::UnknownImage(id) => return unknown_image(&id),
        UpdateError::Image(error) => return of_image(error),
        UpdateError::Busy => (StatusCode::CONFLICT, "Update under way"),
        UpdateError::NoJob => (StatusCode::NOT_FOUND, "No update"),
        UpdateError::TooLate => (StatusCode::CONFLICT, "Too late"),
        UpdateError::TooMany(_) => (StatusCode::SERVICE_UNAVAILABLE, "Too many updates"),
    };
    Problem::new(status, title, error.to_string())
}

/// How long the next piece of an image may take to come, and all of it. Whoever stands still gives
/// the turn to others.
const PIECE: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(30 * 60);

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "Too slow",
        format!(
            "The image stopped coming: a piece of it may take {} seconds, all of it {} minutes.",
            PIECE.as_secs(),
            WHOLE.as_secs() / 60
        ),
    )
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut content = Vec::new();
    let mut chunks = body.into_data_stream();
    let end = Instant::now() + WHOLE;
    loop {
        let by = end.min(Instant::now() + PIECE);
        let next = timeout_at(by, chunks.next()).await;
        let Some(chunk) = next.map_err(|_| too_slow())? else {
            return Ok(content);
        };
        let chunk = chunk.map_err(|error| Problem::bad_request("Bad body", error.to_string()))?;
        if content.len() + chunk.len() > limit {
            return Err(of_image(ImageError::TooLarge(limit)));
        }
        content.extend_from_slice(&chunk);
    }
}

/// Lists the images, the newest first.
#[utoipa::path(get, path = "/firmware", tag = "firmware",
    responses((status = 200, body = ListDto<ImageDto>)))]
pub(crate) async fn images(State(control): State<Control>) -> Json<ListDto<ImageDto>> {
    let images = control.firmware().images().into_iter();
    Json(ListDto::all(images.map(ImageDto::from).collect()))
}

/// Adds an image; the body is its bytes, 64 MiB at most unless the server was told otherwise. The
/// same bytes under another name are the same image, which takes the new name.
#[utoipa::path(post, path = "/firmware", tag = "firmware", params(NameQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ImageDto), (status = 400, body = Problem),
        (status = 408, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem)))]
pub(crate) async fn add(
    State(control): State<Control>,
    query: Result<Query<NameQuery>, QueryRejection>,
    body: Body,
) -> Result<(StatusCode, Json<ImageDto>), Problem> {
    let Query(query) =
        query.map_err(|error| Problem::bad_request("Bad query", error.body_text()))?;
    let _turn = UPLOADS.acquire().await;
    let content = read(body, control.firmware().largest_image()).await?;
    let added = blocking(move || control.firmware().add(&query.name, &content)).await?;
    let image = added.map_err(of_image)?;
    Ok((StatusCode::CREATED, Json(image.into())))
}

/// Looks up an image.
#[utoipa::path(get, path = "/firmware/{id}", tag = "firmware",
    params(("id" = String, Path, description = "Id of the image")),
    responses((status = 200, body = ImageDto), (status = 404, body = Problem)))]
pub(crate) async fn image(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<ImageDto>, Problem> {
    let image = control.firmware().image(&id);
    let image = image.ok_or_else(|| unknown_image(&id))?;
    Ok(Json(image.into()))
}

/// Forgets an image. One that is being brought to a device stays.
#[utoipa::path(delete, path = "/firmware/{id}", tag = "firmware",
    params(("id" = String, Path, description = "Id of the image")),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn remove(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let removed = blocking(move || control.firmware().remove(&id)).await?;
    removed.map_err(of_image)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells how the latest firmware update of a device stands.
#[utoipa::path(get, path = "/devices/{endpoint}/firmware", tag = "firmware",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 200, body = FirmwareDto), (status = 404, body = Problem)))]
pub(crate) async fn status(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
) -> Result<Json<FirmwareDto>, Problem> {
    if let Some(status) = control.firmware().status(&endpoint) {
        return Ok(Json(status.into()));
    }
    find(&control, &endpoint).await?;
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "No update",
        format!("{endpoint:?} has had no firmware update from this server."),
    ))
}

/// Begins a firmware update. It goes on by itself, also after a restart of the server; see how it
/// stands with GET or by `firmware` events.
#[utoipa::path(post, path = "/devices/{endpoint}/firmware", tag = "firmware",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    request_body = StartDto,
    responses((status = 202, body = FirmwareDto), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn start(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<FirmwareDto>), Problem> {
    let start: StartDto = parse_body(&body)?;
    let method = match start.method.as_deref() {
        None | Some("auto") => None,
        Some(name) => Some(Method::from_name(name).ok_or_else(|| {
            let text = format!("{name:?} is not a method; there are push, pull and auto.");
            Problem::bad_request("Bad body", text)
        })?),
    };
    let device = find(&control, &endpoint).await?;
    if !device.objects.iter().any(|object| object.id == 5) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "No firmware object",
            format!("{endpoint:?} has no Firmware Update object (/5)."),
        ));
    }
    let start = StartUpdate {
        endpoint,
        image: start.image,
        method,
        install: start.install.unwrap_or(true),
    };
    let started = blocking(move || control.firmware().start(&control, start)).await?;
    let status = started.map_err(of_update)?;
    Ok((StatusCode::ACCEPTED, Json(status.into())))
}

/// Cancels a firmware update that is under way, unless the device installs already. What the device
/// has got of it is taken back if it can be reached.
#[utoipa::path(delete, path = "/devices/{endpoint}/firmware", tag = "firmware",
    params(("endpoint" = String, Path, description = "Endpoint client name, percent-encoded")),
    responses((status = 202, body = FirmwareDto), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(crate) async fn cancel(
    State(control): State<Control>,
    Path(endpoint): Path<String>,
) -> Result<(StatusCode, Json<FirmwareDto>), Problem> {
    let status = control.firmware().cancel(&endpoint).map_err(of_update)?;
    Ok((StatusCode::ACCEPTED, Json(status.into())))
}
