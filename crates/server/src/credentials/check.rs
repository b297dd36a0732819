//! What may become a credential.

use dunlin_dtls::PublicKey;

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

/// Whether `der` looks like one certificate; whether it is one is found out when it is used.
pub(super) fn certificate(der: &[u8]) -> Result<(), CredentialError> {
    let bad = |text| Err(CredentialError::Certificate(text));
    if der.len() > MAX_CERTIFICATE {
        return bad("larger than 8192 bytes");
    }
    let (0x30, Some(length)) = (der.first().copied().unwrap_or(0), der_length(der)) else {
        return bad("no DER");
    };
    if length != der.len() {
        return bad("cut off, or something follows it");
    }
    Ok(())
}

/// Bytes of the element that `der` begins with, with its head.
fn der_length(der: &[u8]) -> Option<usize> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let count = usize::from(first & 0x7F);
    let bytes = rest.get(..count).filter(|_| (1..=3).contains(&count))?;
    let length = bytes
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some(2 + count + length)
}
