//! The engine of a shard in virtual time, driven by raw bytes.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

mod codes;
mod composite;
mod durable;
mod files;
mod identity;
mod message;
mod non_confirmable;
mod observe;
mod operation;
mod operation_blocks;
mod profile;
mod queue;
mod random;
mod registration;
mod secure;
mod send;
mod shards;
mod trace;
mod world;
