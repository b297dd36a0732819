//! The outputs of a shard, and the guard that lends them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use dunlin_dtls::SessionId;

use super::io::{Output, Persist, Reply};
use super::trace::{Ends, Trace};
use crate::api::EventKind;
use crate::peer::{Peer, Socket};
use crate::trace::Direction;

/// What is still to be taken. Datagrams lie end to end in one buffer that is used again.
#[derive(Debug)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: Vec<u8>,
    /// Items that are to be sealed.
    plain: usize,
    record: Vec<u8>,
    /// What was sent and received lately.
    pub(super) trace: Trace,
}

#[derive(Debug)]
enum Item {
    Transmit {
        socket: Socket,
        to: SocketAddr,
        start: usize,
        end: usize,
    },
    /// A message to be sealed in a session before it is sent.
    Plain {
        session: SessionId,
        start: usize,
        end: usize,
    },
    Handover {
        shard: u16,
        socket: Socket,
        from: SocketAddr,
        hops: u16,
        start: usize,
        end: usize,
    },
    Persist {
        sequence: u64,
        change: Box<Persist>,
    },
    Event {
        time: f64,
        endpoint: String,
        kind: Box<EventKind>,
    },
    Reply {
        id: u64,
        reply: Box<Reply>,
    },
    Ended {
        operation: u64,
    },
    Evict {
        shard: u16,
        endpoint: String,
        epoch: u64,
    },
}

/// Bytes that the buffer keeps for the next round.
const KEEP: usize = 256 * 1024;

impl Queue {
    pub(super) fn new(trace_bytes: usize) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: Vec::new(),
            plain: 0,
            record: Vec::new(),
            trace: Trace::new(trace_bytes),
        }
    }

    /// Adds a message that `write` appends to the buffer; nothing is added when it appends
    /// nothing.
    pub(super) fn transmit(&mut self, to: Peer, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end == start {
            return;
        }
        match to {
            Peer::Udp(to) => {
                let bytes = &self.bytes[start..end];
                self.trace.record(Direction::Out, Ends::udp(to), bytes);
                let socket = Socket::Coap;
                self.items.push_back(Item::Transmit {
                    socket,
                    to,
                    start,
                    end,
                });
            }
            Peer::Dtls(session) => {
                self.plain += 1;
                self.items.push_back(Item::Plain {
                    session,
                    start,
                    end,
                });
            }
        }
    }

    /// Has everything sealed that is to be: `seal` writes the record and tells where it goes; what
    /// it does not is dropped.
    pub(super) fn seal(
        &mut self,
        mut seal: impl FnMut(SessionId, &[u8], &mut Vec<u8>) -> Option<SocketAddr>,
    ) {
        if self.plain == 0 {
            return;
        }
        self.plain = 0;
        for _ in 0..self.items.len() {
            let Some(item) = self.items.pop_front() else {
                return;
            };
            let Item::Plain {
                session,
                start,
                end,
            } = item
            else {
                self.items.push_back(item);
                continue;
            };
            self.record.clear();
            let message = &self.bytes[start..end];
            let Some(to) = seal(session, message, &mut self.record) else {
                continue;
            };
            let ends = Ends {
                peer: Peer::Dtls(session),
                address: to,
            };
            self.trace.record(Direction::Out, ends, message);
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&self.record);
            self.items.push_back(Item::Transmit {
                socket: Socket::Coaps,
                to,
                start,
                end: self.bytes.len(),
            });
        }
    }

    /// Adds a datagram of the `coaps` socket as it is.
    pub(super) fn transmit_record(&mut self, to: SocketAddr, record: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.items.push_back(Item::Transmit {
            socket: Socket::Coaps,
            to,
            start,
            end: self.bytes.len(),
        });
    }

    /// Whether something is to be sealed.
    pub(super) fn has_plain(&self) -> bool {
        self.plain > 0
    }

    pub(super) fn handover(
        &mut self,
        shard: u16,
        socket: Socket,
        from: SocketAddr,
        datagram: &[u8],
        hops: u16,
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        self.items.push_back(Item::Handover {
            shard,
            socket,
            from,
            hops,
            start,
            end,
        });
    }

    pub(super) fn persist(&mut self, sequence: u64, change: Persist) {
        self.items.push_back(Item::Persist {
            sequence,
            change: Box::new(change),
        });
    }

    pub(super) fn event(&mut self, time: f64, endpoint: String, kind: EventKind) {
        self.items.push_back(Item::Event {
            time,
            endpoint,
            kind: Box::new(kind),
        });
    }

    pub(super) fn reply(&mut self, id: u64, reply: Reply) {
        self.items.push_back(Item::Reply {
            id,
            reply: Box::new(reply),
        });
    }

    pub(super) fn ended(&mut self, operation: u64) {
        self.items.push_back(Item::Ended { operation });
    }

    pub(super) fn evict(&mut self, shard: u16, endpoint: String, epoch: u64) {
        self.items.push_back(Item::Evict {
            shard,
            endpoint,
            epoch,
        });
    }

    fn pop(&mut self) -> Option<Output<'_>> {
        Some(match self.items.pop_front()? {
            // `seal` leaves none.
            Item::Plain { .. } => return self.pop(),
            Item::Transmit {
                socket,
                to,
                start,
                end,
            } => Output::Transmit {
                socket,
                to,
                bytes: &self.bytes[start..end],
            },
            Item::Handover {
                shard,
                socket,
                from,
                hops,
                start,
                end,
            } => Output::Handover {
                shard,
                socket,
                from,
                hops,
                bytes: &self.bytes[start..end],
            },
            Item::Persist { sequence, change } => Output::Persist {
                sequence,
                change: *change,
            },
            Item::Event {
                time,
                endpoint,
                kind,
            } => Output::Event {
                time,
                endpoint,
                kind: *kind,
            },
            Item::Reply { id, reply } => Output::Reply { id, reply: *reply },
            Item::Ended { operation } => Output::Ended { operation },
            Item::Evict {
                shard,
                endpoint,
                epoch,
            } => Output::Evict {
                shard,
                endpoint,
                epoch,
            },
        })
    }

    fn settle(&mut self) {
        if self.items.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEEP);
        }
    }
}

/// Lends the outputs of [`Shard::handle`](super::Shard::handle), one after the other.
#[must_use = "take every output: datagrams, events and replies are lost otherwise until the next call"]
#[derive(Debug)]
pub struct Outputs<'s> {
    queue: &'s mut Queue,
}

impl<'s> Outputs<'s> {
    pub(super) fn new(queue: &'s mut Queue) -> Self {
        Self { queue }
    }

    /// The next output. It borrows from the shard until the one after it is taken.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend from itself"
    )]
    pub fn next(&mut self) -> Option<Output<'_>> {
        self.queue.pop()
    }
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        self.queue.settle();
    }
}
