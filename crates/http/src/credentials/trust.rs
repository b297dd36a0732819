//! Authorities whose certificates devices may show.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use dunlin_server::control::Control;
use dunlin_server::credentials::Authority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dto::fingerprint;
use super::text::to_pem;
use super::{bad, refused};
use crate::data::parse_body;
use crate::dto::ListDto;
use crate::perform::blocking;
use crate::problem::Problem;

/// An authority whose certificates devices may show.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TrustedAuthority)]
pub(crate) struct AuthorityDto {
    /// Number of the authority.
    id: String,
    /// Common name of its subject, empty without one.
    name: String,
    /// PEM.
    certificate: String,
    /// SHA-256 of its DER in hexadecimal digits.
    sha256: String,
    /// From when it is valid, in Unix seconds.
    not_before: u64,
    /// Until when it is valid, in Unix seconds.
    not_after: u64,
    /// When it was added, in Unix seconds.
    created_at: f64,
}

impl From<Authority> for AuthorityDto {
    fn from(authority: Authority) -> Self {
        Self {
            id: authority.id.to_string(),
            name: authority.name,
            certificate: to_pem(&authority.certificate, "CERTIFICATE"),
            sha256: fingerprint(&authority.certificate),
            not_before: authority.not_before,
            not_after: authority.not_after,
            created_at: authority.created_at,
        }
    }
}

/// Authorities to trust.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TrustAuthorities)]
pub(crate) struct TrustDto {
    /// PEM with the certificates of one or more authorities.
    certificate: String,
}

fn listed(authorities: Vec<Authority>) -> Json<ListDto<AuthorityDto>> {
    let authorities = authorities.into_iter();
    Json(ListDto::all(authorities.map(AuthorityDto::from).collect()))
}

/// Lists the authorities whose certificates devices may show, the oldest first.
#[utoipa::path(get, path = "/credentials/trust", tag = "credentials",
    responses((status = 200, body = ListDto<AuthorityDto>)))]
pub(crate) async fn authorities(State(control): State<Control>) -> Json<ListDto<AuthorityDto>> {
    listed(control.credentials().authorities())
}

/// Trusts authorities: a device may show a certificate that one of them has issued, and register by
/// the name in it. One that is trusted already stays as it is.
#[utoipa::path(post, path = "/credentials/trust", tag = "credentials", request_body = TrustDto,
    responses((status = 201, body = ListDto<AuthorityDto>), (status = 400, body = Problem),
        (status = 409, body = Problem)))]
pub(crate) async fn trust(
    State(control): State<Control>,
    body: Bytes,
) -> Result<(StatusCode, Json<ListDto<AuthorityDto>>), Problem> {
    let trust: TrustDto = parse_body(&body)?;
    if !trust.certificate.contains("-----BEGIN ") {
        return Err(bad("certificate: this is no PEM"));
    }
    let added = blocking(move || {
        let credentials = control.credentials();
        credentials.add_authorities(trust.certificate.as_bytes())
    });
    let added = added.await?.map_err(refused)?;
    Ok((StatusCode::CREATED, listed(added)))
}

/// Trusts an authority no more, and ends the sessions of devices that it has vouched for.
#[utoipa::path(delete, path = "/credentials/trust/{id}", tag = "credentials",
    params(("id" = String, Path, description = "Number of the authority")),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn distrust(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Unknown authority",
            format!("There is no authority {id:?}; GET /api/v1/credentials/trust lists them."),
        )
    };
    let number: u64 = id.parse().map_err(|_| unknown())?;
    let removed = blocking(move || control.credentials().remove_authority(number)).await?;
    removed.map_err(|error| match error {
        dunlin_server::credentials::CredentialError::UnknownAuthority(_) => unknown(),
        error => refused(error),
    })?;
    Ok(StatusCode::NO_CONTENT)
}
