//! What DTLS adds to a shard: associations below the messages, identities above them.

mod identity;

use std::net::SocketAddr;

use dunlin_coap::{Instant, Rng};

use super::Shard;
use crate::peer::Socket;

impl Shard {
    /// Puts what goes out to sessions into records.
    pub(super) fn seal(&mut self, _now: Instant, _rng: &mut dyn Rng) {
        self.queue.seal(|_, _, _| None);
    }

    /// A datagram of either socket.
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        socket: Socket,
        from: SocketAddr,
        bytes: &[u8],
        hops: u16,
        rng: &mut dyn Rng,
    ) {
        match socket {
            Socket::Coap => self.datagram(now, from, bytes, hops, rng),
            Socket::Coaps => {}
        }
    }
}
