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
//!
//! ```
//! use core::net::SocketAddr;
//! use dunlin_coap::{Instant, Rng};
//! use dunlin_dtls::{
//!     Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, Credentials, Secret,
//!     Server, ServerConfig, ServerInput, ServerOutput,
//! };
//!
//! # struct Random(u32);
//! # impl Rng for Random {
//! #     fn next_u32(&mut self) -> u32 {
//! #         self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
//! #         self.0
//! #     }
//! # }
//! struct OneDevice;
//!
//! impl Credentials for OneDevice {
//!     fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
//!         (identity == b"dev-1").then(|| (Secret::new(b"0123456789abcdef"), 1))
//!     }
//! }
//!
//! let mut random = Random(1); // In earnest: the system's.
//! let now = Instant::ZERO; // In earnest: the time.
//! let device: SocketAddr = ([192, 0, 2, 1], 50000).into();
//! let mut server = Server::new(ServerConfig::default(), &mut random);
//! let mut client = Client::new(ClientConfig::new(ClientCredentials::Psk {
//!     identity: b"dev-1".to_vec(),
//!     key: Secret::new(b"0123456789abcdef"),
//! }));
//!
//! // The network: what the client sent and the server did not see yet.
//! let mut to_server = Vec::new();
//! let mut outputs = client.connect(now, None, &mut random);
//! while let Some(output) = outputs.next() {
//!     if let ClientOutput::Transmit(bytes) = output {
//!         to_server.push(bytes.to_vec());
//!     }
//! }
//! drop(outputs);
//! while let Some(datagram) = to_server.pop() {
//!     let input = ServerInput::Datagram { from: device, bytes: &datagram };
//!     let mut outputs = server.handle(now, input, &OneDevice, &mut random);
//!     while let Some(output) = outputs.next() {
//!         if let ServerOutput::Transmit { bytes, .. } = output {
//!             let mut outputs = client.handle(now, ClientInput::Datagram(bytes), &mut random);
//!             while let Some(output) = outputs.next() {
//!                 if let ClientOutput::Transmit(bytes) = output {
//!                     to_server.push(bytes.to_vec());
//!                 }
//!             }
//!         }
//!     }
//! }
//! assert!(client.is_connected());
//! assert_eq!(server.sessions(), 1);
//! ```
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
