//! What the crate asks its user for during handshakes.

use dunlin_coap::Instant;

use crate::{Alert, Secret};

/// The credentials a server accepts. Asked during handshakes only.
///
/// The numbers are tags of the application's: which credential it was. A session keeps its tag;
/// [`Server::forget`](crate::Server::forget) ends all that have it.
pub trait Credentials {
    /// The key of this PSK identity (any bytes), with its tag.
    ///
    /// An unknown identity looks to the peer exactly like a wrong key.
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        let _ = identity;
        None
    }

    /// The tag of a client's raw public key (SubjectPublicKeyInfo, DER), `None` when it is not
    /// known.
    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        let _ = spki;
        None
    }

    /// The tag of a client's certificate chain (DER, leaf first), or the alert that refuses it.
    ///
    /// The chain is as it came: this is where it is validated. That the client has the private key
    /// to the leaf is checked by the crate.
    ///
    /// # Errors
    ///
    /// The alert to send, such as [`Alert::UNKNOWN_CA`] or [`Alert::CERTIFICATE_EXPIRED`].
    fn certificate(&self, chain: &[&[u8]], now: Instant) -> Result<u64, Alert> {
        let _ = (chain, now);
        Err(Alert::UNSUPPORTED_CERTIFICATE)
    }

    /// Whether the server answers to this name (RFC 6066 §3).
    ///
    /// # Errors
    ///
    /// The alert to send, usually [`Alert::UNRECOGNIZED_NAME`].
    fn server_name(&self, name: &str) -> Result<(), Alert> {
        let _ = name;
        Ok(())
    }
}

/// Judges what a server shows in its Certificate message. Asked during handshakes only.
///
/// That the server has the private key is checked by the crate.
pub trait ServerVerifier {
    /// Whether this raw public key (SubjectPublicKeyInfo, DER) is the server's.
    ///
    /// # Errors
    ///
    /// The alert to send, usually [`Alert::BAD_CERTIFICATE`].
    fn raw_public_key(&self, spki: &[u8]) -> Result<(), Alert> {
        let _ = spki;
        Err(Alert::UNSUPPORTED_CERTIFICATE)
    }

    /// Whether this certificate chain (DER, leaf first) is the server's.
    ///
    /// # Errors
    ///
    /// The alert to send, such as [`Alert::UNKNOWN_CA`] or [`Alert::CERTIFICATE_EXPIRED`].
    fn certificate(&self, chain: &[&[u8]], now: Instant) -> Result<(), Alert> {
        let _ = (chain, now);
        Err(Alert::UNSUPPORTED_CERTIFICATE)
    }
}
