//! The thread of one shard: engine, socket, inbox.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use dunlin_coap::Instant;
use dunlin_net::{OsRng, Outgoing, Service, SocketCounters};
use tokio::sync::oneshot;

use crate::api::Stats;
use crate::control::{EventBus, Happened, Waiters};
use crate::credentials::Vault;
use crate::peer::Socket;
use crate::runtime::inbox::{Inbox, Work};
use crate::runtime::secure;
use crate::shard::{Command, Input, Output, Outputs, Persist, Reply, Shard};
use crate::store::Change;
use crate::store::writer::{MAX_BACKLOG, WriterHandle};

/// How long a shard that ends waits for its last changes to be on disk, so that the replies that
/// depend on them still go out.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves one shard in a [`dunlin_net::drive()`] loop.
pub(crate) struct Worker {
    shard: Shard,
    rng: OsRng,
    work: Work,
    ports: Ports,
    /// Set when the server ends: when to stop at the latest.
    stop_by: Option<Instant>,
    /// Set then, once everything was sent: sessions are on their way to the store as they are.
    has_left: bool,
}

/// What a shard's thread works with; equal for all of them.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) inboxes: Arc<[Inbox]>,
    pub(crate) writer: WriterHandle,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) waiters: Arc<Waiters>,
    /// What the loop's sockets are, in their order.
    pub(crate) sockets: Vec<Socket>,
    pub(crate) vault: Vault,
}

/// Where the outputs of a shard go.
struct Ports {
    index: u16,
    inboxes: Arc<[Inbox]>,
    writer: WriterHandle,
    bus: Arc<EventBus>,
    waiters: Arc<Waiters>,
    waiting: HashMap<u64, oneshot::Sender<Reply>>,
    changes: Vec<Change>,
    events: Vec<Happened>,
    /// The last sequence number handed to the writer, and the last one known to be on disk.
    persisted: u64,
    durable: u64,
    overloaded: u64,
    /// What the loop's sockets are, in their order.
    sockets: Vec<Socket>,
    vault: Vault,
}

impl Worker {
    pub(crate) fn new(index: u16, shard: Shard, around: Around) -> Self {
        let Around {
            inboxes,
            writer,
            bus,
            waiters,
            sockets,
            vault,
        } = around;
        Self {
            shard,
            rng: OsRng::new(),
            work: Work::default(),
            ports: Ports {
                index,
                inboxes,
                writer,
                bus,
                waiters,
                waiting: HashMap::new(),
                changes: Vec::new(),
                events: Vec::new(),
                persisted: 0,
                durable: 0,
                overloaded: 0,
                sockets,
                vault,
            },
            stop_by: None,
            has_left: false,
        }
    }

    fn handle(&mut self, now: Instant, input: Input<'_>, out: &mut Outgoing<'_>) {
        self.shard.set_watched(self.ports.bus.is_watched());
        let outputs = self.shard.handle(now, input, &mut self.rng);
        self.ports.take(outputs, out);
    }

    fn arrived(&mut self, now: Instant, input: Input<'_>, out: &mut Outgoing<'_>) {
        // A disk that stands still must not fill the memory: what arrives now is dropped as by a
        // full socket buffer, and comes again.
        if self.stop_by.is_some() || self.ports.writer.backlog() > MAX_BACKLOG {
            self.ports.overloaded += 1;
            return;
        }
        self.handle(now, input, out);
    }

    fn work_through(&mut self, now: Instant, out: &mut Outgoing<'_>) {
        let Some(inbox) = self.ports.inboxes.get(usize::from(self.ports.index)) else {
            return;
        };
        let through = inbox.durable_through();
        let mut work = std::mem::take(&mut self.work);
        inbox.take(&mut work);
        if through > self.ports.durable {
            self.ports.durable = through;
            self.handle(now, Input::Durable { through }, out);
        }
        for (socket, from, hops, bytes) in work.datagrams() {
            let input = Input::HandedOver {
                socket,
                from,
                bytes,
                hops,
            };
            self.arrived(now, input, out);
        }
        for (id, command, reply) in work.commands.drain(..) {
            if let Some(reply) = reply {
                self.ports.waiting.insert(id, reply);
            }
            self.handle(now, Input::Command(command), out);
        }
        if work.stop && self.stop_by.is_none() {
            self.stop_by = Some(now + LAST_WORDS);
        }
        work.clear();
        self.work = work;
    }
}

impl Service for Worker {
    fn datagram(
        &mut self,
        now: Instant,
        socket: usize,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Outgoing<'_>,
    ) {
        let Some(&socket) = self.ports.sockets.get(socket) else {
            return;
        };
        let input = Input::Datagram {
            socket,
            from,
            bytes,
        };
        self.arrived(now, input, out);
    }

    fn turn(
        &mut self,
        now: Instant,
        woken: bool,
        out: &mut Outgoing<'_>,
    ) -> ControlFlow<(), Option<Instant>> {
        if woken {
            self.work_through(now, out);
        }
        if self.shard.next_timeout().is_some_and(|due| due <= now) {
            self.handle(now, Input::Timeout, out);
        }
        self.ports.flush();
        let due = self.shard.next_timeout();
        let Some(stop_by) = self.stop_by else {
            return ControlFlow::Continue(due);
        };
        if self.ports.durable >= self.ports.persisted || now >= stop_by {
            if self.has_left {
                return ControlFlow::Break(());
            }
            // Replies that were held have gone out: nothing is sent in any session from here on.
            self.has_left = true;
            self.shard.leave();
            let outputs = self
                .shard
                .handle(now, Input::Durable { through: 0 }, &mut self.rng);
            self.ports.take(outputs, out);
            self.ports.flush();
            self.stop_by = Some(now + LAST_WORDS);
            return ControlFlow::Continue(Some(now));
        }
        ControlFlow::Continue(Some(due.map_or(stop_by, |due| due.min(stop_by))))
    }
}

impl Drop for Worker {
    /// Also when the engine panics: nobody must wait for this shard any more.
    fn drop(&mut self) {
        if let Some(inbox) = self.ports.inboxes.get(usize::from(self.ports.index)) {
            inbox.close();
        }
    }
}

impl Ports {
    fn take(&mut self, mut outputs: Outputs<'_>, out: &mut Outgoing<'_>) {
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { socket, to, bytes } => {
                    let socket = self.sockets.iter().position(|own| *own == socket);
                    if let Some(socket) = socket {
                        out.send(socket, to, bytes);
                    }
                }
                Output::Persist {
                    sequence,
                    mut change,
                } => {
                    if let Persist::Session(stored) = &mut change {
                        secure::seal(&self.vault, stored);
                    }
                    self.persisted = sequence;
                    self.changes.push(Change {
                        shard: self.index,
                        sequence,
                        change,
                    });
                }
                Output::Event {
                    time,
                    endpoint,
                    kind,
                } => self.events.push(Happened {
                    time,
                    endpoint,
                    kind,
                }),
                Output::Reply { id, mut reply } => {
                    if let Reply::Stats(stats) = &mut reply {
                        self.count(stats, out.counters());
                    }
                    // The one who asked may have gone.
                    if let Some(waiting) = self.waiting.remove(&id) {
                        let _ = waiting.send(reply);
                    }
                }
                Output::Ended { operation } => self.waiters.wake(operation),
                Output::Handover {
                    shard,
                    socket,
                    from,
                    hops,
                    bytes,
                } => {
                    if let Some(inbox) = self.inboxes.get(usize::from(shard)) {
                        inbox.datagram(socket, from, bytes, hops);
                    }
                }
                Output::Evict {
                    shard,
                    endpoint,
                    epoch,
                } => {
                    if let Some(inbox) = self.inboxes.get(usize::from(shard)) {
                        inbox.post(Command::Evict { endpoint, epoch });
                    }
                }
            }
        }
    }

    /// Hands on what a turn has gathered, each kind with one lock.
    fn flush(&mut self) {
        self.writer.push(&mut self.changes);
        self.bus.publish(&mut self.events);
    }

    fn count(&self, stats: &mut Stats, socket: SocketCounters) {
        let handed_over = self
            .inboxes
            .get(usize::from(self.index))
            .map_or(0, Inbox::dropped);
        stats.counters.extend(
            [
                ("socket_received_total", socket.received),
                ("socket_sent_total", socket.sent),
                ("socket_unsent_total", socket.unsent),
                ("socket_errors_total", socket.errors),
                (
                    "datagrams_dropped_total{reason=\"too_long\"}",
                    socket.truncated,
                ),
                (
                    "datagrams_dropped_total{reason=\"store_backlog\"}",
                    self.overloaded,
                ),
                (
                    "datagrams_dropped_total{reason=\"handover_full\"}",
                    handed_over,
                ),
            ]
            .map(|(name, count)| (name.to_owned(), count)),
        );
    }
}
