//! What a client is told and what it says.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::Reason;

/// What a [`Client`](crate::Client) is told.
#[derive(Clone, Copy, Debug)]
pub enum ClientInput<'a> {
    /// A datagram from the server.
    Datagram(&'a [u8]),
    /// Application data to send. Dropped while not connected.
    Send(&'a [u8]),
    /// The time of [`next_timeout`](crate::Client::next_timeout) has come.
    Timer,
    /// Close the association (close_notify).
    Close,
}

/// What a [`Client`](crate::Client) says.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientOutput<'a> {
    /// Send this datagram to the server.
    Transmit(&'a [u8]),
    /// The handshake is complete.
    Connected {
        /// Whether it was the short one.
        resumed: bool,
    },
    /// Application data of the server.
    Data(&'a [u8]),
    /// The handshake failed or the association ended.
    Closed(Reason),
}

/// What is still to be taken. Bytes lie end to end in one buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) items: VecDeque<Item>,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Item {
    Transmit(Range<usize>),
    Connected { resumed: bool },
    Data(Range<usize>),
    Closed(Reason),
}

impl Queue {
    /// A datagram was written behind `start`.
    pub(super) fn transmit_from(&mut self, start: usize) {
        self.items
            .push_back(Item::Transmit(start..self.bytes.len()));
    }

    pub(super) fn transmit(&mut self, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.transmit_from(start);
    }

    fn pop(&mut self) -> Option<ClientOutput<'_>> {
        Some(match self.items.pop_front()? {
            Item::Transmit(range) => ClientOutput::Transmit(&self.bytes[range]),
            Item::Connected { resumed } => ClientOutput::Connected { resumed },
            Item::Data(range) => ClientOutput::Data(&self.bytes[range]),
            Item::Closed(reason) => ClientOutput::Closed(reason),
        })
    }
}

/// Lends the outputs of [`Client::handle`](crate::Client::handle), one after the other.
#[must_use = "take every output: datagrams and data are lost otherwise until the next call"]
#[derive(Debug)]
pub struct ClientOutputs<'c> {
    queue: &'c mut Queue,
}

impl<'c> ClientOutputs<'c> {
    pub(super) fn new(queue: &'c mut Queue) -> Self {
        Self { queue }
    }

    /// The next output. It borrows from the client until the one after it is taken.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend from itself"
    )]
    pub fn next(&mut self) -> Option<ClientOutput<'_>> {
        self.queue.pop()
    }
}

impl Drop for ClientOutputs<'_> {
    fn drop(&mut self) {
        if self.queue.items.is_empty() {
            self.queue.bytes.clear();
        }
    }
}
