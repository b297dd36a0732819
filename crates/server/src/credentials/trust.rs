//! Authorities whose certificates devices may show.

use dunlin_dtls::{Certificate, CertificateError, ClientTrust, NameSource};

use super::{CredentialError, check};

/// Authorities at most: a chain is tried with each.
pub(super) const MAX_AUTHORITIES: usize = 64;

/// Tags of sessions that an authority vouched for have this bit; the others are numbers of
/// credentials with their revisions.
const AUTHORITY: u64 = 1 << 63;

/// Where in a certificate the endpoint name of its device stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityFrom {
    /// The common name of the subject, as LwM2M wants it (Transport 1.2 §5.2.8.4).
    #[default]
    CommonName,
    /// The subject alternative names: the first URI, else the first DNS name, else the first other
    /// name.
    AlternativeName,
}

impl IdentityFrom {
    /// `cn` or `san`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommonName => "cn",
            Self::AlternativeName => "san",
        }
    }

    /// The endpoint name in a certificate (DER); `None` when it has none that can be one.
    pub fn endpoint(self, certificate: &[u8]) -> Option<String> {
        let certificate = Certificate::parse(certificate).ok()?;
        let sources: &[NameSource] = match self {
            Self::CommonName => &[NameSource::CommonName],
            Self::AlternativeName => &[NameSource::Uri, NameSource::DnsName, NameSource::OtherName],
        };
        let mut names = sources.iter().flat_map(|source| certificate.names(*source));
        names.next().filter(|name| check::endpoint(name).is_ok())
    }
}

/// An authority as everybody may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Authority {
    /// Number; never given twice.
    pub id: u64,
    /// DER.
    pub certificate: Box<[u8]>,
    /// Common name of its subject, empty without one.
    pub name: String,
    /// From when it is valid, in Unix seconds.
    pub not_before: u64,
    /// Until when it is valid, in Unix seconds.
    pub not_after: u64,
    /// When it was added, in Unix seconds.
    pub created_at: f64,
}

/// An authority with what verifies chains.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) authority: Authority,
    trust: ClientTrust,
}

impl Trusted {
    /// Trusts one certificate (DER).
    ///
    /// # Errors
    /// When it may not issue others.
    pub(super) fn new(id: u64, der: &[u8], created_at: f64) -> Result<Self, CredentialError> {
        let mut trust = ClientTrust::new();
        trust.add_authorities(der)?;
        let certificate = Certificate::parse(der)?;
        let mut names = certificate.names(NameSource::CommonName).into_iter();
        Ok(Self {
            authority: Authority {
                id,
                certificate: der.into(),
                name: names.next().unwrap_or_default(),
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
                created_at,
            },
            trust,
        })
    }

    pub(super) fn tag(&self) -> u64 {
        AUTHORITY | self.authority.id
    }
}

/// The number of the authority that a tag stands for.
pub(super) fn authority_of(tag: u64) -> Option<u64> {
    (tag & AUTHORITY != 0).then_some(tag & !AUTHORITY)
}

/// The tag of the authority that vouches for this chain (DER, leaf first) at this time.
///
/// # Errors
/// Why none does; what one of them says of a chain that leads to it comes before "unknown issuer".
pub(super) fn verify(
    trusted: &[Trusted],
    chain: &[&[u8]],
    unix_seconds: u64,
) -> Result<u64, CertificateError> {
    let mut reason = CertificateError::UnknownIssuer;
    for one in trusted {
        match one.trust.verify(chain, unix_seconds) {
            Ok(_) => return Ok(one.tag()),
            Err(CertificateError::UnknownIssuer) => {}
            Err(error) => reason = error,
        }
    }
    Err(reason)
}

/// Whether the pinned leaf of this chain may be used at this time.
pub(super) fn verify_pinned(leaf: &[u8], unix_seconds: u64) -> Result<(), CertificateError> {
    let mut trust = ClientTrust::new();
    trust.pin(leaf)?;
    trust.verify(&[leaf], unix_seconds)?;
    Ok(())
}
