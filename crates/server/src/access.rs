//! Who may speak for which endpoint name: what a shard asks about the credentials that were proven
//! in a DTLS handshake.

use core::fmt;

use dunlin_dtls::Credentials;

/// How a device proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityMode {
    /// By a pre-shared key.
    Psk,
    /// By a raw public key (RFC 7250).
    RawPublicKey,
    /// By a certificate.
    Certificate,
}

impl SecurityMode {
    /// `psk`, `rpk` or `x509`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Psk => "psk",
            Self::RawPublicKey => "rpk",
            Self::Certificate => "x509",
        }
    }
}

impl fmt::Display for SecurityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a device has proven, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// How.
    pub mode: SecurityMode,
    /// Who it is: the PSK identity, the hash of the public key, the subject of the certificate.
    pub identity: String,
}

/// What a handshake proved: the tag of the credential, and the name that the certificate gives when
/// the credential stands for many devices (a trust anchor).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// Tag of the credential.
    pub credential: u64,
    /// The endpoint name in the certificate (subject CN or SAN).
    pub certified: Option<&'a str>,
}

/// Credentials, and the names that they stand for; one for all shards. Asked in handshakes, at
/// Register, and when a session goes on with the registration of another, never while data flows.
pub trait Access: Credentials + Send + Sync {
    /// Whether who has proven this may use this endpoint name (Core 1.2 §6.2.1).
    fn allows(&self, evidence: Evidence<'_>, endpoint: &str) -> bool;

    /// The only name that who has proven this may use: it stands for an `ep` that is left out.
    fn endpoint(&self, evidence: Evidence<'_>) -> Option<String>;

    /// Whether the credential of a tag is still that: not removed and not rotated since.
    fn is_current(&self, credential: u64) -> bool;

    /// Whether a credential exists for this name, so that it cannot be used without security.
    fn is_secured(&self, endpoint: &str) -> bool;

    /// What was proven, for people; `None` when the credential is gone.
    fn security(&self, evidence: Evidence<'_>) -> Option<Security>;

    /// The endpoint name in a certificate (DER) that a trust anchor with this tag vouches for.
    fn certified_name(&self, credential: u64, certificate: &[u8]) -> Option<String> {
        let _ = (credential, certificate);
        None
    }
}

/// No credentials: nobody can connect with security, and every name is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccess;

impl Credentials for NoAccess {}

impl Access for NoAccess {
    fn allows(&self, _: Evidence<'_>, _: &str) -> bool {
        false
    }

    fn endpoint(&self, _: Evidence<'_>) -> Option<String> {
        None
    }

    fn is_current(&self, _: u64) -> bool {
        false
    }

    fn is_secured(&self, _: &str) -> bool {
        false
    }

    fn security(&self, _: Evidence<'_>) -> Option<Security> {
        None
    }
}
