//! The trace of a device: its latest messages in both directions, explained, and as a capture file.
//!
//! Shards keep the datagrams (see [`Limits::trace_bytes`](crate::shard::Limits::trace_bytes)); what
//! they mean is read only when somebody asks. Payloads that may hold keys are taken out before.

mod explain;
mod pcap;
mod redact;

use std::net::SocketAddr;

pub use explain::{Explained, explain, value_text};
pub use pcap::pcap;
pub(crate) use redact::redact;

/// Which way a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the server.
    In,
    /// From the server to the device.
    Out,
}

/// A datagram that was received or sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Datagram {
    /// When, in Unix seconds.
    pub time: f64,
    /// Which way.
    pub direction: Direction,
    /// The address of the other side, also where the message was inside a DTLS record.
    pub peer: SocketAddr,
    /// Its content: a CoAP message, or what should have been one.
    pub bytes: Vec<u8>,
}
