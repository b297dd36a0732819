//! What the server proves itself by.

use axum::Json;
use axum::extract::State;
use dunlin_server::control::Control;
use dunlin_server::credentials::OwnKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::dto::fingerprint;
use super::text::{to_hex, to_pem};

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
