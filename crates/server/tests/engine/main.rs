//! The engine of a shard in virtual time, driven by raw bytes.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

mod durable;
mod operation;
mod registration;
mod world;
