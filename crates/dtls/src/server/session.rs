//! An established session.

use alloc::boxed::Box;
use core::net::SocketAddr;

use dunlin_coap::Instant;

use crate::Suite;
use crate::handshake::flight::{Flight, Timer};
use crate::link::Link;

/// A session as it lies in the table while nothing happens: the smaller the better.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) address: SocketAddr,
    pub(super) tag: u64,
    /// Of its id.
    pub(super) random: u32,
    /// When something authentic came last, in seconds.
    pub(super) last: u32,
    pub(super) suite: Suite,
    pub(super) encrypt_then_mac: bool,
    /// Whether the peer uses our connection ID.
    pub(super) has_cid: bool,
    /// Whether nothing can be a replay of what came after an export.
    pub(super) proven: bool,
    /// Our last flight, until the peer shows that it came.
    pub(super) tail: Option<Box<Tail>>,
}

/// The last flight of a handshake (RFC 6347 §4.2.4: sent again when the peer repeats its own).
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) flight: Flight,
    pub(super) plain: u64,
    pub(super) timer: Timer,
}

impl Session {
    pub(super) fn touch(&mut self, now: Instant) {
        self.last = seconds(now);
    }
}

/// Seconds of an instant, as long as 136 years go by.
pub(super) fn seconds(now: Instant) -> u32 {
    u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX)
}
