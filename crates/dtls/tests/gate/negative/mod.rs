//! Peers that do not keep to the standard.

mod alerts;
mod bench;
mod client;
mod device;
mod epochs;
mod fragments;
mod hellos;
mod identities;
mod order;
mod records;
mod resumption;
mod server_hellos;
