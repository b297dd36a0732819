//! Whom a shard talks to.

use core::fmt;
use std::net::SocketAddr;

use dunlin_dtls::SessionId;

/// The other side of a message exchange: a CoAP endpoint in the sense of RFC 7252. Without security
/// that is an address; with DTLS it is the association (RFC 7252 §9.1.1), whatever its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// An address, without security.
    Udp(SocketAddr),
    /// A DTLS association.
    Dtls(SessionId),
}

impl Peer {
    /// The association, if there is one.
    pub fn session(self) -> Option<SessionId> {
        match self {
            Self::Udp(_) => None,
            Self::Dtls(session) => Some(session),
        }
    }

    /// Whether what comes from here was authenticated.
    pub fn is_secure(self) -> bool {
        self.session().is_some()
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "{address}"),
            Self::Dtls(session) => write!(f, "session {:016x}", session.to_bits()),
        }
    }
}

/// Which of a shard's sockets a datagram came from or goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Socket {
    /// CoAP without security (`coap`, port 5683).
    #[default]
    Coap,
    /// CoAP over DTLS (`coaps`, port 5684).
    Coaps,
}
