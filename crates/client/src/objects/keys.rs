//! Objects that no server reaches over device management: every operation is answered with 4.01,
//! and no list names them (Core 1.2 §E.9, §E.10; Transport 1.2 Table 6.7-3).

use core::fmt;

use dunlin_lwm2m::definition::objects::{COSE, OSCORE};
use heapless::{String, Vec};

use crate::object;

/// Object 21, OSCORE: key material for one account. Data only: the client does not speak OSCORE.
#[derive(Clone, Default)]
pub struct Oscore {
    /// Master Secret; not empty.
    pub master_secret: Vec<u8, 32>,
    /// Sender ID of this device, at most 7 bytes with the default algorithm.
    pub sender_id: Vec<u8, 8>,
    /// Recipient ID of this device, at most 7 bytes with the default algorithm.
    pub recipient_id: Vec<u8, 8>,
    /// COSE number; 10, AES-CCM-16-64-128, when absent.
    pub aead_algorithm: Option<i32>,
    /// COSE number; 5, HMAC 256/256, when absent.
    pub hmac_algorithm: Option<i32>,
    /// Master Salt; empty when absent.
    pub master_salt: Option<Vec<u8, 16>>,
    /// ID Context.
    pub id_context: Option<Vec<u8, 16>>,
}

impl fmt::Debug for Oscore {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oscore")
            .field("sender_id", &self.sender_id)
            .field("recipient_id", &self.recipient_id)
            .finish_non_exhaustive()
    }
}

object! {
    impl OSCORE for Oscore {
        0 => read master_secret;
        1 => read sender_id;
        2 => read recipient_id;
        3 => read aead_algorithm;
        4 => read hmac_algorithm;
        5 => read master_salt;
        6 => read id_context;
    }
}

/// Object 23, COSE: a key for protection of payloads from end to end, over MQTT. Data only.
#[derive(Clone, Default)]
pub struct Cose {
    /// Names the key.
    pub kid: String<32>,
    /// COSE number.
    pub aead_algorithm: i32,
    /// The key; the standard makes it a text without naming the encoding.
    pub key: String<64>,
}

impl fmt::Debug for Cose {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cose")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

object! {
    impl COSE for Cose {
        0 => read kid;
        1 => read aead_algorithm;
        2 => read key;
    }
}
