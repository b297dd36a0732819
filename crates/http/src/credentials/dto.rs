//! The JSON of credentials.

use dunlin_server::credentials::{
    Created, Credential, CredentialKind, Material, NewCredential, Secret,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use zeroize::{Zeroize, Zeroizing};

use super::text::{from_any, to_pem};
use crate::hex::{from_hex, to_hex};

/// A credential; what is secret in it is not shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Credential)]
pub(crate) struct CredentialDto {
    /// Number of the credential.
    id: String,
    /// The one endpoint name it stands for.
    endpoint: String,
    /// `psk`, `rpk` or `x509`.
    mode: &'static str,
    /// Of a pre-shared key.
    #[serde(skip_serializing_if = "Option::is_none")]
    psk: Option<PskDto>,
    /// Of a raw public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpk: Option<RpkDto>,
    /// Of a pinned certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    x509: Option<X509Dto>,
    /// How often it was rotated.
    revision: u32,
    /// Unix seconds.
    created_at: f64,
    /// Unix seconds; null when it never was.
    rotated_at: Option<f64>,
    /// What is legal and not wise, in words; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// A pre-shared key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Psk)]
pub(crate) struct PskDto {
    /// The identity; null when it is no text.
    identity: Option<String>,
    /// Its bytes in hexadecimal digits.
    identity_hex: String,
    /// How many bytes the key has.
    key_bytes: usize,
    /// The key in hexadecimal digits, when the server has just drawn it: this is the only time it
    /// is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Drop for PskDto {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// A raw public key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RawPublicKey)]
pub(crate) struct RpkDto {
    /// SubjectPublicKeyInfo in hexadecimal digits.
    public_key: String,
    /// Its SHA-256 in hexadecimal digits.
    sha256: String,
}

/// A pinned certificate.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PinnedCertificate)]
pub(crate) struct X509Dto {
    /// PEM.
    certificate: String,
    /// SHA-256 of its DER in hexadecimal digits.
    sha256: String,
}

pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

impl From<Credential> for CredentialDto {
    fn from(credential: Credential) -> Self {
        let mode = credential.kind.name();
        let (mut psk, mut rpk, mut x509) = (None, None, None);
        match credential.kind {
            CredentialKind::Psk {
                identity,
                key_bytes,
            } => {
                psk = Some(PskDto {
                    identity_hex: to_hex(&identity),
                    identity: String::from_utf8(identity.into()).ok(),
                    key_bytes,
                    key: None,
                });
            }
            CredentialKind::RawPublicKey { spki } => {
                rpk = Some(RpkDto {
                    public_key: to_hex(&spki),
                    sha256: fingerprint(&spki),
                });
            }
            CredentialKind::Certificate { certificate } => {
                x509 = Some(X509Dto {
                    certificate: to_pem(&certificate, "CERTIFICATE"),
                    sha256: fingerprint(&certificate),
                });
            }
        }
        Self {
            id: credential.id.to_string(),
            endpoint: credential.endpoint,
            mode,
            psk,
            rpk,
            x509,
            revision: credential.revision,
            created_at: credential.created_at,
            rotated_at: credential.rotated_at,
            warning: None,
        }
    }
}

impl From<Created> for CredentialDto {
    fn from(created: Created) -> Self {
        let warning = created.warning();
        let mut dto = Self::from(created.credential);
        dto.warning = warning;
        if let (Some(psk), Some(drawn)) = (&mut dto.psk, &created.drawn) {
            psk.key = Some(to_hex(drawn.expose()));
        }
        dto
    }
}

/// A page of credentials.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CredentialList)]
pub(crate) struct CredentialListDto {
    /// In the order of endpoint names.
    pub(crate) items: Vec<CredentialDto>,
    /// Give this as `cursor` to get the next page; null at the end.
    pub(crate) next: Option<String>,
    /// How many match in all.
    pub(crate) total: usize,
}

/// A credential to make: exactly one of `psk`, `rpk` and `x509`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewCredential)]
pub(crate) struct NewDto {
    /// The one endpoint name it stands for; when absent, the identity of a PSK.
    pub(crate) endpoint: Option<String>,
    /// A pre-shared key.
    pub(crate) psk: Option<NewPskDto>,
    /// A raw public key.
    pub(crate) rpk: Option<NewRpkDto>,
    /// A pinned certificate.
    pub(crate) x509: Option<NewX509Dto>,
}

/// What takes the place of the key, public key or certificate of a credential.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RotateCredential)]
pub(crate) struct RotateDto {
    /// For a pre-shared key; when absent, the server draws a key.
    psk: Option<NewPskDto>,
    /// For a raw public key.
    rpk: Option<NewRpkDto>,
    /// For a pinned certificate.
    x509: Option<NewX509Dto>,
}

/// A pre-shared key to make.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewPsk)]
pub(crate) struct NewPskDto {
    /// The identity as text; when absent, the endpoint name (or, when it is rotated, what it was).
    pub(crate) identity: Option<String>,
    /// In place of `identity`: any bytes, in hexadecimal digits.
    pub(crate) identity_hex: Option<String>,
    /// 1 to 64 bytes in hexadecimal digits, 16 or more to be safe. When absent, the server draws
    /// 16 bytes and shows them in its answer, once.
    pub(crate) key: Option<String>,
}

impl Drop for NewPskDto {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// A raw public key to take.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRawPublicKey)]
pub(crate) struct NewRpkDto {
    /// SubjectPublicKeyInfo of a P-256 key: PEM (`PUBLIC KEY`), hexadecimal digits or base64.
    pub(crate) public_key: String,
}

/// A certificate to pin.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewPinnedCertificate)]
pub(crate) struct NewX509Dto {
    /// PEM (`CERTIFICATE`), or DER in hexadecimal digits or base64.
    pub(crate) certificate: String,
}

fn key(text: &str) -> Result<Secret, String> {
    let bytes: Zeroizing<Vec<u8>> = from_hex(text).map_err(|error| format!("psk.key: {error}"))?;
    Ok(Secret::new(&bytes))
}

fn material(
    psk: Option<NewPskDto>,
    rpk: Option<NewRpkDto>,
    x509: Option<NewX509Dto>,
) -> Result<Material, String> {
    Ok(match (psk, rpk, x509) {
        (Some(psk), None, None) => {
            let identity = match (&psk.identity, &psk.identity_hex) {
                (Some(_), Some(_)) => {
                    return Err("give psk.identity or psk.identityHex, not both".to_owned());
                }
                (Some(text), None) => Some(text.clone().into_bytes()),
                (None, Some(hex)) => {
                    let bytes =
                        from_hex(hex).map_err(|error| format!("psk.identityHex: {error}"))?;
                    Some(bytes.to_vec())
                }
                (None, None) => None,
            };
            let key = psk.key.as_deref().map(key).transpose()?;
            Material::Psk { identity, key }
        }
        (None, Some(rpk), None) => Material::RawPublicKey {
            spki: from_any(&rpk.public_key, "PUBLIC KEY")
                .map_err(|error| format!("rpk.publicKey: {error}"))?,
        },
        (None, None, Some(x509)) => Material::Certificate {
            certificate: from_any(&x509.certificate, "CERTIFICATE")
                .map_err(|error| format!("x509.certificate: {error}"))?,
        },
        _ => return Err("give exactly one of psk, rpk and x509".to_owned()),
    })
}

impl NewDto {
    /// The same in the terms of the server, or what is wrong.
    pub(crate) fn read(self) -> Result<NewCredential, String> {
        Ok(NewCredential {
            endpoint: self.endpoint,
            material: material(self.psk, self.rpk, self.x509)?,
        })
    }
}

impl RotateDto {
    /// The same in the terms of the server, or what is wrong. Nothing at all asks for a new key of
    /// a PSK.
    pub(crate) fn read(self) -> Result<Material, String> {
        match self {
            Self {
                psk: None,
                rpk: None,
                x509: None,
            } => material(Some(NewPskDto::default()), None, None),
            Self { psk, rpk, x509 } => material(psk, rpk, x509),
        }
    }
}
