//! Certificate paths (RFC 5280 §6) by `rustls-webpki`, with the signatures by RustCrypto.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
    TrustAnchor, UnixTime, alg_id,
};
use sha2::{Digest, Sha256, Sha384};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, VerifiedPath, anchor_from_trusted_cert,
};

use super::certificate::{ANY_PURPOSE, Purpose};
use super::{CertificateError, Through};

/// Signatures that are verified for one chain. Certificates of the same name make a builder of
/// paths try many, and each costs up to a millisecond before the peer has proved anything.
const MAX_SIGNATURES: u32 = 16;

/// An authority that paths may end in.
#[derive(Clone)]
pub(super) struct Anchor(TrustAnchor<'static>);

impl Anchor {
    pub(super) fn new(certificate: &[u8]) -> Result<Self, CertificateError> {
        let certificate = CertificateDer::from(certificate);
        match anchor_from_trusted_cert(&certificate) {
            Ok(anchor) => Ok(Self(anchor.to_owned())),
            Err(error) => Err(meaning(&error)),
        }
    }
}

/// Validates the path from the leaf, which comes first in `chain`, to one of `anchors` at this time
/// (seconds since 1970) for this purpose. When there is `through`, it must be true of one of the
/// certificates between the two.
pub(super) fn validate<'a>(
    chain: &[&[u8]],
    anchors: impl Iterator<Item = &'a Anchor>,
    unix_seconds: u64,
    purpose: Purpose,
    through: Option<Through<'_>>,
) -> Result<(), CertificateError> {
    let (leaf, rest) = chain.split_first().ok_or(CertificateError::Missing)?;
    let anchors: Vec<TrustAnchor<'_>> = anchors.map(|anchor| anchor.0.clone()).collect();
    let intermediates: Vec<CertificateDer<'_>> =
        rest.iter().map(|der| CertificateDer::from(*der)).collect();
    let leaf = CertificateDer::from(*leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(|error| meaning(&error))?;

    let budget = &AtomicU32::new(MAX_SIGNATURES);
    let algorithms = [
        (Curve::P256, Hash::Sha256),
        (Curve::P256, Hash::Sha384),
        (Curve::P384, Hash::Sha256),
        (Curve::P384, Hash::Sha384),
    ]
    .map(|(curve, hash)| Ecdsa {
        curve,
        hash,
        budget,
    });
    let algorithms = algorithms
        .each_ref()
        .map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm);
    let check = |path: &VerifiedPath<'_>| {
        let mut between = path.intermediate_certificates();
        match through {
            Some(through) if !between.any(|certificate| through(&certificate.der())) => {
                Err(Error::UnknownIssuer)
            }
            _ => Ok(()),
        }
    };
    leaf.verify_for_usage(
        &algorithms,
        &anchors,
        &intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds)),
        Allows(purpose),
        None,
        Some(&check),
    )
    .map(|_| ())
    .map_err(|error| match meaning(&error) {
        CertificateError::BadSignature if budget.load(Ordering::Relaxed) == 0 => {
            CertificateError::TooLong
        }
        meaning => meaning,
    })
}

/// An extended key usage that is absent, names the purpose, or names any (RFC 5280 §4.2.1.12).
struct Allows(Purpose);

impl ExtendedKeyUsageValidator for Allows {
    fn validate(&self, iter: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let any = KeyPurposeId::new(ANY_PURPOSE);
        let purpose = KeyPurposeId::new(self.0.oid());
        let mut absent = true;
        for id in iter {
            let id = id?;
            absent = false;
            if id == any || id == purpose {
                return Ok(());
            }
        }
        if absent {
            return Ok(());
        }
        Err(Error::RequiredEkuNotFoundContext(
            RequiredEkuNotFoundContext {
                required: KeyUsage::required_if_present(self.0.oid()),
                present: Vec::new(),
            },
        ))
    }
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
}

/// ECDSA in a certificate. RSA is no part of the profile (RFC 7925 §4.4).
struct Ecdsa<'b> {
    curve: Curve,
    hash: Hash,
    budget: &'b AtomicU32,
}

impl fmt::Debug for Ecdsa<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ECDSA on {:?} with {:?}", self.curve, self.hash)
    }
}

impl SignatureVerificationAlgorithm for Ecdsa<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .map_err(|_| InvalidSignature)?;
        let digest = match self.hash {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
        };
        let verified = match self.curve {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(public_key);
                let signature = p256::ecdsa::DerSignature::try_from(signature);
                key.and_then(|key| key.verify_prehash(&digest, &signature?))
            }
            Curve::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(public_key);
                let signature = p384::ecdsa::DerSignature::try_from(signature);
                key.and_then(|key| key.verify_prehash(&digest, &signature?))
            }
        };
        verified.map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.curve {
            Curve::P256 => alg_id::ECDSA_P256,
            Curve::P384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.hash {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
        }
    }
}

fn meaning(error: &Error) -> CertificateError {
    match error {
        Error::CertExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotYetValid,
        Error::UnknownIssuer => CertificateError::UnknownIssuer,
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Error::CaUsedAsEndEntity
        | Error::EndEntityUsedAsCa
        | Error::RequiredEkuNotFoundContext(_)
        | Error::EmptyEkuExtension => CertificateError::WrongPurpose,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            CertificateError::UnsupportedSignature
        }
        Error::PathLenConstraintViolated
        | Error::NameConstraintViolation
        | Error::UnsupportedCriticalExtension => CertificateError::Constraint,
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => CertificateError::TooLong,
        _ => CertificateError::Malformed,
    }
}
