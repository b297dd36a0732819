//! The REST API in front of a real server, with devices on real sockets.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

mod device;
mod sse;
mod world;

mod attributes;
mod client;
mod codes;
mod composite;
mod console;
mod create;
mod credentials;
mod delete;
mod devices;
mod discover;
mod errors;
mod events;
mod execute;
mod firmware;
mod names;
mod observations;
mod operations;
mod read;
mod sends;
mod server;
mod trace;
mod write;
