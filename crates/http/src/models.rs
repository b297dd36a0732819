//! Object definitions, for names, types and units.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use dunlin_lwm2m::ObjectVersion;
use dunlin_lwm2m::model::{Models, ObjectModel};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::dto::ListDto;
use crate::problem::Problem;

/// An object definition in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelSummary)]
pub(crate) struct SummaryDto {
    /// Object id.
    id: u16,
    /// Object version.
    version: String,
    /// Name.
    name: String,
    /// Whether it may have several instances.
    multiple: bool,
    /// Whether every device has it.
    mandatory: bool,
}

/// An object definition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Model)]
pub(crate) struct ModelDto {
    #[serde(flatten)]
    summary: SummaryDto,
    /// What it is for.
    description: String,
    /// Resources in the order of their ids.
    resources: Vec<ResourceDto>,
}

/// A resource definition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelResource)]
pub(crate) struct ResourceDto {
    /// Resource id.
    id: u16,
    /// Name.
    name: String,
    /// `R`, `W`, `RW`, `E`, or empty for bootstrap only.
    operations: &'static str,
    /// Whether it has resource instances.
    multiple: bool,
    /// Whether every instance has it.
    mandatory: bool,
    /// Type, empty for executables.
    #[serde(rename = "type")]
    data_type: &'static str,
    /// Range as in the definition.
    range: String,
    /// Unit symbol.
    units: String,
    /// What it is for.
    description: String,
}

fn summary(model: &ObjectModel) -> SummaryDto {
    SummaryDto {
        id: model.id,
        version: model.version.to_string(),
        name: model.name.clone(),
        multiple: model.multiple,
        mandatory: model.mandatory,
    }
}

/// Lists the object definitions the server knows.
#[utoipa::path(get, path = "/models", tag = "models",
    responses((status = 200, body = ListDto<SummaryDto>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<ListDto<SummaryDto>> {
    Json(ListDto::all(
        app.models.iter().map(|model| summary(model)).collect(),
    ))
}

/// The definition of an object in a version, or the newest.
pub(crate) fn find_model(
    models: &Models,
    object: u16,
    version: Option<ObjectVersion>,
) -> Option<&ObjectModel> {
    match version {
        Some(version) => models.resolve(object, version),
        None => models.latest(object),
    }
    .map(|model| &**model)
}

/// Which version.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// As in `1.1`; the newest when absent, the newest of the same major when unknown.
    version: Option<String>,
}

/// Shows an object definition.
#[utoipa::path(get, path = "/models/{id}", tag = "models",
    params(("id" = u16, Path, description = "Object id"), ModelQuery),
    responses((status = 200, body = ModelDto), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<ModelQuery>,
) -> Result<Json<ModelDto>, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Unknown object",
            format!("The server has no definition of object {id:?} in this version."),
        )
    };
    let object = id.parse().map_err(|_| unknown())?;
    let version = match query.version.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|error| {
            Problem::bad_request("Bad version", format!("{text:?} is {error}."))
        })?),
    };
    let model = find_model(&app.models, object, version).ok_or_else(unknown)?;
    Ok(Json(ModelDto {
        summary: summary(model),
        description: model.description.clone(),
        resources: model
            .resources
            .iter()
            .map(|resource| ResourceDto {
                id: resource.id,
                name: resource.name.clone(),
                operations: resource.operations.as_str(),
                multiple: resource.multiple,
                mandatory: resource.mandatory,
                data_type: resource.data_type.map_or("", |data_type| data_type.name()),
                range: resource.range_text.clone(),
                units: resource.units.clone(),
                description: resource.description.clone(),
            })
            .collect(),
    }))
}
