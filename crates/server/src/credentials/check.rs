//! What may become a credential.

use dunlin_dtls::{Certificate, PublicKey};

use super::{CredentialError, MAX_CERTIFICATE, MAX_ENDPOINT, MAX_IDENTITY, MAX_KEY};

pub(super) fn endpoint(name: &str) -> Result<(), CredentialError> {
    if name.is_empty() || name.len() > MAX_ENDPOINT {
        return Err(CredentialError::Endpoint(name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(CredentialError::ControlCharacter);
    }
    Ok(())
}

pub(super) fn identity(identity: &[u8]) -> Result<(), CredentialError> {
    match identity.len() {
        1..=MAX_IDENTITY => Ok(()),
        length => Err(CredentialError::Identity(length)),
    }
}

pub(super) fn key(key: &[u8]) -> Result<(), CredentialError> {
    match key.len() {
        1..=MAX_KEY => Ok(()),
        length => Err(CredentialError::Key(length)),
    }
}

/// Raw public keys are compared byte by byte, and devices send one encoding alone.
pub(super) fn public_key(spki: &[u8]) -> Result<(), CredentialError> {
    PublicKey::from_spki(spki)?;
    Ok(())
}

/// A certificate (DER) that a device can prove to have.
pub(super) fn certificate(der: &[u8]) -> Result<(), CredentialError> {
    if der.len() > MAX_CERTIFICATE {
        return Err(CredentialError::CertificateSize(der.len()));
    }
    Certificate::parse(der)?.public_key()?;
    Ok(())
}
