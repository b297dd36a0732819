//! How a client and a server are set up.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::credentials::ServerVerifier;
use crate::{KeyPair, Secret, Suite};

/// Whether an association without the extended master secret (RFC 7627) may come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExtendedMasterSecret {
    /// It may not.
    #[default]
    Required,
    /// It may, for peers that do not know the extension. Such an association is never resumed
    /// (RFC 7627 §5.3).
    Optional,
}

/// When a flight that was not answered is sent again (RFC 6347 §4.2.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// Time to the first repetition, 1 s by default; doubled at each repetition.
    pub initial: Duration,
    /// The longest time between two repetitions, 60 s by default.
    pub max: Duration,
    /// After how long without progress the handshake is given up, 90 s by default.
    pub give_up: Duration,
}

impl Default for Retransmission {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            give_up: Duration::from_secs(90),
        }
    }
}

/// What a client proves its identity with, and the server to it.
pub enum ClientCredentials {
    /// A pre-shared key: security mode 0.
    Psk {
        /// Any bytes, at most 65535.
        identity: Vec<u8>,
        /// The key.
        key: Secret,
    },
    /// A raw public key (RFC 7250): security mode 1.
    RawPublicKey {
        /// The client's key pair.
        key: KeyPair,
        /// Knows the server's public key.
        verifier: Box<dyn ServerVerifier + Send + Sync>,
    },
    /// A certificate: security mode 2.
    Certificate {
        /// The client's chain (DER, leaf first).
        chain: Vec<Box<[u8]>>,
        /// The key pair of the leaf.
        key: KeyPair,
        /// Judges the server's chain.
        verifier: Box<dyn ServerVerifier + Send + Sync>,
    },
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Psk { .. } => "Psk(..)",
            Self::RawPublicKey { .. } => "RawPublicKey(..)",
            Self::Certificate { .. } => "Certificate(..)",
        })
    }
}

/// How a [`Client`](crate::Client) connects.
#[derive(Debug)]
pub struct ClientConfig {
    /// What it proves its identity with.
    pub credentials: ClientCredentials,
    /// The suites to offer, best first. Those that do not fit the credentials are left out.
    pub suites: Vec<Suite>,
    /// The connection ID by which the client wants to be found, 0 to 255 bytes; empty offers to use
    /// the server's while wanting none (what keeps a session over a change of the client's address),
    /// `None` does not offer the extension (RFC 9146).
    pub connection_id: Option<Vec<u8>>,
    /// Whether the server must know the extended master secret.
    pub extended_master_secret: ExtendedMasterSecret,
    /// The name to ask for (RFC 6066 §3): a host name, never the literal of an address.
    pub server_name: Option<String>,
    /// The largest datagram to send while the handshake lasts, in bytes; at least 200.
    pub mtu: usize,
    /// When flights are repeated.
    pub retransmission: Retransmission,
}

impl ClientConfig {
    /// The defaults with these credentials: the suites without CBC, an empty connection ID, extended
    /// master secret required, no name, 1280 bytes.
    pub fn new(credentials: ClientCredentials) -> Self {
        Self {
            credentials,
            suites: default_suites(),
            connection_id: Some(Vec::new()),
            extended_master_secret: ExtendedMasterSecret::Required,
            server_name: None,
            mtu: 1280,
            retransmission: Retransmission::default(),
        }
    }
}

/// How the connection IDs look that a server issues (RFC 9146): `prefix ‖ place in the table ‖
/// random bits`, so that a record names its node, its shard and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CidFormat {
    /// What all connection IDs of this server begin with. Records with another prefix come out as
    /// [`Foreign`](crate::ServerOutput::Foreign).
    pub prefix: Vec<u8>,
    /// The whole length in bytes, 1 to 32, more than that of the prefix. Of the rest up to three
    /// bytes are the place, which bounds the number of sessions, and up to four are random.
    pub length: usize,
}

/// What a server proves its identity with.
#[derive(Clone, Debug)]
pub struct ServerKey {
    /// Its key pair.
    pub pair: KeyPair,
    /// The chain (DER, leaf first) to show; empty: certificates are not supported.
    pub chain: Vec<Box<[u8]>>,
    /// Whether clients that want a raw public key (RFC 7250) get one.
    pub raw_public_key: bool,
}

/// Whether clients of ECDHE_ECDSA suites must show a certificate or a raw public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientAuthentication {
    /// They must.
    #[default]
    Required,
    /// They are not asked.
    None,
}

/// The bounds of a server. Each has a defined answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Handshakes under way, 1024 by default; one more ends the oldest of them.
    pub half_open: usize,
    /// Handshakes that may begin in a second, 2000 by default, with as many at once; ClientHellos
    /// beyond are dropped and come again.
    pub handshakes_per_second: u32,
    /// Records of one session that may fail to authenticate before it is closed: 2^16 by default.
    /// With tags of 8 bytes each forged record succeeds with a probability of 2^-64.
    pub failed_decryptions: u32,
    /// Associations, 2^20 by default; one more ends one that has been idle for long.
    pub sessions: usize,
    /// Sessions kept for resumption, 4096 by default; one more forgets the oldest.
    pub cache: usize,
    /// How long a session can be resumed: a day by default (RFC 5246 §F.1.4).
    pub cache_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            half_open: 1024,
            handshakes_per_second: 2000,
            failed_decryptions: 1 << 16,
            sessions: 1 << 20,
            cache: 4096,
            cache_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// How a [`Server`](crate::Server) answers.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The suites to accept, best first. Those without the means (no key) are never chosen.
    pub suites: Vec<Suite>,
    /// What ECDHE_ECDSA suites need.
    pub key: Option<ServerKey>,
    /// Whether clients must show who they are.
    pub client_authentication: ClientAuthentication,
    /// The connection IDs to issue; `None` does not answer the extension, so that a session ends
    /// with the address of its client.
    pub connection_id: Option<CidFormat>,
    /// Whether clients must know the extended master secret.
    pub extended_master_secret: ExtendedMasterSecret,
    /// The largest datagram to send while the handshake lasts, in bytes; at least 200.
    pub mtu: usize,
    /// When flights are repeated.
    pub retransmission: Retransmission,
    /// The bounds.
    pub limits: Limits,
}

impl Default for ServerConfig {
    /// The suites without CBC, no key (so only PSK), connection IDs of 8 bytes without a prefix,
    /// extended master secret required, 1280 bytes.
    fn default() -> Self {
        Self {
            suites: default_suites(),
            key: None,
            client_authentication: ClientAuthentication::Required,
            connection_id: Some(CidFormat {
                prefix: Vec::new(),
                length: 8,
            }),
            extended_master_secret: ExtendedMasterSecret::Required,
            mtu: 1280,
            retransmission: Retransmission::default(),
            limits: Limits::default(),
        }
    }
}

fn default_suites() -> Vec<Suite> {
    vec![
        Suite::EcdheEcdsaAes128Ccm8,
        Suite::EcdheEcdsaAes128GcmSha256,
        Suite::PskAes128Ccm8,
    ]
}
