//! Primitives, all of RustCrypto, in the shapes that the handshake and the records need.

use dunlin_coap::Rng;
use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{NonZeroScalar, PublicKey, SecretKey};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a SHA-256 digest.
pub const HASH_LENGTH: usize = 32;

/// Bytes of an uncompressed P-256 point: `04`, x, y (RFC 8422 §5.4.1).
pub const POINT_LENGTH: usize = 65;

/// HMAC-SHA-256 of `parts`, one after the other.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; HASH_LENGTH] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// SHA-256 of `parts`, one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; HASH_LENGTH] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The TLS 1.2 PRF with SHA-256 (RFC 5246 §5), filling `out`.
///
/// Every suite of the profile uses it. `seed` is given in parts.
pub fn prf(secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    // The key is hashed into the MAC once; each step starts from that state.
    let keyed = keyed(secret);
    let seeded = |mac: &mut Hmac<Sha256>| {
        mac.update(label);
        for part in seed {
            mac.update(part);
        }
    };
    let mut first = keyed.clone();
    seeded(&mut first);
    let mut a: Zeroizing<[u8; HASH_LENGTH]> = Zeroizing::new(first.finalize().into_bytes().into());
    for chunk in out.chunks_mut(HASH_LENGTH) {
        let mut mac = keyed.clone();
        mac.update(a.as_slice());
        let mut next = keyed.clone();
        next.update(a.as_slice());
        seeded(&mut mac);
        let mut block: [u8; HASH_LENGTH] = mac.finalize().into_bytes().into();
        chunk.copy_from_slice(&block[..chunk.len()]);
        block.zeroize();
        *a = next.finalize().into_bytes().into();
    }
}

/// Whether two secrets are the same, in a time that depends on their lengths only.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The running hash of the handshake messages (RFC 6347 §4.2.6, RFC 7627 §3).
#[derive(Clone, Default)]
pub struct Transcript(Sha256);

impl Transcript {
    /// An empty transcript.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a message in: header as if it were one fragment, and body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of what was taken in so far.
    pub fn hash(&self) -> [u8; HASH_LENGTH] {
        self.0.clone().finalize().into()
    }
}

impl core::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Transcript")
    }
}

/// The x coordinate of the shared point (RFC 8422 §5.10), wiped when dropped.
pub type SharedSecret = Zeroizing<[u8; 32]>;

/// One handshake's own P-256 key; wiped when dropped.
pub struct EphemeralKey(SecretKey);

impl EphemeralKey {
    /// Draws a key. A draw that is no scalar of the group (one of 2^32) is drawn again; a source
    /// that yields nothing else, thus is broken, is `None`.
    pub fn generate(rng: &mut dyn Rng) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        (0..8).find_map(|_| {
            rng.fill(bytes.as_mut_slice());
            SecretKey::from_slice(bytes.as_slice()).ok().map(Self)
        })
    }

    /// The key of these 32 bytes, for known answers; `None` when they are no scalar of the group.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        SecretKey::from_slice(bytes).ok().map(Self)
    }

    /// The public point, uncompressed.
    pub fn public_key(&self) -> [u8; POINT_LENGTH] {
        let mut out = [0; POINT_LENGTH];
        let point = self.0.public_key().to_sec1_point(false);
        out.copy_from_slice(point.as_bytes());
        out
    }

    /// The secret shared with the owner of `peer`, an uncompressed point. `None` when that is no
    /// point of the curve, which must be checked (RFC 8422 §5.11), or another point format.
    pub fn agree(&self, peer: &[u8]) -> Option<SharedSecret> {
        if peer.len() != POINT_LENGTH || peer.first() != Some(&4) {
            return None;
        }
        let peer = PublicKey::from_sec1_bytes(peer).ok()?;
        let scalar: Zeroizing<NonZeroScalar> = Zeroizing::new(self.0.to_nonzero_scalar());
        let shared = p256::ecdh::diffie_hellman(*scalar, peer.as_affine());
        let mut out = Zeroizing::new([0; 32]);
        out.copy_from_slice(shared.raw_secret_bytes());
        Some(out)
    }
}

impl core::fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EphemeralKey")
    }
}
