//! In the place of certificate paths where they are not built in: says so.

use super::certificate::Purpose;
use super::{CertificateError, Through};

/// An authority that paths may end in.
#[derive(Clone)]
pub(super) struct Anchor;

impl Anchor {
    #[expect(clippy::unnecessary_wraps, reason = "as where paths are built in")]
    pub(super) fn new(_certificate: &[u8]) -> Result<Self, CertificateError> {
        Ok(Self)
    }
}

/// Always [`CertificateError::PathsUnsupported`].
pub(super) fn validate<'a>(
    _chain: &[&[u8]],
    _anchors: impl Iterator<Item = &'a Anchor>,
    _unix_seconds: u64,
    _purpose: Purpose,
    _through: Option<Through<'_>>,
) -> Result<(), CertificateError> {
    Err(CertificateError::PathsUnsupported)
}
