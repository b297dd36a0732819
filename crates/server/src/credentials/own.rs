//! The server's own key.

use dunlin_dtls::KeyPair;

/// The key pair that the server proves itself by towards devices with raw public keys and
/// certificates, and the certificates for it.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// The key pair. Its public key is what devices pin in `/0/x/4` (Core 1.2 Appendix E.1).
    pub pair: KeyPair,
    /// Certificates (DER), the server's first; empty without one.
    pub chain: Vec<Box<[u8]>>,
    /// When it was made or imported, in Unix seconds.
    pub created_at: f64,
}
