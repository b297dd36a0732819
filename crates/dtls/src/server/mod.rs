//! The server's side: all associations of one shard.

mod cache;
mod cid;
mod cookie;
mod datagram;
mod export;
mod handshake;
mod io;
mod rate;
mod session;
mod table;

use alloc::vec::Vec;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};

use self::cache::Cache;
use self::cid::{Cid, Layout};
use self::cookie::Cookies;
pub use self::export::Export;
use self::io::{Item, Queue};
pub use self::io::{ServerInput, ServerOutput, ServerOutputs};
use self::rate::Rate;
use self::table::{Slot, Table};
use crate::handshake::flight::Due;
use crate::record::{ContentType, MAX_SEQUENCE};
use crate::{Alert, Counters, Credentials, DropReason, Limit, Reason, ServerConfig, SessionId};

/// All associations of one shard, and the handshakes on their way to become some.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    layout: Option<Layout>,
    cookies: Cookies,
    cache: Cache,
    table: Table,
    rate: Rate,
    /// Handshakes begun.
    begun: u64,
    queue: Queue,
    counters: Counters,
}

/// What a call lends: time, credentials and random bits.
struct Context<'a> {
    now: Instant,
    credentials: &'a dyn Credentials,
    rng: &'a mut dyn Rng,
}

impl Server {
    /// A server without associations. `rng` yields the secret of the cookies.
    ///
    /// Connection IDs whose lengths are out of range ([`CidFormat`](crate::CidFormat)) are not
    /// issued.
    pub fn new(config: ServerConfig, rng: &mut dyn Rng) -> Self {
        let layout = config.connection_id.as_ref().and_then(Layout::new);
        let places = layout.as_ref().map_or(usize::MAX, Layout::places);
        let limits = config.limits;
        let bound = (limits.sessions.max(1) + limits.half_open.max(1)).min(places);
        Self {
            layout,
            cookies: Cookies::new(rng),
            cache: Cache::new(limits.cache, limits.cache_lifetime),
            table: Table::new(bound, rng),
            rate: Rate::new(limits.handshakes_per_second),
            begun: 0,
            queue: Queue::default(),
            counters: Counters::default(),
            config,
        }
    }

    /// Tells it what happened; then take every output.
    pub fn handle(
        &mut self,
        now: Instant,
        input: ServerInput<'_>,
        credentials: &dyn Credentials,
        rng: &mut dyn Rng,
    ) -> ServerOutputs<'_> {
        let context = &mut Context {
            now,
            credentials,
            rng,
        };
        match input {
            ServerInput::Datagram { from, bytes } => self.datagram(from, bytes, context),
            ServerInput::Send { session, bytes } => self.send(session, None, bytes, context),
            ServerInput::SendTo { session, to, bytes } => {
                self.send(session, Some(to), bytes, context);
            }
            ServerInput::Close { session } => {
                if self.table.session(session).is_some() {
                    self.close(
                        session,
                        Reason::Closed,
                        Some(Alert::CLOSE_NOTIFY),
                        context.rng,
                    );
                }
            }
            ServerInput::Timer => self.timer(context),
        }
        ServerOutputs::new(&mut self.queue)
    }

    fn send(
        &mut self,
        id: SessionId,
        to: Option<SocketAddr>,
        bytes: &[u8],
        context: &mut Context<'_>,
    ) {
        let Some(session) = self.table.session_mut(id) else {
            self.counters.count(DropReason::NotSent);
            return;
        };
        let to = to.unwrap_or(session.address);
        let link = &mut session.link;
        let start = self.queue.bytes.len();
        if link.seal(
            ContentType::ApplicationData,
            bytes,
            context.rng,
            &mut self.queue.bytes,
        ) {
            self.queue.transmit_from(to, start);
            let left = link.limit - link.sequence;
            if link.limit < MAX_SEQUENCE && left <= LOW && left.is_power_of_two() {
                self.queue.items.push_back(Item::Reserve { session: id });
            }
        } else {
            self.counters.count(DropReason::NotSent);
            if link.sequence >= MAX_SEQUENCE {
                self.close(id, Reason::Limit(Limit::SequenceNumbers), None, context.rng);
            }
        }
    }

    /// Ends a session, with an alert to the peer perhaps.
    fn close(&mut self, id: SessionId, reason: Reason, alert: Option<Alert>, rng: &mut dyn Rng) {
        let Some(session) = self.table.session_mut(id) else {
            return;
        };
        let from = session.address;
        if let Some(alert) = alert {
            let start = self.queue.bytes.len();
            if session.link.seal(
                ContentType::Alert,
                &alert_content(alert),
                rng,
                &mut self.queue.bytes,
            ) {
                self.queue.transmit_from(from, start);
            }
        }
        self.table.remove(id.slot());
        self.queue.items.push_back(Item::Closed {
            session: id,
            from,
            reason,
        });
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        while let Some(slot) = self.table.due(context.now) {
            let Some(handshake) = self.table.handshake(slot) else {
                return;
            };
            let before = handshake.channel.timer.due;
            let due = handshake
                .channel
                .due(context.now, &self.config.retransmission);
            match due {
                Due::No => return,
                Due::Repeat => {
                    self.counters.retransmitted += 1;
                    handshake.send(&self.config, context.rng, &mut self.queue);
                    self.table.reschedule(slot, before);
                }
                Due::GiveUp => {
                    self.counters.failed += 1;
                    self.counters.timed_out += 1;
                    self.table.remove(slot);
                }
            }
        }
    }

    /// When [`ServerInput::Timer`] is due next; `None` when nothing waits.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.table.next_timeout()
    }

    /// The address of a session's peer.
    pub fn address(&self, session: SessionId) -> Option<SocketAddr> {
        self.table.session(session).map(|session| session.address)
    }

    /// The tag of a session's credential.
    pub fn tag(&self, session: SessionId) -> Option<u64> {
        self.table.session(session).map(|session| session.tag)
    }

    /// Ends all sessions with this tag, and their resumption: the credential changed or is gone.
    /// `rng` is for the IVs of CBC suites.
    pub fn forget(&mut self, tag: u64, rng: &mut dyn Rng) -> ServerOutputs<'_> {
        self.cache.forget(tag);
        let sessions: Vec<SessionId> = self
            .table
            .all_sessions()
            .filter(|(_, session)| session.tag == tag)
            .map(|(slot, session)| SessionId::new(slot, session.random))
            .collect();
        for session in sessions {
            self.close(session, Reason::Forgotten, Some(Alert::ACCESS_DENIED), rng);
        }
        let handshakes: Vec<u32> = self
            .table
            .all_handshakes()
            .filter(|slot| match self.table.get(*slot) {
                Slot::Handshake(handshake) => handshake.tag == tag,
                _ => false,
            })
            .collect();
        for slot in handshakes {
            self.counters.failed += 1;
            self.table.remove(slot);
        }
        ServerOutputs::new(&mut self.queue)
    }

    /// Whether a session is proven: everything but one imported after a start that was not clean.
    pub fn is_proven(&self, session: SessionId) -> bool {
        self.table
            .session(session)
            .is_some_and(|session| session.proven)
    }

    /// An unproven session has shown with the record of this sequence number, from this address,
    /// that its peer is alive: older records are replays from now on.
    pub fn prove(&mut self, session: SessionId, sequence: u64, from: SocketAddr) {
        let Some(found) = self.table.session_mut(session) else {
            return;
        };
        if !found.proven {
            found.proven = true;
            found.link.window = crate::replay::ReplayWindow::all_below(sequence + 1);
            if found.address != from && found.has_cid {
                self.table.move_session(session.slot(), from);
            }
        }
    }

    /// Every session.
    pub fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.table
            .all_sessions()
            .map(|(slot, session)| SessionId::new(slot, session.random))
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.table.sessions()
    }

    /// How many handshakes are under way.
    pub fn handshakes(&self) -> usize {
        self.table.handshakes()
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The configuration.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    fn cid(&self, slot: u32, random: u32) -> Option<Cid> {
        self.layout.as_ref().map(|layout| layout.cid(slot, random))
    }

    fn cid_length(&self) -> usize {
        self.layout.as_ref().map_or(0, Layout::length)
    }
}

/// From here on it is said at each power of two that sequence numbers run out.
const LOW: u64 = 1 << 14;

/// The content of an alert record: all are fatal but close_notify (RFC 5246 §7.2).
fn alert_content(alert: Alert) -> [u8; 2] {
    let level = if alert == Alert::CLOSE_NOTIFY { 1 } else { 2 };
    [level, alert.number()]
}
