//! What the server proves itself by.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use dunlin_server::control::Control;
use dunlin_server::credentials::OwnKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroize;

use super::dto::fingerprint;
use super::refused;
use super::text::to_pem;
use crate::data::parse_body;
use crate::hex::to_hex;
use crate::perform::blocking;
use crate::problem::Problem;

/// The server's own public key, and its certificates.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnKey)]
pub(crate) struct OwnKeyDto {
    /// SubjectPublicKeyInfo in hexadecimal digits: what `/0/x/4` of a device with raw public keys
    /// is to hold.
    public_key: String,
    /// The same in PEM.
    public_key_pem: String,
    /// SHA-256 of the SubjectPublicKeyInfo in hexadecimal digits.
    sha256: String,
    /// Certificates in PEM, the server's first; null when it has none.
    certificates: Option<String>,
    /// When the key was made or imported, in Unix seconds.
    created_at: f64,
}

impl From<&OwnKey> for OwnKeyDto {
    fn from(own: &OwnKey) -> Self {
        let spki = own.pair.public_key();
        let chain = own.chain.iter();
        let chain: String = chain.map(|der| to_pem(der, "CERTIFICATE")).collect();
        Self {
            public_key: to_hex(spki),
            public_key_pem: to_pem(spki, "PUBLIC KEY"),
            sha256: fingerprint(spki),
            certificates: (!chain.is_empty()).then_some(chain),
            created_at: own.created_at,
        }
    }
}

/// Tells the server's own public key and certificates, for devices to know it by.
#[utoipa::path(get, path = "/credentials/server", tag = "credentials",
    responses((status = 200, body = OwnKeyDto)))]
pub(crate) async fn own(State(control): State<Control>) -> Json<OwnKeyDto> {
    Json(OwnKeyDto::from(&*control.credentials().own_key()))
}

/// A key for the server, and certificates for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ImportOwnKey)]
pub(crate) struct ImportDto {
    /// The private key (P-256), unencrypted, in PEM: `PRIVATE KEY` or `EC PRIVATE KEY`. It is never
    /// shown again.
    key: String,
    /// Certificates in PEM, the server's first, each followed by its issuer's; without them the
    /// server has a raw public key alone.
    certificates: Option<String>,
}

impl Drop for ImportDto {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Gives the server another key, and certificates for it. Handshakes use it once the server has
/// been started again; devices that know the old key must be given the new one.
#[utoipa::path(put, path = "/credentials/server", tag = "credentials", request_body = ImportDto,
    responses((status = 200, body = OwnKeyDto), (status = 400, body = Problem)))]
pub(crate) async fn import_own(
    State(control): State<Control>,
    body: Bytes,
) -> Result<Json<OwnKeyDto>, Problem> {
    let import: ImportDto = parse_body(&body)?;
    let imported = blocking(move || {
        let chain = import.certificates.as_deref().map(str::as_bytes);
        let credentials = control.credentials();
        credentials.import_own_key(import.key.as_bytes(), chain)
    });
    let own = imported.await?.map_err(refused)?;
    Ok(Json(OwnKeyDto::from(&*own)))
}
