//! sim

pub mod storm;

pub mod netem;
