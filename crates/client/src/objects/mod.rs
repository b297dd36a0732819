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
//! | 3303, 3304, 3313 | [`Temperature`], [`Humidity`], [`Accelerometer`] |
//! | 3311 | [`LightControl`] |

mod access_control;
mod connectivity;
mod device;
mod firmware;
mod ipso;
mod location;
mod security;
mod server;

pub use access_control::AccessControl;
pub use connectivity::{ConnectivityMonitoring, ConnectivityStatistics};
pub use device::Device;
pub use firmware::{
    Boot, Firmware, FirmwareState, FirmwareStorage, FirmwareUpdate, Installation, UpdateResult,
};
pub use ipso::{Accelerometer, Humidity, LightControl, Temperature};
pub use location::Location;
pub use security::Security;
pub use server::Server;
pub(crate) use server::Trigger;

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
