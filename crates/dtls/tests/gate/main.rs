//! The validation gate: both roles over a bad network, and against a peer that follows a script
//! and not the standard.

pub mod known;
mod negative;
mod network;
mod pair;
pub mod script;
