use dunlin_lwm2m::definition::objects::{GATEWAY, GATEWAY_ROUTING};
use heapless::String;

use crate::object;

/// Object 25, LwM2M Gateway (2.0): one instance for each device behind this one. Data only.
#[derive(Clone, Debug, Default)]
pub struct Gateway {
    /// Identifies the device behind the gateway.
    pub device_id: String<64>,
    /// First segment of every path that leads to the device.
    pub prefix: String<16>,
    /// Objects and instances of the device, as a Register lists them.
    pub objects: String<256>,
}

object! {
    impl GATEWAY for Gateway {
        0 => read device_id;
        1 => read prefix;
        3 => read objects;
    }
}

/// Object 26, LwM2M Gateway Routing: how an object of a device behind this one is mapped. Data
/// only.
#[derive(Clone, Debug, Default)]
pub struct GatewayRouting {
    /// The object.
    pub object: u16,
    /// Empty when it is mapped to itself.
    pub mapping: String<128>,
}

object! {
    impl GATEWAY_ROUTING for GatewayRouting {
        0 => read object;
        1 => read mapping;
    }
}
