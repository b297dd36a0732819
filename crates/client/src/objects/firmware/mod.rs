//! Object 5, Firmware Update (Core 1.2 §E.6).

mod object;
mod state;

pub use object::{Boot, Firmware, FirmwareStorage, Installation};
pub use state::{FirmwareState, FirmwareUpdate, UpdateResult};
