//! Keys on the curve secp256r1 (P-256), the one that LwM2M requires (RFC 7925 §4.3): private keys
//! as they come from files and from the Security object, raw public keys (RFC 7250), and ECDSA
//! with SHA-256.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use dunlin_coap::Rng;
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::elliptic_curve::ALGORITHM_OID;
use p256::pkcs8::{AssociatedOid, PrivateKeyInfoRef};
use p256::{NistP256, SecretKey};
use zeroize::Zeroizing;

use crate::der::{self, Reader};
use crate::pem;

/// Length of a SubjectPublicKeyInfo with an uncompressed point of P-256.
pub(crate) const SPKI_LENGTH: usize = 91;

/// What stands before the point: AlgorithmIdentifier id-ecPublicKey with the named curve
/// secp256r1 (RFC 5480 §2.1.1), and the head of the BIT STRING.
const SPKI_PREFIX: [u8; SPKI_LENGTH - 65] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why bytes are no key, or a signature is none of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Neither of the encodings that are understood.
    Malformed,
    /// A key of another algorithm or curve; only ECDSA keys on secp256r1 are used.
    Unsupported,
    /// The point is not on the curve, or the private key is not in its range.
    NotOnCurve,
    /// A public key stands beside the private key and belongs to another one.
    Mismatch,
    /// The private key is encrypted; it must be decrypted before.
    Encrypted,
    /// The random source gave nothing usable 16 times in a row: it is broken.
    NoRandomness,
    /// The signature is not one of this key over these bytes.
    BadSignature,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a key in DER or PEM",
            Self::Unsupported => "not an ECDSA key on the curve secp256r1 (P-256)",
            Self::NotOnCurve => "not a point or a scalar of the curve secp256r1",
            Self::Mismatch => "the public key beside the private key is another one",
            Self::Encrypted => "the private key is encrypted; decrypt it first",
            Self::NoRandomness => "the random source is broken",
            Self::BadSignature => "the signature does not verify",
        })
    }
}

impl core::error::Error for KeyError {}

/// A private key on P-256 with its public key. Erased when dropped; `Debug` shows nothing of the
/// private part.
#[derive(Clone)]
pub struct KeyPair {
    signing: SigningKey,
    spki: [u8; SPKI_LENGTH],
}

impl KeyPair {
    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoRandomness`] when `rng` is broken.
    pub fn generate(rng: &mut dyn Rng) -> Result<Self, KeyError> {
        // A scalar is out of range with a probability of 2^-32 (FIPS 186-4 §B.4.2).
        for _ in 0..16 {
            let mut scalar = Zeroizing::new([0; 32]);
            rng.fill(scalar.as_mut_slice());
            if let Ok(key) = Self::from_scalar(scalar.as_slice()) {
                return Ok(key);
            }
        }
        Err(KeyError::NoRandomness)
    }

    /// Reads a private key in any form that it is usually kept in: PEM (`PRIVATE KEY`,
    /// `EC PRIVATE KEY`; other sections before it are skipped), OneAsymmetricKey alias PKCS#8
    /// (RFC 5958; what `/0/x/5` holds), ECPrivateKey (SEC 1, RFC 5915), or the bare 32 bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if pem::is_pem(bytes) {
            return Self::from_pem(bytes);
        }
        if bytes.len() == 32 {
            return Self::from_scalar(bytes);
        }
        Self::from_der(bytes)
    }

    /// Reads PEM; see [`KeyPair::from_bytes`].
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        for section in pem::sections(text) {
            let section = section.map_err(|()| {
                // The old form of OpenSSL has headers before the base64 (RFC 1421 §4.6.1.1).
                match pem::find(text, b"Proc-Type: 4,ENCRYPTED") {
                    Some(_) => KeyError::Encrypted,
                    None => KeyError::Malformed,
                }
            })?;
            match section.label {
                b"PRIVATE KEY" | b"EC PRIVATE KEY" => return Self::from_der(&section.der),
                b"ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
                b"RSA PRIVATE KEY" | b"DSA PRIVATE KEY" => return Err(KeyError::Unsupported),
                _ => {}
            }
        }
        Err(KeyError::Malformed)
    }

    /// Reads OneAsymmetricKey (version 1 or 2) or ECPrivateKey.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, KeyError> {
        // Both are a SEQUENCE that begins with a version; an AlgorithmIdentifier follows in one,
        // the key itself in the other.
        let mut fields = Reader::new(der::only(bytes, der::SEQUENCE).ok_or(KeyError::Malformed)?);
        if fields.peek() == Some(der::SEQUENCE) {
            // EncryptedPrivateKeyInfo (RFC 5958 §3) has no version.
            return Err(KeyError::Encrypted);
        }
        fields.expect(der::INTEGER).ok_or(KeyError::Malformed)?;
        if fields.peek() == Some(der::SEQUENCE) {
            return Self::from_one_asymmetric_key(bytes);
        }
        let key = SecretKey::from_sec1_der(bytes).map_err(|_| KeyError::Malformed)?;
        Ok(Self::new(&key))
    }

    fn from_one_asymmetric_key(bytes: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(bytes).map_err(|_| KeyError::Malformed)?;
        info.algorithm
            .assert_oids(ALGORITHM_OID, NistP256::OID)
            .map_err(|_| KeyError::Unsupported)?;
        let beside = info.public_key.map(|key| key.as_bytes());
        let key = SecretKey::try_from(info).map_err(|_| KeyError::Malformed)?;
        let key = Self::new(&key);
        // RFC 5958 §2: [1] publicKey, version 2 only.
        match beside {
            Some(Some(point)) if *point == key.spki[SPKI_PREFIX.len()..] => Ok(key),
            None => Ok(key),
            Some(_) => Err(KeyError::Mismatch),
        }
    }

    /// Takes a bare private key: 32 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotOnCurve`] for another length, zero, and what is not below the order.
    pub fn from_scalar(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = SecretKey::from_slice(bytes).map_err(|_| KeyError::NotOnCurve)?;
        Ok(Self::new(&key))
    }

    fn new(key: &SecretKey) -> Self {
        let signing = SigningKey::from(key);
        let public = PublicKey {
            key: *signing.verifying_key(),
        };
        Self {
            spki: public.spki(),
            signing,
        }
    }

    /// The public key as SubjectPublicKeyInfo in DER: what goes into a Certificate message (RFC
    /// 7250 §3), and into `/0/x/3` of the device and `/0/x/4` of the server.
    pub fn public_key(&self) -> &[u8] {
        &self.spki
    }

    /// The private key as OneAsymmetricKey in DER (RFC 5958), what `/0/x/5` holds.
    pub fn to_der(&self) -> Zeroizing<Box<[u8]>> {
        // RFC 5915 §3 inside RFC 5958 §2, version 1, with the public key in the inner structure
        // as OpenSSL writes it.
        let scalar = Zeroizing::new(self.signing.to_bytes());
        let mut der: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(138));
        der.extend([0x30, 0x81, 0x87, 0x02, 0x01, 0x00]);
        der.extend(&SPKI_PREFIX[2..23]);
        der.extend([0x04, 0x6D, 0x30, 0x6B, 0x02, 0x01, 0x01, 0x04, 0x20]);
        der.extend(scalar.as_slice());
        der.extend([0xA1, 0x44, 0x03, 0x42, 0x00]);
        der.extend(&self.spki[SPKI_PREFIX.len()..]);
        Zeroizing::new(der.as_slice().into())
    }

    /// Signs with ECDSA and SHA-256. The nonce is derived (RFC 6979): no random source can spoil
    /// the key. The signature is ECDSA-Sig-Value in DER (RFC 8422 §5.4), at most 72 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.signing.sign(message);
        signature.as_bytes().to_vec()
    }

    /// The same for a message of which only the SHA-256 is left; `None` where the curve has no
    /// signature for it, which nobody has seen.
    pub(crate) fn sign_prehash(&self, hash: &[u8; 32]) -> Option<Vec<u8>> {
        let signature: DerSignature = self.signing.sign_prehash(hash).ok()?;
        Some(signature.as_bytes().to_vec())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public_key", &PublicKey::from_spki(&self.spki))
            .finish_non_exhaustive()
    }
}

/// A public key on P-256: a point of the curve that is not its zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
}

impl PublicKey {
    /// Reads a raw public key: a SubjectPublicKeyInfo in DER (RFC 7250 §3), and nothing but one
    /// with the named curve secp256r1 and an uncompressed point on it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] for another algorithm, curve or form of the point,
    /// [`KeyError::NotOnCurve`], [`KeyError::Malformed`].
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        if let Some(point) = spki.strip_prefix(&SPKI_PREFIX)
            && point.len() == 65
        {
            return match point[0] {
                0x04 => Self::from_point(point),
                _ => Err(KeyError::Malformed),
            };
        }
        // Only to say what is wrong.
        let parts = || {
            let mut fields = Reader::new(der::only(spki, der::SEQUENCE)?);
            let mut algorithm = Reader::new(fields.expect(der::SEQUENCE)?);
            algorithm.expect(der::OID)?;
            der::bit_string_bytes(fields.expect(der::BIT_STRING)?)?;
            fields.end()
        };
        Err(parts().map_or(KeyError::Malformed, |()| KeyError::Unsupported))
    }

    /// Reads a raw public key out of a file: PEM (`PUBLIC KEY`; other sections before it are
    /// skipped), or a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_spki`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if !pem::is_pem(bytes) {
            return Self::from_spki(bytes);
        }
        for section in pem::sections(bytes) {
            let section = section.map_err(|()| KeyError::Malformed)?;
            if section.label == b"PUBLIC KEY" {
                return Self::from_spki(&section.der);
            }
        }
        Err(KeyError::Malformed)
    }

    /// Reads an uncompressed point, 65 bytes (RFC 8422 §5.4.1).
    fn from_point(point: &[u8]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyError::NotOnCurve)?;
        Ok(Self { key })
    }

    /// The key as SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> [u8; SPKI_LENGTH] {
        let mut spki = [0; SPKI_LENGTH];
        let (prefix, point) = spki.split_at_mut(SPKI_PREFIX.len());
        prefix.copy_from_slice(&SPKI_PREFIX);
        point.copy_from_slice(self.key.to_sec1_point(false).as_bytes());
        spki
    }

    /// Verifies an ECDSA signature with SHA-256 in DER over `message`.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        DerSignature::try_from(signature)
            .and_then(|signature| self.key.verify(message, &signature))
            .map_err(|_| KeyError::BadSignature)
    }

    /// The same for a message of which only the SHA-256 is left.
    pub(crate) fn verify_prehash(&self, hash: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        DerSignature::try_from(signature)
            .and_then(|signature| self.key.verify_prehash(hash, &signature))
            .map_err(|_| KeyError::BadSignature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in &self.spki()[SPKI_PREFIX.len() + 1..] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}
