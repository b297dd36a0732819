//! sim

pub mod storm;
