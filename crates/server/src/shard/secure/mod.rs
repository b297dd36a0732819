//! What DTLS adds to a shard: associations below the messages, identities above them.
//!
//! ```text
//! coaps socket ──> dunlin_dtls::Server ──> Data      ──> message (as from the coap socket)
//!                        │             ──> Connected ──> Persist
//!                        │             ──> Foreign   ──> hand-over to the shard that the CID names
//!                        │             ──> Unproven  ──> challenge (see `challenge`)
//!                        │             ──> Closed    ──> the registration stays
//!                        └──< Send <── what goes out to `Peer::Dtls`, at the end of each turn
//! ```
//!
//! Above this nothing knows addresses: a device that moves under its connection ID (RFC 9146) is the
//! same peer as before. A registration outlives its association, since the device may come back in
//! another one and go on with it ([`identity`]).

mod challenge;
mod identity;
mod keep;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    DropReason, Identity, Reason, Server, ServerConfig, ServerInput, ServerOutput, SessionId,
};

use super::Shard;
use super::interface::End;
use super::io::Persist;
use super::registry::ASLEEP;
use super::trace::Ends;
use crate::peer::{Peer, Socket};
use challenge::Challenge;
use keep::Claim;
pub use keep::StoredSession;

/// Bytes of a connection ID that name node and shard.
pub const CID_PREFIX: usize = 3;

/// The first bytes of the connection IDs of a shard: its node, then its number.
pub fn cid_prefix(node: u8, shard: u16) -> [u8; CID_PREFIX] {
    let [high, low] = shard.to_be_bytes();
    [node, high, low]
}

/// The shard that a connection ID names, if it is one of this node.
fn shard_of_cid(node: u8, cid: &[u8]) -> Option<u16> {
    match cid {
        [found, high, low, ..] if *found == node => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// The associations of a shard.
pub(super) struct Secure {
    server: Server,
    /// Names in certificates, of sessions whose credential stands for many devices.
    certified: HashMap<SessionId, Box<str>>,
    /// Sessions of the time before a restart that are to show that they are no replay.
    challenges: HashMap<SessionId, Challenge>,
    /// Claims of sequence numbers on their way to the store.
    claims: HashMap<SessionId, Claim>,
    /// Where sessions that have ended were heard last, while a registration is left of them.
    left: HashMap<SessionId, SocketAddr>,
    happened: Vec<Happened>,
    bytes: Vec<u8>,
    misdirected: u64,
}

/// What the association layer says, until it is acted upon.
enum Happened {
    Connected(SessionId, Option<String>),
    Data(SessionId, Range<usize>),
    Moved(SessionId),
    Unproven {
        session: SessionId,
        from: SocketAddr,
        sequence: u64,
        bytes: Range<usize>,
    },
    Reserve(SessionId),
    Closed(SessionId, SocketAddr, Reason),
}

impl Secure {
    pub(super) fn new(config: ServerConfig, rng: &mut dyn Rng) -> Self {
        Self {
            server: Server::new(config, rng),
            certified: HashMap::new(),
            challenges: HashMap::new(),
            claims: HashMap::new(),
            left: HashMap::new(),
            happened: Vec::new(),
            bytes: Vec::new(),
            misdirected: 0,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.server.next_timeout()
    }

    /// Tells `count` what was counted.
    pub(super) fn count(&self, count: &mut impl FnMut(&str, u64)) {
        let counters = self.server.counters();
        count("dtls_sessions", self.server.sessions() as u64);
        count("dtls_handshakes_open", self.server.handshakes() as u64);
        count("dtls_datagrams_received_total", counters.received);
        count("dtls_cookies_sent_total", counters.cookies);
        count("dtls_handshakes_begun_total", counters.begun);
        let full = "dtls_handshakes_completed_total{kind=\"full\"}";
        count(full, counters.completed);
        let resumed = "dtls_handshakes_completed_total{kind=\"resumed\"}";
        count(resumed, counters.resumed);
        count("dtls_handshakes_failed_total", counters.failed);
        count("dtls_handshakes_timed_out_total", counters.timed_out);
        count("dtls_handshakes_evicted_total", counters.evicted);
        count("dtls_flights_repeated_total", counters.retransmitted);
        count("dtls_moves_total", counters.moved);
        for reason in DropReason::ALL {
            let name = format!("dtls_records_dropped_total{{reason=\"{}\"}}", reason.name());
            count(&name, counters.dropped(reason));
        }
        let name = "dtls_records_dropped_total{reason=\"misdirected\"}";
        count(name, self.misdirected);
    }
}

impl Shard {
    /// Serves DTLS as well, with a connection ID that begins with [`cid_prefix`]. To be called before
    /// anything is restored.
    pub fn serve_dtls(&mut self, config: ServerConfig, rng: &mut dyn Rng) {
        self.secure = Some(Box::new(Secure::new(config, rng)));
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
            Socket::Coaps => {
                self.dtls(now, ServerInput::Datagram { from, bytes }, hops, rng);
            }
        }
    }

    pub(super) fn dtls_timeout(&mut self, now: Instant, rng: &mut dyn Rng) {
        let due = self
            .secure
            .as_ref()
            .and_then(|secure| secure.next_timeout());
        if due.is_some_and(|due| due <= now) {
            self.dtls(now, ServerInput::Timer, 0, rng);
        }
    }

    /// Tells the association layer something, sends what it wants sent, and does what follows.
    fn dtls(&mut self, now: Instant, input: ServerInput<'_>, hops: u16, rng: &mut dyn Rng) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let access = &*self.config.access;
        let mut outputs = secure.server.handle(now, input, access, rng);
        let (index, shards, node) = (self.config.index, self.config.shards, self.config.node);
        let bytes = &mut secure.bytes;
        let mut keep = |data: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(data);
            start..bytes.len()
        };
        while let Some(output) = outputs.next() {
            let happened = match output {
                ServerOutput::Transmit { to, bytes } => {
                    self.queue.transmit_record(to, bytes);
                    continue;
                }
                ServerOutput::Foreign { cid, from, bytes } => {
                    let owner = shard_of_cid(node, cid)
                        .filter(|owner| *owner < shards && *owner != index && hops == 0);
                    match owner {
                        Some(owner) => {
                            self.counters.handovers += 1;
                            self.queue
                                .handover(owner, Socket::Coaps, from, bytes, hops + 1);
                        }
                        None => secure.misdirected += 1,
                    }
                    continue;
                }
                ServerOutput::Connected {
                    session,
                    identity,
                    tag,
                    ..
                } => {
                    let certified = match identity {
                        Identity::Certificate(chain) => chain
                            .first()
                            .and_then(|leaf| access.certified_name(tag, leaf)),
                        _ => None,
                    };
                    Happened::Connected(session, certified)
                }
                ServerOutput::Data { session, bytes } => Happened::Data(session, keep(bytes)),
                ServerOutput::Moved { session, .. } => Happened::Moved(session),
                ServerOutput::Unproven {
                    session,
                    from,
                    sequence,
                    bytes,
                } => Happened::Unproven {
                    session,
                    from,
                    sequence,
                    bytes: keep(bytes),
                },
                ServerOutput::Reserve { session } => Happened::Reserve(session),
                ServerOutput::Closed {
                    session,
                    from,
                    reason,
                } => Happened::Closed(session, from, reason),
            };
            secure.happened.push(happened);
        }
        drop(outputs);
        self.follow_up(now, rng);
    }

    /// Does what follows from what the association layer said.
    fn follow_up(&mut self, now: Instant, rng: &mut dyn Rng) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        if secure.happened.is_empty() {
            return;
        }
        let mut happened = std::mem::take(&mut secure.happened);
        let mut bytes = std::mem::take(&mut secure.bytes);
        for happened in happened.drain(..) {
            match happened {
                Happened::Connected(session, certified) => {
                    self.connected(session, certified);
                }
                Happened::Data(session, range) => {
                    if let Some(ends) = self.ends(session) {
                        self.message(now, ends, &bytes[range], rng);
                    }
                }
                Happened::Moved(session) => {
                    self.counters.address_changes += 1;
                    self.keep_session(session);
                }
                Happened::Unproven {
                    session,
                    from,
                    sequence,
                    bytes: range,
                } => {
                    let message = &bytes[range];
                    self.unproven(now, session, from, sequence, message, rng);
                }
                Happened::Reserve(session) => self.keep_session(session),
                Happened::Closed(session, from, reason) => {
                    self.closed(now, session, from, reason, rng);
                }
            }
        }
        bytes.clear();
        if let Some(secure) = &mut self.secure {
            // Closing a session may have said more meanwhile.
            if secure.happened.is_empty() {
                secure.happened = happened;
                secure.bytes = bytes;
            } else {
                self.follow_up(now, rng);
            }
        }
    }

    /// Both ends of what comes in a session.
    fn ends(&self, session: SessionId) -> Option<Ends> {
        let address = self.secure.as_ref()?.server.address(session)?;
        Some(Ends {
            peer: Peer::Dtls(session),
            address,
        })
    }

    fn connected(&mut self, session: SessionId, certified: Option<String>) {
        if let (Some(secure), Some(certified)) = (&mut self.secure, certified) {
            secure.certified.insert(session, certified.into());
        }
        self.keep_session(session);
    }

    /// A session has ended. What was registered in it stays: the device may come back in another
    /// one. Requests on their way to it get no answer, as with an address that is gone.
    fn closed(
        &mut self,
        now: Instant,
        session: SessionId,
        from: SocketAddr,
        reason: Reason,
        rng: &mut dyn Rng,
    ) {
        self.persist(Persist::RemoveSession {
            shard: self.config.index,
            session,
        });
        if let Some(secure) = &mut self.secure {
            secure.certified.remove(&session);
            secure.challenges.remove(&session);
            secure.claims.remove(&session);
        }
        let peer = Peer::Dtls(session);
        let slots: Vec<u32> = self.registry.at(peer).collect();
        if let (Some(secure), false) = (&mut self.secure, slots.is_empty()) {
            secure.left.insert(session, from);
        }
        for slot in slots {
            if reason == Reason::Forgotten {
                self.counters.removals += 1;
                self.end(now, slot, End::Removed, rng);
            } else if self.uses_queue_mode(slot)
                && let Some(registration) = self.registry.get_mut(slot)
            {
                registration.flags |= ASLEEP;
            }
        }
    }

    /// A credential was rotated or removed: its sessions end, and so do the registrations that were
    /// made with it.
    pub(super) fn credential_ended(&mut self, now: Instant, tag: u64, rng: &mut dyn Rng) {
        if let Some(secure) = &mut self.secure {
            let mut outputs = secure.server.forget(tag, rng);
            while let Some(output) = outputs.next() {
                match output {
                    ServerOutput::Transmit { to, bytes } => self.queue.transmit_record(to, bytes),
                    ServerOutput::Closed {
                        session,
                        from,
                        reason,
                    } => secure
                        .happened
                        .push(Happened::Closed(session, from, reason)),
                    _ => {}
                }
            }
        }
        self.follow_up(now, rng);
        // Those whose session has ended before.
        let slots = self.registry.slots().filter(|slot| {
            let registration = self.registry.get(*slot);
            registration.and_then(|found| found.credential()) == Some(tag)
        });
        for slot in slots.collect::<Vec<_>>() {
            self.counters.removals += 1;
            self.end(now, slot, End::Removed, rng);
        }
    }

    /// A registration has gone from a session to another peer: a session that has none left is of
    /// no use any more.
    pub(super) fn left(&mut self, now: Instant, peer: Peer, rng: &mut dyn Rng) {
        if let Peer::Dtls(session) = peer
            && self.registry.at(peer).next().is_none()
        {
            self.dtls(now, ServerInput::Close { session }, 0, rng);
        }
        self.forget_left(peer);
    }

    /// Where an ended session was heard last is of no interest without a registration of it.
    pub(super) fn forget_left(&mut self, peer: Peer) {
        if let (Peer::Dtls(session), Some(secure)) = (peer, &mut self.secure)
            && !secure.left.is_empty()
            && self.registry.at(peer).next().is_none()
        {
            secure.left.remove(&session);
        }
    }

    /// Puts what goes out to sessions into records.
    pub(super) fn seal(&mut self, now: Instant, rng: &mut dyn Rng) {
        while self.queue.has_plain() {
            self.seal_once(now, rng);
        }
    }

    fn seal_once(&mut self, now: Instant, rng: &mut dyn Rng) {
        let Some(secure) = &mut self.secure else {
            return self.queue.seal(|_, _, _| None);
        };
        let Secure {
            server,
            happened,
            claims,
            ..
        } = &mut **secure;
        let access = &*self.config.access;
        self.queue.seal(|session, bytes, record| {
            if !claims.is_empty()
                && let Some(claim) = claims.get_mut(&session)
            {
                // The disk stands still: as if it had been lost on the way.
                claim.left = claim.left.checked_sub(1)?;
            }
            let send = ServerInput::Send { session, bytes };
            let mut outputs = server.handle(now, send, access, rng);
            let mut sent = None;
            while let Some(output) = outputs.next() {
                match output {
                    ServerOutput::Transmit { to, bytes } => {
                        record.extend_from_slice(bytes);
                        sent = Some(to);
                    }
                    ServerOutput::Reserve { session } => {
                        happened.push(Happened::Reserve(session));
                    }
                    ServerOutput::Closed {
                        session,
                        from,
                        reason,
                    } => happened.push(Happened::Closed(session, from, reason)),
                    _ => {}
                }
            }
            sent
        });
        self.follow_up(now, rng);
    }
}
