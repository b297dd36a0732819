use dunlin_lwm2m::definition::objects::BINARY_APP_DATA_CONTAINER;
use heapless::{String, Vec};

use crate::object;
use crate::object::Multiple;

/// Object 19, BinaryAppDataContainer: bytes of an application, in either direction.
#[derive(Clone, Debug)]
pub struct AppData {
    /// Up to two pieces of 1 KiB. A server writes at least one.
    pub data: Multiple<Vec<u8, 1024>, 2>,
    /// 0 at once, 1 best effort, 2 the latest only, 101 to 254 proprietary.
    pub priority: Option<u8>,
    /// Seconds since 1970.
    pub created: Option<i64>,
    /// What the data is.
    pub description: Option<String<32>>,
    /// Format of the data.
    pub format: Option<String<32>>,
    /// The application the data belongs to.
    pub application: Option<u16>,
}

impl Default for AppData {
    /// One piece without bytes.
    fn default() -> Self {
        Self {
            data: core::iter::once((0, Vec::new())).collect(),
            priority: None,
            created: None,
            description: None,
            format: None,
            application: None,
        }
    }
}

object! {
    impl BINARY_APP_DATA_CONTAINER for AppData {
        0 => read_write data;
        1 => read_write priority;
        2 => read_write created;
        3 => read_write description;
        4 => read_write format;
        5 => read_write application;
    }
}
