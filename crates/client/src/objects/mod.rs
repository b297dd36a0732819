//! Ready-made objects.
//!
//! | Object | Struct |
//! |---|---|
//! | 0 Security | [`Security`] (the client's own, never visible to a server) |
//! | 1 Server | [`Server`] (the client's own) |
//! | 2 Access Control | [`AccessControl`] |
//! | 3 Device | [`Device`] |
//! | 4 Connectivity Monitoring | [`ConnectivityMonitoring`] |
//! | 5 Firmware Update | [`Firmware`] |
//! | 6 Location | [`Location`] |
//! | 7 Connectivity Statistics | [`ConnectivityStatistics`] |
//! | 9 Software Management | [`Software`] |
//! | 16 Portfolio | [`Portfolio`] |
//! | 19 BinaryAppDataContainer | [`AppData`] |
//! | 21 OSCORE | [`Oscore`] (data only, never visible to a server) |
//! | 22 Virtual Observe Notify | [`VirtualObserveNotify`] (data only) |
//! | 23 COSE | [`Cose`] (data only, never visible to a server) |
//! | 24 MQTT Server | [`MqttServer`] (data only) |
//! | 25 LwM2M Gateway, 26 LwM2M Gateway Routing | [`Gateway`], [`GatewayRouting`] (data only) |
//! | 27 5GNR Connectivity | [`NewRadioConnectivity`] |
//! | 3303, 3304, 3313 | [`Temperature`], [`Humidity`], [`Accelerometer`] |
//! | 3311 | [`LightControl`] |

mod access_control;
mod app_data;
mod clock;
mod connectivity;
mod device;
mod firmware;
mod gateway;
mod ipso;
mod keys;
mod location;
mod mqtt;
mod new_radio;
mod portfolio;
mod security;
mod server;
mod software;
mod virtual_observe;
mod written;

pub use access_control::AccessControl;
pub use app_data::AppData;
pub use clock::Clock;
pub use connectivity::{ConnectivityMonitoring, ConnectivityStatistics};
pub use device::Device;
pub use firmware::{
    Boot, Firmware, FirmwareState, FirmwareStorage, FirmwareUpdate, Installation, UpdateResult,
};
pub use gateway::{Gateway, GatewayRouting};
pub use ipso::{Accelerometer, Humidity, LightControl, Temperature};
pub use keys::{Cose, Oscore};
pub use location::Location;
pub use mqtt::MqttServer;
pub use new_radio::NewRadioConnectivity;
pub use portfolio::Portfolio;
pub use security::Security;
pub use server::Server;
pub(crate) use server::Trigger;
pub use software::{Software, SoftwarePackage, SoftwareResult, SoftwareState, SoftwareStorage};
pub use virtual_observe::VirtualObserveNotify;
pub(crate) use written::Written;

use heapless::String;

/// Text cut to what fits, at a character boundary.
pub fn text<const N: usize>(text: &str) -> String<N> {
    let mut out = String::new();
    for character in text.chars() {
        if out.push(character).is_err() {
            break;
        }
    }
    out
}
