//! Sessions of the time before a restart that was not clean: what comes in one may be a replay of
//! what came after it was stored last, which nobody remembers.
//!
//! ```text
//! device   Update (authentic, perhaps old) ──>
//!                                          <── ping: an empty CON with a fresh message id
//!          RST with that id ──────────────────> proven: older records are replays from now on
//!          Update again (its retransmission) ─>
//!                                          <── 2.04
//! ```
//!
//! Every CoAP endpoint answers a ping (RFC 7252 §4.3). The answer cannot be old, for it holds an id
//! that was drawn just now, in a record that only the device can make; who repeats what he recorded
//! would have to have the right one of 65,536 resets. It costs the device one lost datagram.

use core::time::Duration;
use std::net::SocketAddr;

use dunlin_coap::{Code, Instant, Message, Rng, Type};
use dunlin_dtls::{ServerInput, SessionId};

use super::Shard;

/// A peer that sends many records at once is asked once.
const PAUSE: Duration = Duration::from_millis(500);

/// A ping that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge {
    message_id: u16,
    to: SocketAddr,
    at: Instant,
}

impl Shard {
    pub(super) fn unproven(
        &mut self,
        now: Instant,
        session: SessionId,
        from: SocketAddr,
        sequence: u64,
        bytes: &[u8],
        rng: &mut dyn Rng,
    ) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let open = secure.challenges.get(&session).copied();
        if let Some(open) = open {
            let reset = Message::parse(bytes).is_ok_and(|message| {
                message.ty == Type::Reset
                    && message.code == Code::EMPTY
                    && message.message_id == open.message_id
            });
            if reset {
                secure.challenges.remove(&session);
                secure.server.prove(session, sequence, from);
                self.counters.sessions_proven += 1;
                return;
            }
            if open.to == from && now.saturating_since(open.at) < PAUSE {
                return;
            }
        }
        // The id stays: the answer to an earlier ping counts as well.
        let message_id = open.map_or_else(|| rng.next_u32() as u16, |open| open.message_id);
        let challenge = Challenge {
            message_id,
            to: from,
            at: now,
        };
        secure.challenges.insert(session, challenge);
        self.counters.challenges += 1;
        let [high, low] = message_id.to_be_bytes();
        let ping = ServerInput::SendTo {
            session,
            to: from,
            bytes: &[0x40, 0, high, low],
        };
        self.dtls(now, ping, 0, rng);
    }
}
