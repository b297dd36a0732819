//! DTLS 1.2 (RFC 6347) for devices and their servers: pre-shared keys, raw public keys (RFC 7250),
//! X.509 certificates, connection IDs (RFC 9146), extended master secret (RFC 7627), resumption by
//! session id.
//!
//! A profile, not the whole of it: six cipher suites, secp256r1 with ECDSA and SHA-256, no
//! renegotiation, no compression, no RSA, no DTLS 1.0. The primitives are those of RustCrypto.
//! **Nobody has audited this crate.**
//!
//! Nothing here opens a socket, reads a clock, draws a random number or starts a thread. A
//! [`Client`] is one association, a [`Server`] all of a shard; both are told something and then
//! drained.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alert;
mod associated;
mod cbc_mac;
mod client;
mod config;
mod counters;
mod credentials;
mod crypto;
mod der;
mod error;
mod export;
mod handshake;
mod key;
mod keys;
mod link;
mod pem;
mod protect;
mod record;
mod replay;
mod resumption;
mod secret;
mod server;
mod session;
mod suite;
#[doc(hidden)]
pub mod testing;
mod x509;

pub use alert::{Alert, AlertClass};
pub use client::{Client, ClientInput, ClientOutput, ClientOutputs};
pub use config::{
    CidFormat, ClientAuthentication, ClientConfig, ClientCredentials, ExtendedMasterSecret, Limits,
    Retransmission, ServerConfig, ServerKey,
};
pub use counters::{Counters, DropReason};
pub use credentials::{Credentials, ServerVerifier};
pub use error::ImportError;
pub use key::{KeyError, KeyPair, PublicKey};
pub use resumption::Resumption;
pub use secret::Secret;
pub use server::{Export, Server, ServerInput, ServerOutput, ServerOutputs};
pub use session::{Identity, Limit, Reason, SessionId};
pub use suite::{Cipher, KeyExchange, Suite};
pub use x509::{
    Certificate, CertificateError, CertificateUsage, ClientTrust, ExpectedServer, Matching,
    NameSource, Verified, WallClock, certificates,
};
