//! The outputs of a shard, and the guard that lends them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::io::{Output, Persist, Reply};
use super::trace::Trace;
use crate::api::EventKind;
use crate::trace::Direction;

/// What is still to be taken. Datagrams lie end to end in one buffer that is used again.
#[derive(Debug)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: Vec<u8>,
    /// What was sent and received lately.
    pub(super) trace: Trace,
}

#[derive(Debug)]
enum Item {
    Transmit {
        to: SocketAddr,
        start: usize,
        end: usize,
    },
    Handover {
        shard: u16,
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
            trace: Trace::new(trace_bytes),
        }
    }

    /// Adds a datagram that `write` appends to the buffer; nothing is added when it appends
    /// nothing.
    pub(super) fn transmit(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end > start {
            self.trace
                .record(Direction::Out, to, &self.bytes[start..end]);
            self.items.push_back(Item::Transmit { to, start, end });
        }
    }

    pub(super) fn handover(&mut self, shard: u16, from: SocketAddr, datagram: &[u8], hops: u16) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        self.items.push_back(Item::Handover {
            shard,
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
            Item::Transmit { to, start, end } => Output::Transmit {
                to,
                bytes: &self.bytes[start..end],
            },
            Item::Handover {
                shard,
                from,
                hops,
                start,
                end,
            } => Output::Handover {
                shard,
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
