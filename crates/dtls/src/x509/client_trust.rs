//! What a server demands of the certificate of a device.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::certificate::Purpose;
use super::path::{self, Anchor};
use super::{Certificate, CertificateError, certificates};

/// The authorities whose certificates devices may show, and single certificates that are accepted
/// whoever issued them.
#[derive(Clone, Default)]
pub struct ClientTrust {
    anchors: Vec<Anchor>,
    pinned: Vec<Box<[u8]>>,
}

/// A certificate that was accepted.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    /// The device's certificate. [`Certificate::names`] says whose it is.
    pub leaf: Certificate<'a>,
    /// Whether it was accepted as a single certificate, not for its issuer.
    pub pinned: bool,
}

impl ClientTrust {
    /// Nobody is trusted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty() && self.pinned.is_empty()
    }

    /// Trusts authorities: certificates in DER or PEM. Returns how many they were.
    ///
    /// # Errors
    ///
    /// [`CertificateError::WrongPurpose`] when one may not issue certificates (then nothing is
    /// added): whoever has its key could issue some for any device.
    pub fn add_authorities(&mut self, bytes: &[u8]) -> Result<usize, CertificateError> {
        let anchors = certificates(bytes)?
            .iter()
            .map(|der| match Certificate::parse(der)?.is_authority() {
                true => Anchor::new(der),
                false => Err(CertificateError::WrongPurpose),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let added = anchors.len();
        self.anchors.extend(anchors);
        Ok(added)
    }

    /// Accepts single certificates of devices, in DER or PEM, self-signed or not. Returns how many
    /// they were.
    ///
    /// # Errors
    ///
    /// [`CertificateError::UnsupportedKey`] when the key of one is none on secp256r1 (then nothing
    /// is added).
    pub fn pin(&mut self, bytes: &[u8]) -> Result<usize, CertificateError> {
        let pinned = certificates(bytes)?;
        for der in &pinned {
            Certificate::parse(der)?.public_key()?;
        }
        let added = pinned.len();
        self.pinned.extend(pinned);
        Ok(added)
    }

    /// Whether a device with this chain (DER, leaf first) is accepted at this time (seconds since
    /// 1970). That it has the private key is proved elsewhere.
    ///
    /// The leaf must be valid now, have a key on secp256r1, and be allowed to sign handshakes. If
    /// it is not pinned, its path must lead to an authority, and its extended key usage must be
    /// absent or allow client authentication.
    ///
    /// # Errors
    ///
    /// Why not; [`CertificateError::alert`] is what to tell the device.
    pub fn verify<'a>(
        &self,
        chain: &[&'a [u8]],
        unix_seconds: u64,
    ) -> Result<Verified<'a>, CertificateError> {
        let (leaf_der, leaf) = Certificate::leaf(chain)?;
        let pinned = self.pinned.iter().any(|der| **der == *leaf_der);
        if pinned {
            leaf.check_time(unix_seconds)?;
        } else if self.anchors.is_empty() {
            return Err(CertificateError::UnknownIssuer);
        } else {
            let anchors = self.anchors.iter();
            path::validate(chain, anchors, unix_seconds, Purpose::Client, None)?;
        }
        Ok(Verified { leaf, pinned })
    }
}

impl fmt::Debug for ClientTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTrust")
            .field("authorities", &self.anchors.len())
            .field("pinned", &self.pinned.len())
            .finish()
    }
}
