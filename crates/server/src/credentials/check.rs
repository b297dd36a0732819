//! What may become a credential.

use p256::elliptic_curve::sec1::FromSec1Point;
use p256::{PublicKey, Sec1Point};

use super::{CredentialError, MAX_CERTIFICATE, MAX_ENDPOINT, MAX_IDENTITY, MAX_KEY};

/// A SubjectPublicKeyInfo of an uncompressed P-256 point, up to the `04` of the point (RFC 5480
/// §2.1.1): id-ecPublicKey, secp256r1.
pub(super) const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The same for any key on a curve: what follows the length.
const EC_PUBLIC_KEY: [u8; 9] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];

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

/// Whether `spki` is the SubjectPublicKeyInfo (DER) of a P-256 key, the only curve that LwM2M asks
/// for, in the one encoding that devices send: raw public keys are compared byte by byte.
///
/// # Errors
/// [`CredentialError::PublicKey`] in words.
pub fn public_key(spki: &[u8]) -> Result<(), CredentialError> {
    let bad = |text| Err(CredentialError::PublicKey(text));
    let Some(point) = spki.strip_prefix(&SPKI_HEAD) else {
        let is_ec = spki
            .windows(EC_PUBLIC_KEY.len())
            .any(|part| part == EC_PUBLIC_KEY);
        return bad(match spki.first() {
            Some(0x30) if is_ec => {
                "of a curve or an encoding that is not taken: give an uncompressed P-256 key"
            }
            Some(0x30) => "not that of a P-256 key",
            Some(0x04) if spki.len() == 65 => {
                "a bare point; give the SubjectPublicKeyInfo (DER) around it"
            }
            _ => "no SubjectPublicKeyInfo (DER)",
        });
    };
    if point.len() != 65 {
        return bad("cut off or too long: a P-256 key has 91 bytes");
    }
    let on_curve = Sec1Point::from_bytes(point)
        .ok()
        .and_then(|point| Option::<PublicKey>::from(PublicKey::from_sec1_point(&point)));
    match on_curve {
        Some(_) => Ok(()),
        None => bad("no point of the curve P-256"),
    }
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
