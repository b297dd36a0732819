use dunlin_lwm2m::ObjectLink;
use dunlin_lwm2m::definition::objects::SECURITY;
use heapless::{String, Vec};

use crate::object;
use crate::object::Multiple;

/// Object 0, LwM2M Security: how the server is reached. No server ever sees it.
#[derive(Clone, Debug)]
pub struct Security {
    /// `coap://host:port`, at most 255 bytes; 64 here.
    pub server_uri: String<64>,
    /// Whether this is the account of a bootstrap-server.
    pub is_bootstrap: bool,
    /// 3 is NoSec, the only one so far.
    pub security_mode: u8,
    /// Empty for NoSec.
    pub identity: Vec<u8, 1>,
    /// Empty for NoSec.
    pub server_public_key: Vec<u8, 1>,
    /// Empty for NoSec.
    pub secret_key: Vec<u8, 1>,
    /// 1 DTLS, 2 secured by the smartcard, 3 none.
    pub sms_security_mode: Option<u8>,
    /// Short Server ID, 1 to 65534; pairs with `/1/x/0`.
    pub short_server_id: Option<u16>,
    /// Seconds before the device begins a bootstrap by itself.
    pub hold_off: Option<u32>,
    /// Seconds after which the account of the bootstrap-server goes; 0 for never.
    pub bootstrap_account_timeout: Option<u32>,
    /// How the Server Public Key is given: 0 as it is, 1 SHA-256, 2 SHA-384, 3 SHA-512.
    pub matching_type: Option<u8>,
    /// 0 CA constraint, 1 service certificate constraint, 2 trust anchor, 3 domain-issued.
    pub certificate_usage: Option<u8>,
    /// The two bytes of each IANA number.
    pub ciphersuites: Multiple<u16, 4>,
    /// OSCORE Security Mode: an instance of object 21.
    pub oscore: Option<ObjectLink>,
    /// Bits: 0 PSK, 1 0-RTT, 2 PSK with forward secrecy, 3 certificate.
    pub tls_1_3_features: Option<u16>,
    /// TLS Extensions Supported by Server, as bits.
    pub server_tls_extensions: Option<u16>,
    /// TLS Extensions To Use by Client, as bits.
    pub tls_extensions: Option<u16>,
    /// An instance of object 24.
    pub mqtt_server: Option<ObjectLink>,
    /// RDS Destination Port, 0 to 15.
    pub rds_destination_port: Option<u8>,
    /// RDS Source Port, 0 to 15.
    pub rds_source_port: Option<u8>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            server_uri: String::new(),
            is_bootstrap: false,
            security_mode: 3,
            identity: Vec::new(),
            server_public_key: Vec::new(),
            secret_key: Vec::new(),
            sms_security_mode: None,
            short_server_id: Some(1),
            hold_off: None,
            bootstrap_account_timeout: None,
            matching_type: None,
            certificate_usage: None,
            ciphersuites: Multiple::new(),
            oscore: None,
            tls_1_3_features: None,
            server_tls_extensions: None,
            tls_extensions: None,
            mqtt_server: None,
            rds_destination_port: None,
            rds_source_port: None,
        }
    }
}

object! {
    impl SECURITY for Security {
        0 => read server_uri;
        1 => read is_bootstrap;
        2 => read security_mode;
        3 => read identity;
        4 => read server_public_key;
        5 => read secret_key;
        6 => read sms_security_mode;
        10 => read short_server_id;
        11 => read hold_off;
        12 => read bootstrap_account_timeout;
        13 => read matching_type;
        15 => read certificate_usage;
        16 => read ciphersuites;
        17 => read oscore;
        22 => read tls_1_3_features;
        23 => read server_tls_extensions;
        24 => read tls_extensions;
        26 => read mqtt_server;
        28 => read rds_destination_port;
        29 => read rds_source_port;
    }
}
