//! Object 9, Software Management.

mod object;
mod state;

pub use object::{Software, SoftwareStorage};
pub use state::{SoftwarePackage, SoftwareResult, SoftwareState};
