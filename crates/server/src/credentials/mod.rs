//! Credentials: by what devices prove who they are, and by what the server does (Core 1.2 §5.2,
//! Transport 1.2 §5.2.8).
//!
//! Each belongs to one endpoint name, and a session that was made with it may speak for that name
//! alone. They lie in the database, with keys encrypted by a key from a file of its own
//! ([`Vault`]), and in memory for handshakes. What is secret goes in and does not come out: the
//! only way to a key is [`CredentialService::of_identity`], for DTLS.

mod access;
#[cfg(test)]
mod certificate_tests;
mod certificates;
mod check;
mod index;
mod own;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod trust;
mod vault;

use std::path::PathBuf;

use dunlin_dtls::{CertificateError, KeyError};

pub use dunlin_dtls::Secret;
pub use own::OwnKey;
pub use service::{Changes, Created, CredentialService, Ended, OpenError};
pub(crate) use store::{AUTHORITIES_MIGRATION, MIGRATION};
pub use trust::{Authority, IdentityFrom};
pub use vault::{KeyFileError, SEAL_BYTES, Tampered, Vault};

/// Bytes of a PSK identity at most; devices must support 128 (Transport 1.2 §5.2.8.1).
pub const MAX_IDENTITY: usize = 255;
/// Bytes of a pre-shared key at most; devices must support 64 (Transport 1.2 §5.2.8.1).
pub const MAX_KEY: usize = 64;
/// Bytes that a pre-shared key should have at least (Transport 1.2 §5.2.8.1).
pub const GOOD_KEY: usize = 16;
/// Bytes of an endpoint name at most.
pub const MAX_ENDPOINT: usize = 252;
/// Bytes of a certificate at most.
pub const MAX_CERTIFICATE: usize = 8 * 1024;

/// Bounds of credentials, and where their key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsConfig {
    /// The file with the key that encrypts what lies in the data folder; `None` is `secret.key` in
    /// it. Made when it is missing and nothing is encrypted yet.
    pub key_file: Option<PathBuf>,
    /// Credentials kept; more are refused.
    pub credentials: usize,
    /// Where in a certificate the endpoint name of its device stands.
    pub identity_from: IdentityFrom,
}

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self {
            key_file: None,
            credentials: 1_000_000,
            identity_from: IdentityFrom::default(),
        }
    }
}

/// A credential as everybody may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// Number; never given twice.
    pub id: u64,
    /// The one endpoint name that it stands for.
    pub endpoint: String,
    /// What the device proves.
    pub kind: CredentialKind,
    /// How often it was rotated. A session made before the last time has ended.
    pub revision: u32,
    /// In Unix seconds.
    pub created_at: f64,
    /// In Unix seconds; `None` when it never was.
    pub rotated_at: Option<f64>,
}

/// What a device proves, without what it proves it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// That it has the key of this identity.
    Psk {
        /// Any 1 to 255 bytes.
        identity: Box<[u8]>,
        /// How many bytes the key has.
        key_bytes: usize,
    },
    /// That it has the private key to this public key (RFC 7250).
    RawPublicKey {
        /// SubjectPublicKeyInfo (DER).
        spki: Box<[u8]>,
    },
    /// That it has the private key to this very certificate.
    Certificate {
        /// DER.
        certificate: Box<[u8]>,
    },
}

impl CredentialKind {
    /// `psk`, `rpk` or `x509`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Psk { .. } => "psk",
            Self::RawPublicKey { .. } => "rpk",
            Self::Certificate { .. } => "x509",
        }
    }
}

/// What a new or rotated credential consists of.
#[derive(Clone, Debug)]
pub enum Material {
    /// A pre-shared key.
    Psk {
        /// `None` is the endpoint name (or, when it is rotated, what it was).
        identity: Option<Vec<u8>>,
        /// `None` lets the server draw 16 random bytes.
        key: Option<Secret>,
    },
    /// A raw public key.
    RawPublicKey {
        /// SubjectPublicKeyInfo (DER) of a P-256 key.
        spki: Vec<u8>,
    },
    /// A pinned certificate.
    Certificate {
        /// DER.
        certificate: Vec<u8>,
    },
}

impl Material {
    /// As [`CredentialKind::name`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Psk { .. } => "psk",
            Self::RawPublicKey { .. } => "rpk",
            Self::Certificate { .. } => "x509",
        }
    }
}

/// A credential to make.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The one endpoint name it stands for; `None` takes it from the identity of a PSK or from the
    /// certificate.
    pub endpoint: Option<String>,
    /// What it consists of.
    pub material: Material,
}

/// A page of credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialPage {
    /// In the order of endpoint names.
    pub items: Vec<Credential>,
    /// Whether there are more behind them.
    pub more: bool,
    /// How many match in all.
    pub total: usize,
}

/// Why a credential is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// Nothing says which device it is for.
    #[error(
        "the endpoint name is missing; only the identity of a pre-shared key that is text, or the \
         name in a certificate, can stand for it"
    )]
    NoEndpoint,
    /// The name cannot be registered.
    #[error("the endpoint name has {0} bytes; it must have 1 to {MAX_ENDPOINT}")]
    Endpoint(usize),
    /// The name holds what nobody can type.
    #[error("the endpoint name holds a control character")]
    ControlCharacter,
    /// The identity cannot be sent.
    #[error("the PSK identity has {0} bytes; it must have 1 to {MAX_IDENTITY}")]
    Identity(usize),
    /// The key has no bytes or too many.
    #[error("the pre-shared key has {0} bytes; it must have 1 to {MAX_KEY}, better 16 or more")]
    Key(usize),
    /// It is no public key that can be used.
    #[error("the public key is {0}")]
    PublicKey(#[from] KeyError),
    /// It is no certificate that can be used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// It is larger than any that a device could send.
    #[error("the certificate has {0} bytes; it must have at most {MAX_CERTIFICATE}")]
    CertificateSize(usize),
    /// The private key belongs to another certificate.
    #[error("the private key does not belong to the first certificate")]
    Mismatch,
    /// The private key cannot be used.
    #[error("the private key cannot be used: {0}")]
    PrivateKey(KeyError),
    /// There is no authority of this number.
    #[error("there is no trusted authority {0}")]
    UnknownAuthority(u64),
    /// Each is tried with each chain.
    #[error("there are {0} trusted authorities already, the most there may be; remove one first")]
    TooManyAuthorities(usize),
    /// Another credential has it, so it would not be known who speaks.
    #[error(
        "this {what} is that of credential {id} of {endpoint:?} already; rotate or remove that"
    )]
    Duplicate {
        /// What it is.
        what: &'static str,
        /// Whose it is.
        endpoint: String,
        /// Which one.
        id: u64,
    },
    /// There is none of this number.
    #[error("there is no credential {0}")]
    Unknown(u64),
    /// A PSK stays a PSK.
    #[error("credential {id} is of kind {is}, not {given}; add a new one and remove this")]
    OtherKind {
        /// Which one.
        id: u64,
        /// Its kind.
        is: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// There are too many.
    #[error("there are {0} credentials already, the most this server keeps; remove some first")]
    TooMany(usize),
    /// It was rotated as often as can be told apart.
    #[error("credential {0} cannot be rotated any more; remove it and add a new one")]
    Worn(u64),
    /// The database does not do it.
    #[error("the database reports: {0}")]
    Database(#[from] rusqlite::Error),
}
