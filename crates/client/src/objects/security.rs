use dunlin_lwm2m::definition::objects::SECURITY;
use dunlin_lwm2m::{ObjectLink, Value};
use heapless::{String, Vec};

use crate::keys::{Keys, Secret};
use crate::object;
use crate::object::{Field, FieldError, Multiple};

/// Object 0, LwM2M Security: how the server is reached. No server ever sees it.
///
/// `K` says how much an account holds: `()` has no memory for keys, and none for what only they
/// need; [`FixedKeys`](crate::FixedKeys) has both. Keys themselves cannot be read back.
///
/// ```
/// use dunlin_client::FixedKeys;
/// use dunlin_client::objects::Security;
///
/// // An identity of at most 32 bytes, no key of the server, a key of at most 16 bytes.
/// let account: Security<FixedKeys<32, 0, 16>> =
///     Security::psk("coaps://lwm2m.example.com", b"dev-1", &[0x5A; 16])?;
/// assert_eq!(account.security_mode, Security::PSK);
/// # Ok::<(), dunlin_client::FieldError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Security<K: Keys = ()> {
    /// `coap://host:port` or `coaps://host:port`.
    pub server_uri: K::Uri,
    /// Whether this is the account of a bootstrap-server.
    pub is_bootstrap: bool,
    /// [`Security::PSK`] to [`Security::EST`].
    pub security_mode: u8,
    /// The PSK identity; the public key of the device as SubjectPublicKeyInfo; its certificate,
    /// DER. Empty for NoSec.
    pub identity: K::Identity,
    /// The public key or a certificate of the server, or a hash of it, as `matching_type` and
    /// `certificate_usage` say. Empty for PSK and NoSec.
    pub server_public_key: K::ServerKey,
    /// The pre-shared key, or the private key as OneAsymmetricKey (PKCS #8), DER. Empty for NoSec.
    pub secret_key: K::SecretKey,
    /// 1 DTLS, 2 secured by the smartcard, 3 none.
    pub sms_security_mode: Option<u8>,
    /// KIc, KID, SPI, TAR.
    pub sms_key_parameters: K::Also<Option<Vec<u8, 6>>>,
    /// 16, 32 or 48 bytes.
    pub sms_secret_keys: K::Also<Option<Secret<48>>>,
    /// MSISDN of the server.
    pub server_sms_number: K::Also<Option<String<20>>>,
    /// Short Server ID, 1 to 65534; pairs with `/1/x/0`.
    pub short_server_id: Option<u16>,
    /// Seconds before the device begins a bootstrap by itself.
    pub hold_off: Option<u32>,
    /// Seconds after which the account of the bootstrap-server goes; 0 for never.
    pub bootstrap_account_timeout: Option<u32>,
    /// How the Server Public Key is given: 0 as it is, 1 SHA-256, 2 SHA-384, 3 SHA-512.
    pub matching_type: Option<u8>,
    /// The server name to send, and to look for in its certificate, in place of the host in the
    /// URI.
    pub sni: K::Also<Option<String<128>>>,
    /// 0 CA constraint, 1 service certificate constraint, 2 trust anchor, 3 domain-issued.
    pub certificate_usage: Option<u8>,
    /// Cipher suites in the order of preference: the two bytes of each IANA number.
    pub ciphersuites: K::Also<Multiple<u16, 6>>,
    /// OSCORE Security Mode: an instance of object 21.
    pub oscore: Option<ObjectLink>,
    /// Groups To Use by Client, the most preferred first; codes of RFC 8446.
    pub groups: K::Also<Multiple<u16, 4>>,
    /// Signature Algorithms Supported by Server; codes of RFC 8446.
    pub server_signature_algorithms: K::Also<Multiple<u16, 4>>,
    /// Signature Algorithms To Use by Client, in order.
    pub signature_algorithms: K::Also<Multiple<u16, 4>>,
    /// Signature Algorithm Certs Supported by Server.
    pub server_certificate_algorithms: K::Also<Multiple<u16, 4>>,
    /// Bits: 0 PSK, 1 0-RTT, 2 PSK with forward secrecy, 3 certificate.
    pub tls_1_3_features: Option<u16>,
    /// TLS Extensions Supported by Server, as bits.
    pub server_tls_extensions: Option<u16>,
    /// TLS Extensions To Use by Client, as bits; 12 is the connection id.
    pub tls_extensions: Option<u16>,
    /// Further URIs of the same server.
    pub secondary_uris: K::Also<Multiple<String<128>, 2>>,
    /// An instance of object 24.
    pub mqtt_server: Option<ObjectLink>,
    /// Instances of object 23.
    pub cose: K::Also<Multiple<ObjectLink, 2>>,
    /// RDS Destination Port, 0 to 15.
    pub rds_destination_port: Option<u8>,
    /// RDS Source Port, 0 to 15.
    pub rds_source_port: Option<u8>,
    /// RDS Application ID.
    pub rds_application: K::Also<Option<String<32>>>,
}

impl Security {
    /// Security Mode: pre-shared key.
    pub const PSK: u8 = 0;
    /// Security Mode: raw public key.
    pub const RAW_PUBLIC_KEY: u8 = 1;
    /// Security Mode: certificate.
    pub const CERTIFICATE: u8 = 2;
    /// Security Mode: none.
    pub const NO_SEC: u8 = 3;
    /// Security Mode: a certificate that the device asks for (EST). Not supported.
    pub const EST: u8 = 4;
}

impl<K: Keys> Default for Security<K> {
    fn default() -> Self {
        Self {
            server_uri: K::Uri::default(),
            is_bootstrap: false,
            security_mode: Security::NO_SEC,
            identity: K::Identity::default(),
            server_public_key: K::ServerKey::default(),
            secret_key: K::SecretKey::default(),
            sms_security_mode: None,
            sms_key_parameters: K::Also::default(),
            sms_secret_keys: K::Also::default(),
            server_sms_number: K::Also::default(),
            short_server_id: Some(1),
            hold_off: None,
            bootstrap_account_timeout: None,
            matching_type: None,
            sni: K::Also::default(),
            certificate_usage: None,
            ciphersuites: K::Also::default(),
            oscore: None,
            groups: K::Also::default(),
            server_signature_algorithms: K::Also::default(),
            signature_algorithms: K::Also::default(),
            server_certificate_algorithms: K::Also::default(),
            tls_1_3_features: None,
            server_tls_extensions: None,
            tls_extensions: None,
            secondary_uris: K::Also::default(),
            mqtt_server: None,
            cose: K::Also::default(),
            rds_destination_port: None,
            rds_source_port: None,
            rds_application: K::Also::default(),
        }
    }
}

/// What the factory writes.
///
/// # Errors
///
/// [`FieldError::TooLarge`] when `K` has no room for something.
impl<K: Keys> Security<K> {
    /// An account without security.
    pub fn no_sec(uri: &str) -> Result<Self, FieldError> {
        let mut account = Self::default();
        account.server_uri.set(0, Value::String(uri))?;
        Ok(account)
    }

    /// An account with a pre-shared key. Of the identity and the key any bytes are legal; the key
    /// has at least 16 of them in a sound deployment.
    pub fn psk(uri: &str, identity: &[u8], key: &[u8]) -> Result<Self, FieldError> {
        Self::with_keys(uri, Security::PSK, identity, &[], key)
    }

    /// An account with raw public keys: the device's and the server's as SubjectPublicKeyInfo, the
    /// private one as PKCS #8, all DER.
    pub fn raw_public_key(
        uri: &str,
        public_key: &[u8],
        private_key: &[u8],
        server_public_key: &[u8],
    ) -> Result<Self, FieldError> {
        Self::with_keys(
            uri,
            Security::RAW_PUBLIC_KEY,
            public_key,
            server_public_key,
            private_key,
        )
    }

    /// An account with certificates: that of the device, with those of intermediate authorities
    /// behind it if there are any, its key as PKCS #8, and a certificate for the server, all DER.
    /// `usage` says what the last one is: 0 an authority on the way to the trust store of the
    /// device, 1 the server's with a way there, 2 the authority to trust, 3 the server's, and that
    /// is all (`/0/x/15`).
    pub fn certificate(
        uri: &str,
        certificate: &[u8],
        private_key: &[u8],
        server_certificate: &[u8],
        usage: u8,
    ) -> Result<Self, FieldError> {
        let mut account = Self::with_keys(
            uri,
            Security::CERTIFICATE,
            certificate,
            server_certificate,
            private_key,
        )?;
        account.certificate_usage = Some(usage);
        Ok(account)
    }

    fn with_keys(
        uri: &str,
        mode: u8,
        identity: &[u8],
        server: &[u8],
        secret: &[u8],
    ) -> Result<Self, FieldError> {
        let mut account = Self::no_sec(uri)?;
        account.security_mode = mode;
        account.identity.set(0, Value::Opaque(identity))?;
        account.server_public_key.set(0, Value::Opaque(server))?;
        account.secret_key.set(0, Value::Opaque(secret))?;
        Ok(account)
    }
}

object! {
    impl<K: Keys> SECURITY for Security<K> {
        0 => read server_uri;
        1 => read is_bootstrap;
        2 => read security_mode;
        3 => read identity;
        4 => read server_public_key;
        5 => read secret_key;
        6 => read sms_security_mode;
        7 => read sms_key_parameters;
        8 => read sms_secret_keys;
        9 => read server_sms_number;
        10 => read short_server_id;
        11 => read hold_off;
        12 => read bootstrap_account_timeout;
        13 => read matching_type;
        14 => read sni;
        15 => read certificate_usage;
        16 => read ciphersuites;
        17 => read oscore;
        18 => read groups;
        19 => read server_signature_algorithms;
        20 => read signature_algorithms;
        21 => read server_certificate_algorithms;
        22 => read tls_1_3_features;
        23 => read server_tls_extensions;
        24 => read tls_extensions;
        25 => read secondary_uris;
        26 => read mqtt_server;
        27 => read cose;
        28 => read rds_destination_port;
        29 => read rds_source_port;
        30 => read rds_application;
    }
}
