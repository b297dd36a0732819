use dunlin_lwm2m::definition::objects::SECURITY;
use heapless::{String, Vec};

use crate::object;

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
    /// Short Server ID, 1 to 65534; pairs with `/1/x/0`.
    pub short_server_id: Option<u16>,
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
            short_server_id: Some(1),
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
        10 => read short_server_id;
    }
}
