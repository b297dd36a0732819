//! The LwM2M server: registrations, operations, observations and their store.
//!
//! [`shard`] is a pure engine (time, randomness and datagrams are arguments); the runtime gives
//! each shard a thread and a socket, and [`api`] is what the control plane (REST, console, command
//! line) sees.

pub mod access;
pub mod api;
pub mod control;
pub mod credentials;
pub mod directory;
pub mod files;
pub mod firmware;
mod operations;
mod peer;
mod profiles;
mod runtime;
pub mod shard;
pub mod store;
pub mod trace;
pub mod upload;

pub use peer::{Peer, Socket};
pub use runtime::{DtlsConfig, Server, ServerConfig, StartError};
