//! What a server is told and what it says.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;

use crate::{Identity, Reason, SessionId};

/// What a [`Server`](crate::Server) is told.
#[derive(Clone, Copy, Debug)]
pub enum ServerInput<'a> {
    /// A datagram that came in.
    Datagram {
        /// The address it came from.
        from: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// Application data to send to the session's address. Dropped and counted when there is no such
    /// session.
    Send {
        /// The session.
        session: SessionId,
        /// At most 2^14 bytes.
        bytes: &'a [u8],
    },
    /// Application data to send to another address than the session's: what challenges a peer that
    /// seems to have moved while its session is unproven.
    SendTo {
        /// The session.
        session: SessionId,
        /// Where to.
        to: SocketAddr,
        /// At most 2^14 bytes.
        bytes: &'a [u8],
    },
    /// Close the session (close_notify); [`Closed`](ServerOutput::Closed) follows.
    Close {
        /// The session.
        session: SessionId,
    },
    /// The time of [`next_timeout`](crate::Server::next_timeout) has come.
    Timer,
}

/// What a [`Server`](crate::Server) says.
#[derive(Debug, PartialEq, Eq)]
pub enum ServerOutput<'a> {
    /// Send this datagram.
    Transmit {
        /// Where to.
        to: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// A handshake is complete.
    Connected {
        /// The new session.
        session: SessionId,
        /// The address of the peer.
        from: SocketAddr,
        /// Who the peer is.
        identity: &'a Identity,
        /// The tag of its credential; 0 when it has none.
        tag: u64,
        /// Whether it was the short handshake of a session before.
        resumed: bool,
    },
    /// Application data.
    Data {
        /// The session.
        session: SessionId,
        /// What the peer sent.
        bytes: &'a [u8],
    },
    /// The peer sends from another address now (RFC 9146 §6).
    Moved {
        /// The session.
        session: SessionId,
        /// Its address until now.
        from: SocketAddr,
        /// Its address from now on.
        to: SocketAddr,
    },
    /// Application data in a session that was imported and is not proven: it is authentic, but may
    /// be a replay of something received after the export. Challenge the peer, and tell
    /// [`prove`](crate::Server::prove) when something came that cannot be old.
    Unproven {
        /// The session.
        session: SessionId,
        /// The address it came from.
        from: SocketAddr,
        /// The sequence number of the record.
        sequence: u64,
        /// What the peer sent.
        bytes: &'a [u8],
    },
    /// The sequence numbers that the last export reserved are nearly used up: export again, and
    /// store that before they are.
    Reserve {
        /// The session.
        session: SessionId,
    },
    /// A session ended. Handshakes that fail before their end are counted only.
    Closed {
        /// The session.
        session: SessionId,
        /// The address it had.
        from: SocketAddr,
        /// Why.
        reason: Reason,
    },
    /// A datagram under a connection ID with another prefix than ours: of another shard or node.
    Foreign {
        /// The connection ID.
        cid: &'a [u8],
        /// The address it came from.
        from: SocketAddr,
        /// The whole datagram.
        bytes: &'a [u8],
    },
}

/// What is still to be taken. Bytes lie end to end in one buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) items: VecDeque<Item>,
    pub(super) bytes: Vec<u8>,
    /// The identity of the last [`Item::Connected`] taken, lent with it.
    identity: Identity,
}

#[derive(Debug)]
pub(super) enum Item {
    Transmit {
        to: SocketAddr,
        bytes: Range<usize>,
    },
    Connected {
        session: SessionId,
        from: SocketAddr,
        identity: Box<Identity>,
        tag: u64,
        resumed: bool,
    },
    Data {
        session: SessionId,
        bytes: Range<usize>,
    },
    Moved {
        session: SessionId,
        from: SocketAddr,
        to: SocketAddr,
    },
    Unproven {
        session: SessionId,
        from: SocketAddr,
        sequence: u64,
        bytes: Range<usize>,
    },
    Reserve {
        session: SessionId,
    },
    Closed {
        session: SessionId,
        from: SocketAddr,
        reason: Reason,
    },
    Foreign {
        cid: Range<usize>,
        from: SocketAddr,
        bytes: Range<usize>,
    },
}

impl Queue {
    /// A datagram was written behind `start`.
    pub(super) fn transmit_from(&mut self, to: SocketAddr, start: usize) {
        let bytes = start..self.bytes.len();
        self.items.push_back(Item::Transmit { to, bytes });
    }

    pub(super) fn foreign(&mut self, from: SocketAddr, cid: &[u8], datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let bytes = start..self.bytes.len();
        // Behind type, version, epoch and sequence number.
        let cid = start + 11..start + 11 + cid.len();
        self.items.push_back(Item::Foreign { cid, from, bytes });
    }

    pub(super) fn transmit(&mut self, to: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.transmit_from(to, start);
    }

    fn pop(&mut self) -> Option<ServerOutput<'_>> {
        Some(match self.items.pop_front()? {
            Item::Transmit { to, bytes } => ServerOutput::Transmit {
                to,
                bytes: &self.bytes[bytes],
            },
            Item::Connected {
                session,
                from,
                identity,
                tag,
                resumed,
            } => {
                self.identity = *identity;
                ServerOutput::Connected {
                    session,
                    from,
                    identity: &self.identity,
                    tag,
                    resumed,
                }
            }
            Item::Data { session, bytes } => ServerOutput::Data {
                session,
                bytes: &self.bytes[bytes],
            },
            Item::Moved { session, from, to } => ServerOutput::Moved { session, from, to },
            Item::Unproven {
                session,
                from,
                sequence,
                bytes,
            } => ServerOutput::Unproven {
                session,
                from,
                sequence,
                bytes: &self.bytes[bytes],
            },
            Item::Reserve { session } => ServerOutput::Reserve { session },
            Item::Closed {
                session,
                from,
                reason,
            } => ServerOutput::Closed {
                session,
                from,
                reason,
            },
            Item::Foreign { cid, from, bytes } => ServerOutput::Foreign {
                cid: &self.bytes[cid],
                from,
                bytes: &self.bytes[bytes],
            },
        })
    }
}

/// Lends the outputs of [`Server::handle`](crate::Server::handle), one after the other.
#[must_use = "take every output: datagrams and data are lost otherwise until the next call"]
#[derive(Debug)]
pub struct ServerOutputs<'s> {
    queue: &'s mut Queue,
}

/// Bytes that the buffer keeps for the next round.
const KEEP: usize = 64 * 1024;

impl<'s> ServerOutputs<'s> {
    pub(super) fn new(queue: &'s mut Queue) -> Self {
        Self { queue }
    }

    /// The next output. It borrows from the server until the one after it is taken.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend from itself"
    )]
    pub fn next(&mut self) -> Option<ServerOutput<'_>> {
        self.queue.pop()
    }
}

impl Drop for ServerOutputs<'_> {
    fn drop(&mut self) {
        if self.queue.items.is_empty() {
            self.queue.bytes.clear();
            self.queue.bytes.shrink_to(KEEP);
            self.queue.identity = Identity::None;
        }
    }
}
