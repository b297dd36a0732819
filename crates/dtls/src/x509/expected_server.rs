//! What a device demands of its server: the Security object's resources 2, 4, 13, 14 and 15.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use dunlin_coap::Instant;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::certificate::Purpose;
use super::names::ReferenceName;
use super::path::{self, Anchor};
use super::{Certificate, CertificateError, Through, certificates};
use crate::{Alert, PublicKey, ServerVerifier};

/// How `/0/x/4` stands for a certificate or a public key: Matching Type, `/0/x/13`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matching {
    /// 0: it is the certificate or the SubjectPublicKeyInfo.
    #[default]
    Exact,
    /// 1: its SHA-256.
    Sha256,
    /// 2: its SHA-384.
    Sha384,
    /// 3: its SHA-512.
    Sha512,
}

impl Matching {
    /// By the number in `/0/x/13`; `None` when it is reserved.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Exact,
            1 => Self::Sha256,
            2 => Self::Sha384,
            3 => Self::Sha512,
            _ => return None,
        })
    }

    /// Length of a hash, `None` for exact matching.
    const fn length(self) -> Option<usize> {
        match self {
            Self::Exact => None,
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
        }
    }

    fn is(self, expected: &[u8], content: &[u8]) -> bool {
        match self {
            Self::Exact => expected.ct_eq(content).into(),
            Self::Sha256 => expected.ct_eq(&Sha256::digest(content)).into(),
            Self::Sha384 => expected.ct_eq(&Sha384::digest(content)).into(),
            Self::Sha512 => expected.ct_eq(&Sha512::digest(content)).into(),
        }
    }
}

/// What `/0/x/4` is to the server's certificate: Certificate Usage, `/0/x/15` (RFC 6698 §2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CertificateUsage {
    /// 0: an authority on the path from the server's certificate to the device's trust store.
    CaConstraint,
    /// 1: the server's certificate, which also needs a path to the device's trust store.
    ServiceCertificateConstraint,
    /// 2: the authority that the path from the server's certificate must end in.
    TrustAnchorAssertion,
    /// 3: the server's certificate, whoever issued it.
    #[default]
    DomainIssued,
}

impl CertificateUsage {
    /// By the number in `/0/x/15`; `None` when it is reserved.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::CaConstraint,
            1 => Self::ServiceCertificateConstraint,
            2 => Self::TrustAnchorAssertion,
            3 => Self::DomainIssued,
            _ => return None,
        })
    }
}

/// What the clock on the wall says at a point in monotonic time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The point.
    pub at: Instant,
    /// Seconds since 1970 at that point, as in `/3/0/13`.
    pub unix_seconds: u64,
}

impl WallClock {
    /// What it says at another point, in seconds since 1970.
    pub const fn unix_seconds(self, now: Instant) -> u64 {
        let passed: Duration = now.saturating_since(self.at);
        self.unix_seconds.saturating_add(passed.as_secs())
    }
}

/// A certificate that the device trusts.
#[derive(Clone)]
struct Trusted {
    der: Box<[u8]>,
    /// `None` when it may not issue certificates: then it stands for itself only.
    anchor: Option<Anchor>,
}

impl Trusted {
    fn new(der: Box<[u8]>) -> Result<Self, CertificateError> {
        let authority = Certificate::parse(&der)?.is_authority();
        let anchor = authority.then(|| Anchor::new(&der)).transpose()?;
        Ok(Self { der, anchor })
    }
}

#[derive(Clone)]
enum Kind {
    RawPublicKey,
    Certificate {
        usage: CertificateUsage,
        /// Exactly matched authorities, ready for use.
        expected: Option<Trusted>,
        trust_store: Vec<Trusted>,
        name: Option<ReferenceName>,
        always_by_name: bool,
        clock: Option<WallClock>,
    },
}

/// The server that a device expects, as its Security object describes it. This is the verifier of a
/// DTLS client in modes 1 (raw public key), 2 (certificate) and 4 (EST).
///
/// ```
/// use dunlin_dtls::{CertificateUsage, ExpectedServer, Matching};
/// # let (server_key, ca) = ([0; 32], [0; 32]);
/// let by_hash = ExpectedServer::raw_public_key(&server_key, Matching::Sha256)?;
/// let by_authority =
///     ExpectedServer::certificate(&ca, Matching::Sha256, CertificateUsage::TrustAnchorAssertion)?
///         .named("lwm2m.example.com");
/// # Ok::<_, dunlin_dtls::CertificateError>(())
/// ```
#[derive(Clone)]
pub struct ExpectedServer {
    /// `/0/x/4`.
    content: Box<[u8]>,
    matching: Matching,
    kind: Kind,
}

impl ExpectedServer {
    /// Expects a raw public key; `content` is `/0/x/4`, a SubjectPublicKeyInfo or its hash.
    ///
    /// # Errors
    ///
    /// [`CertificateError::UnsupportedKey`] for a key that is none on secp256r1,
    /// [`CertificateError::Malformed`] for one that is none at all or a hash of another length.
    pub fn raw_public_key(content: &[u8], matching: Matching) -> Result<Self, CertificateError> {
        match matching.length() {
            None => drop(PublicKey::from_spki(content)?),
            Some(length) if length == content.len() => {}
            Some(_) => return Err(CertificateError::Malformed),
        }
        Ok(Self {
            content: content.into(),
            matching,
            kind: Kind::RawPublicKey,
        })
    }

    /// Expects a certificate; `content` is `/0/x/4`: a certificate in DER or PEM, or the hash of
    /// one in DER.
    ///
    /// All usages but [`CertificateUsage::DomainIssued`] also need the name ([`Self::named`]), the
    /// time ([`Self::at`]), and the feature `x509`; usages 0 and 1 a trust store
    /// ([`Self::trusting`]).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`] for what is no certificate or a hash of another length,
    /// [`CertificateError::WrongPurpose`] for usage 0 or 2 with a certificate that may not issue
    /// others (but see [`CertificateUsage::TrustAnchorAssertion`]: one that is self-signed may be
    /// the server's own).
    pub fn certificate(
        content: &[u8],
        matching: Matching,
        usage: CertificateUsage,
    ) -> Result<Self, CertificateError> {
        let (content, expected): (Box<[u8]>, _) = match matching.length() {
            None => {
                let mut found = certificates(content)?.into_iter();
                let der = found.next().ok_or(CertificateError::Missing)?;
                if found.next().is_some() {
                    return Err(CertificateError::Malformed);
                }
                let expected = Trusted::new(der.clone())?;
                let self_issued = Certificate::parse(&der)?.is_self_issued();
                let fits = match usage {
                    CertificateUsage::CaConstraint => expected.anchor.is_some(),
                    CertificateUsage::TrustAnchorAssertion => {
                        expected.anchor.is_some() || self_issued
                    }
                    _ => true,
                };
                if !fits {
                    return Err(CertificateError::WrongPurpose);
                }
                (der, Some(expected))
            }
            Some(length) if length == content.len() => (content.into(), None),
            Some(_) => return Err(CertificateError::Malformed),
        };
        Ok(Self {
            content,
            matching,
            kind: Kind::Certificate {
                usage,
                expected,
                trust_store: Vec::new(),
                name: None,
                always_by_name: false,
                clock: None,
            },
        })
    }

    /// The name that the certificate must be for: `/0/x/14` when there is one, else the host of the
    /// URI; a host name, or the literal of an address.
    ///
    /// It is not looked at when the certificate is the expected one itself.
    #[must_use]
    pub fn named(mut self, host: &str) -> Self {
        if let Kind::Certificate { name, .. } = &mut self.kind {
            *name = ReferenceName::new(host);
        }
        self
    }

    /// Looks at the name also when the certificate is the expected one itself, as version 1.0
    /// wants it (and its test 403).
    #[must_use]
    pub fn always_by_name(mut self) -> Self {
        if let Kind::Certificate { always_by_name, .. } = &mut self.kind {
            *always_by_name = true;
        }
        self
    }

    /// The device's trust store, for usages 0 and 1: certificates in DER or PEM. May be said
    /// several times.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`].
    pub fn trusting(mut self, anchors: &[u8]) -> Result<Self, CertificateError> {
        if let Kind::Certificate { trust_store, .. } = &mut self.kind {
            for der in certificates(anchors)? {
                trust_store.push(Trusted::new(der)?);
            }
        }
        Ok(self)
    }

    /// The time, without which no validity period can be checked.
    #[must_use]
    pub fn at(mut self, wall_clock: WallClock) -> Self {
        if let Kind::Certificate { clock, .. } = &mut self.kind {
            *clock = Some(wall_clock);
        }
        self
    }

    /// Whether this raw public key (SubjectPublicKeyInfo in DER) is the server's.
    ///
    /// # Errors
    ///
    /// [`CertificateError::NotExpected`]; [`CertificateError::UnsupportedKey`] and
    /// [`CertificateError::Malformed`] for what cannot be used.
    pub fn check_raw_public_key(&self, spki: &[u8]) -> Result<(), CertificateError> {
        PublicKey::from_spki(spki)?;
        if matches!(self.kind, Kind::RawPublicKey) && self.matching.is(&self.content, spki) {
            Ok(())
        } else {
            Err(CertificateError::NotExpected)
        }
    }

    /// Whether this chain (DER, leaf first) is the server's.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_certificate(&self, chain: &[&[u8]], now: Instant) -> Result<(), CertificateError> {
        let Kind::Certificate {
            usage,
            expected,
            trust_store,
            name,
            always_by_name,
            clock,
        } = &self.kind
        else {
            return Err(CertificateError::NotExpected);
        };
        let (leaf_der, leaf) = Certificate::leaf(chain)?;
        let is_expected = |der: &[u8]| self.matching.is(&self.content, der);
        let leaf_is_expected = is_expected(leaf_der);

        match usage {
            CertificateUsage::DomainIssued | CertificateUsage::ServiceCertificateConstraint
                if !leaf_is_expected =>
            {
                return Err(CertificateError::NotExpected);
            }
            // No path, and no validity period either (RFC 7671 §5.1).
            CertificateUsage::DomainIssued => {}
            _ => {
                let clock = clock.ok_or(CertificateError::TimeUnknown)?;
                let time = clock.unix_seconds(now);
                let path = |trusted: &mut dyn Iterator<Item = &Trusted>,
                            through: Option<Through<'_>>| {
                    let trusted: Vec<&Trusted> = trusted.collect();
                    // A self-signed certificate that is trusted itself has no path to look at, and
                    // builders of paths refuse it.
                    let alone = leaf.is_self_issued()
                        && trusted.iter().any(|trusted| *trusted.der == *leaf_der);
                    if alone && through.is_none() {
                        leaf.check_purpose(Purpose::Server)?;
                        return leaf.check_time(time);
                    }
                    let anchors = trusted.iter().filter_map(|trusted| trusted.anchor.as_ref());
                    path::validate(chain, anchors, time, Purpose::Server, through)
                };
                match usage {
                    CertificateUsage::ServiceCertificateConstraint => {
                        path(&mut trust_store.iter(), None)?;
                    }
                    CertificateUsage::CaConstraint => {
                        // The authority is where the path ends, or on the way there.
                        let mut ends = trust_store.iter().filter(|trusted| {
                            *trusted.der != *leaf_der && is_expected(&trusted.der)
                        });
                        path(&mut ends, None)
                            .or_else(|_| path(&mut trust_store.iter(), Some(&is_expected)))?;
                    }
                    _ => {
                        // By its hash an authority can only be found when the server sends it.
                        let sent = chain
                            .iter()
                            .filter(|der| expected.is_none() && is_expected(der))
                            .map(|der| Trusted::new((*der).into()))
                            .collect::<Result<Vec<_>, _>>()?;
                        path(&mut expected.iter().chain(&sent), None)?;
                    }
                }
            }
        }

        if leaf_is_expected && !always_by_name {
            return Ok(());
        }
        match name {
            Some(name) if leaf.is_for(name) => Ok(()),
            // An address says nothing about a certificate that was issued by name and is the
            // expected one.
            None | Some(ReferenceName::Address(_)) if leaf_is_expected => Ok(()),
            _ => Err(CertificateError::WrongName),
        }
    }
}

impl fmt::Debug for ExpectedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedServer")
            .field("matching", &self.matching)
            .finish_non_exhaustive()
    }
}

impl ServerVerifier for ExpectedServer {
    fn raw_public_key(&self, spki: &[u8]) -> Result<(), Alert> {
        Ok(self.check_raw_public_key(spki)?)
    }

    fn certificate(&self, chain: &[&[u8]], now: Instant) -> Result<(), Alert> {
        Ok(self.check_certificate(chain, now)?)
    }
}
