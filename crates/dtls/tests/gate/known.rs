//! Who is known to whom in these tests.

use std::sync::OnceLock;

use dunlin_coap::Instant;
use dunlin_dtls::{
    Alert, ClientConfig, ClientCredentials, Credentials, KeyExchange, KeyPair, Secret,
    ServerConfig, ServerKey, ServerVerifier, Suite,
};

// Keys and certificates of these tests and of nothing else, made by
// `openssl ecparam -name prime256v1 -genkey` and `openssl req -new -x509`.
const SERVER_SCALAR: &str = "\
    1a8a57be5521ddbda7714bbec4e071ad5bb24eb6fcfb6f52bb927a02cc5bcda0";
const SERVER_CERTIFICATE: &str = "\
    308201893082012fa003020102021400f2214a5910004db14aae73d9b03f700f126594300a06082a8648ce3d04\
    030230193117301506035504030c0e7365727665722e6578616d706c653020170d323631313234313932343534\
    5a180f32313236313033313139323435345a30193117301506035504030c0e7365727665722e6578616d706c65\
    3059301306072a8648ce3d020106082a8648ce3d03010703420004535f27efc64d0833e8f582f5836d621ff37d\
    32fea9d8a2097311192ba563975c3a992f439445869a84c5e80a4ec292051e4ee5fa06928774d8c054635345d0\
    36a3533051301d0603551d0e041604145a1eacfb0c87a179efca02c035bfe5d1a42c0d4e301f0603551d230418\
    301680145a1eacfb0c87a179efca02c035bfe5d1a42c0d4e300f0603551d130101ff040530030101ff300a0608\
    2a8648ce3d0403020348003045022100cdc1bb9b23af31022523e1627a1fbe50aa55dfbc616be1f77d42c5c848\
    945ee9022014725190aa31eb6178af1be8cc1d41fc098fdda3baee9fe4b57de7c885e055c9";
const CLIENT_SCALAR: &str = "\
    4937d2a6fc2c08dc7887cb48a92bde6b1631b20123079693fe2d67c45b6a94ea";
const CLIENT_CERTIFICATE: &str = "\
    3082017c30820123a00302010202145e479fe44b4dbb70b69b3fdd18f63a7f7caf4f42300a06082a8648ce3d04\
    030230133111300f06035504030c086465766963652d313020170d3236313132343139323435345a180f323132\
    36313033313139323435345a30133111300f06035504030c086465766963652d313059301306072a8648ce3d02\
    0106082a8648ce3d030107034200049bc10af1a183cdfbebabb7af13589fb38ce3a6fe1da759d3aabc9cf9de28\
    3ac5851e489d1224f7c6478e0371f3ee736f02815a3e30d32d0c2a28b034cb6dab9da3533051301d0603551d0e\
    04160414c82ebc63dfc1731a4c8155b78c8e3452939f715c301f0603551d23041830168014c82ebc63dfc1731a\
    4c8155b78c8e3452939f715c300f0603551d130101ff040530030101ff300a06082a8648ce3d04030203470030\
    44022059de8bacca6812e5c538de469bd8ada8b575ab01fcb8068b4ddf9b026588736f02201097adab97af5d94\
    6d58917071e56db34136cbbbf85935d06887efda7fbfe72f";

/// Not text, and with a zero in it: an identity is any bytes.
pub const IDENTITY: &[u8] = b"device\0\xff\x01";
/// The key of [`IDENTITY`].
pub const KEY: &[u8] = b"0123456789abcdef";
/// The tag of every credential.
pub const TAG: u64 = 42;

/// The bytes of hexadecimal digits.
pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

/// The server's key pair.
pub fn server_key() -> KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::from_scalar(&bytes(SERVER_SCALAR)).unwrap())
        .clone()
}

/// The client's key pair.
pub fn client_key() -> KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::from_scalar(&bytes(CLIENT_SCALAR)).unwrap())
        .clone()
}

/// The certificate of the server's key.
pub fn server_certificate() -> Vec<u8> {
    bytes(SERVER_CERTIFICATE)
}

/// The certificate of the client's key.
pub fn client_certificate() -> Vec<u8> {
    bytes(CLIENT_CERTIFICATE)
}

/// The credentials of the server.
#[derive(Debug)]
pub struct Known {
    /// The one identity.
    pub identity: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The one raw public key.
    pub public_key: Vec<u8>,
    /// The one certificate.
    pub certificate: Vec<u8>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            identity: IDENTITY.to_vec(),
            key: KEY.to_vec(),
            public_key: client_key().public_key().to_vec(),
            certificate: client_certificate(),
        }
    }
}

impl Credentials for Known {
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        (identity == self.identity).then(|| (Secret::new(&self.key), TAG))
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        (spki == self.public_key).then_some(TAG)
    }

    fn certificate(&self, chain: &[&[u8]], _now: Instant) -> Result<u64, Alert> {
        if chain[0] == self.certificate {
            Ok(TAG)
        } else {
            Err(Alert::UNKNOWN_CA)
        }
    }
}

/// Trusts the server of these tests.
#[derive(Debug)]
pub struct Trust;

impl ServerVerifier for Trust {
    fn raw_public_key(&self, spki: &[u8]) -> Result<(), Alert> {
        if spki == server_key().public_key() {
            Ok(())
        } else {
            Err(Alert::BAD_CERTIFICATE)
        }
    }

    fn certificate(&self, chain: &[&[u8]], _now: Instant) -> Result<(), Alert> {
        if chain[0] == server_certificate() {
            Ok(())
        } else {
            Err(Alert::UNKNOWN_CA)
        }
    }
}

/// How an association is authenticated and protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What is offered.
    pub suite: Suite,
    /// With ECDHE_ECDSA: raw public keys instead of certificates.
    pub raw: bool,
}

/// Every suite, those with signatures in both ways.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for suite in Suite::ALL {
        kinds.push(Kind { suite, raw: false });
        if suite.key_exchange() == KeyExchange::EcdheEcdsa {
            kinds.push(Kind { suite, raw: true });
        }
    }
    kinds
}

/// The one that every device has.
pub fn psk() -> Kind {
    Kind {
        suite: Suite::PskAes128Ccm8,
        raw: false,
    }
}

/// A client of this kind, and of no other.
pub fn client_config(kind: Kind) -> ClientConfig {
    let credentials = match kind.suite.key_exchange() {
        KeyExchange::Psk | KeyExchange::EcdhePsk => ClientCredentials::Psk {
            identity: IDENTITY.to_vec(),
            key: Secret::new(KEY),
        },
        KeyExchange::EcdheEcdsa if kind.raw => ClientCredentials::RawPublicKey {
            key: client_key(),
            verifier: Box::new(Trust),
        },
        KeyExchange::EcdheEcdsa => ClientCredentials::Certificate {
            chain: vec![client_certificate().into()],
            key: client_key(),
            verifier: Box::new(Trust),
        },
    };
    ClientConfig {
        suites: vec![kind.suite],
        ..ClientConfig::new(credentials)
    }
}

/// A server for all kinds.
pub fn server_config() -> ServerConfig {
    let certificate: Box<[u8]> = server_certificate().into();
    ServerConfig {
        suites: Suite::ALL.to_vec(),
        key: Some(ServerKey {
            pair: server_key(),
            // The leaf is what these tests judge; the others make the message long.
            chain: vec![certificate.clone(), certificate.clone(), certificate],
            raw_public_key: true,
        }),
        ..ServerConfig::default()
    }
}
