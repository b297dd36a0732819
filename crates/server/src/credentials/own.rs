//! The server's own key.

use dunlin_coap::Rng;
use dunlin_net::OsRng;
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use zeroize::Zeroizing;

use super::Secret;
use super::check::SPKI_HEAD;

/// The key pair that the server proves itself by towards devices with raw public keys and
/// certificates, and the certificates for it.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// The private key: a P-256 scalar, 32 bytes, big endian.
    pub private_key: Secret,
    /// Its SubjectPublicKeyInfo (DER): what devices pin in `/0/x/4` (Core 1.2 Appendix E.1).
    pub public_key: Box<[u8]>,
    /// Certificates (DER), the server's first; empty without one.
    pub chain: Vec<Box<[u8]>>,
    /// When it was made or imported, in Unix seconds.
    pub created_at: f64,
}

impl OwnKey {
    /// A new key pair.
    pub(super) fn generate(created_at: f64) -> Self {
        loop {
            let mut scalar = Zeroizing::new(vec![0; 32]);
            OsRng::new().fill(&mut scalar);
            // One draw of 2^32 is not below the order of the curve.
            if let Some(key) = Self::of(Secret::new(scalar.to_vec()), Vec::new(), created_at) {
                return key;
            }
        }
    }

    /// The key pair of a private key; `None` when it is none.
    pub(super) fn of(private_key: Secret, chain: Vec<Box<[u8]>>, created_at: f64) -> Option<Self> {
        let key = SecretKey::from_slice(private_key.bytes()).ok()?;
        let point = key.public_key().to_sec1_point(false);
        Some(Self {
            public_key: [&SPKI_HEAD, point.as_bytes()].concat().into(),
            private_key,
            chain,
            created_at,
        })
    }
}
