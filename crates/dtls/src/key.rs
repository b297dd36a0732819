//! Key pairs on secp256r1, and the signatures of the handshake.

use alloc::vec::Vec;

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};

/// A private key on secp256r1 with its public half (ECDSA with SHA-256).
#[derive(Clone)]
pub struct KeyPair {
    key: SigningKey,
    spki: Vec<u8>,
}

impl KeyPair {
    /// The key pair of this private key: 32 bytes, big endian.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is not 32 bytes, zero, or not below the order of the curve.
    pub fn from_scalar(scalar: &[u8]) -> Result<Self, KeyError> {
        Self::new(SigningKey::from_slice(scalar).map_err(|_| KeyError)?)
    }

    /// The key pair of a PKCS#8 or OneAsymmetricKey (RFC 5958) in DER, unencrypted, as in `/0/x/5`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is anything else, or a key on another curve.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(SigningKey::from_pkcs8_der(der).map_err(|_| KeyError)?)
    }

    fn new(key: SigningKey) -> Result<Self, KeyError> {
        let spki = key
            .verifying_key()
            .to_public_key_der()
            .map_err(|_| KeyError)?
            .into_vec();
        Ok(Self { key, spki })
    }

    /// The public half as SubjectPublicKeyInfo, in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.spki
    }

    /// Signs `message` with ECDSA and SHA-256; the signature is in DER (RFC 8422 §5.4).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign(message);
        signature.to_der().as_bytes().to_vec()
    }
}

impl core::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// The bytes are no private key on secp256r1 in the form that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not an unencrypted private key on secp256r1")
    }
}

impl core::error::Error for KeyError {}

/// A public key on secp256r1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of this SubjectPublicKeyInfo (DER).
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is anything else, or a key on another curve.
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        VerifyingKey::from_public_key_der(spki)
            .map(Self)
            .map_err(|_| KeyError)
    }

    /// Checks an ECDSA signature with SHA-256 (DER) over `message`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the signature is not that of this key's owner.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let signature = Signature::from_der(signature).map_err(|_| KeyError)?;
        self.0.verify(message, &signature).map_err(|_| KeyError)
    }
}
