//! Network emulation, virtual time, load, and what DTLS costs.

pub mod dtls;
pub mod netem;
pub mod storm;
