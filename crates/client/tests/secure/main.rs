//! DTLS below the engine: which handshakes there are, when there is none, and that nothing of it
//! lets an old datagram in.

mod credentials;
mod keeping;
#[path = "../../../dtls/tests/support/pki.rs"]
#[cfg(feature = "x509")]
mod pki;
mod world;
#[cfg(feature = "x509")]
mod x509;
