//! The table of open exchanges: one array of slots that holds everything.
//!
//! A slot plays four parts, of which only the first belongs to the exchange in it:
//!
//! * an exchange, when it is in use;
//! * a bucket: the head of the chain of all exchanges whose peer hashes to the slot's number;
//! * a node of a binary heap of deadlines, so that the next one is known exactly;
//! * a counter of Message IDs for the peers of the bucket, so that a Message ID is used again
//!   towards a peer only after 65 536 others (RFC 7252 §4.4), without state for each peer.
//!
//! Finding an exchange costs the number of exchanges open with its peer (NSTART, so few), opening
//! and closing the logarithm of all.

use core::hash::Hash;

use super::hash::Key;
use crate::{Instant, Retransmission, Token};

pub(super) const NONE: u32 = u32::MAX;

/// What an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    /// A CON: its acknowledgement, or the response that overtakes it.
    AwaitAcknowledgement,
    /// A request: its response, after the Empty ACK, or because it is a NON.
    AwaitResponse,
}

/// What an exchange sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    /// A separate response, or a notification.
    Response,
    Ping,
}

/// Room for one open exchange, lent to an [`Endpoint`](crate::Endpoint).
#[derive(Clone, Copy, Debug)]
pub struct ExchangeSlot<P> {
    bucket: u32,
    message_id_counter: u16,
    heap: (Instant, u32),

    heap_position: u32,
    next: u32,
    generation: u32,
    pub(super) state: State,
    pub(super) kind: Kind,
    pub(super) confirmable: bool,
    pub(super) peer: Option<P>,
    pub(super) message_id: u16,
    pub(super) token: Token,
    pub(super) length: u32,
    pub(super) retransmission: Retransmission,
    pub(super) give_up: Instant,
}

impl<P> ExchangeSlot<P> {
    /// An empty slot.
    pub const EMPTY: Self = Self {
        bucket: NONE,
        message_id_counter: 0,
        heap: (Instant::ZERO, NONE),
        heap_position: NONE,
        next: NONE,
        generation: 0,
        state: State::Free,
        kind: Kind::Request,
        confirmable: false,
        peer: None,
        message_id: 0,
        token: Token::EMPTY,
        length: 0,
        retransmission: Retransmission::IDLE,
        give_up: Instant::ZERO,
    };
}

impl<P> Default for ExchangeSlot<P> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Names one exchange of one endpoint, for as long as the endpoint lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId {
    index: u32,
    generation: u32,
}

impl ExchangeId {
    /// The number of the exchange's slot, below the number of slots lent: a caller may keep what
    /// belongs to the exchange in an array of its own. The number is used again after the
    /// exchange has ended.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// What the table knows besides its slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    key: Key,
    free: u32,
    open: u32,
}

/// The table: head and slots together.
pub(super) struct Table<'s, P> {
    pub(super) head: &'s mut Head,
    pub(super) slots: &'s mut [ExchangeSlot<P>],
}

impl Head {
    pub(super) fn new<P>(
        key: Key,
        slots: &mut [ExchangeSlot<P>],
        mut random: impl FnMut() -> u16,
    ) -> Self {
        let count = slots.len().min(NONE as usize);
        for (index, slot) in slots.iter_mut().take(count).enumerate() {
            let next = index as u32 + 1;
            *slot = ExchangeSlot {
                message_id_counter: random(),
                next: if (next as usize) < count { next } else { NONE },
                ..ExchangeSlot::EMPTY
            };
        }
        Self {
            key,
            free: if count == 0 { NONE } else { 0 },
            open: 0,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open as usize
    }

    /// The slot that the next exchange will take.
    pub(super) fn next_free(&self) -> Option<u32> {
        (self.free != NONE).then_some(self.free)
    }

    /// The earliest deadline and its slot.
    pub(super) fn earliest<P>(&self, slots: &[ExchangeSlot<P>]) -> Option<(Instant, u32)> {
        if self.open == 0 {
            return None;
        }
        slots.first().map(|slot| slot.heap)
    }
}

impl<P: Copy + Eq + Hash> Table<'_, P> {
    pub(super) fn id(&self, index: u32) -> ExchangeId {
        ExchangeId {
            index,
            generation: self.slots[index as usize].generation,
        }
    }

    pub(super) fn index_of(&self, id: ExchangeId) -> Option<u32> {
        let slot = self.slots.get(id.index())?;
        (slot.state != State::Free && slot.generation == id.generation).then_some(id.index)
    }

    fn bucket(&self, peer: &P) -> usize {
        self.head.key.bucket(peer, self.slots.len())
    }

    /// A Message ID that was not used towards this peer for the last 65 535.
    pub(super) fn next_message_id(&mut self, peer: &P) -> u16 {
        if self.slots.is_empty() {
            return 0;
        }
        let bucket = self.bucket(peer);
        let counter = &mut self.slots[bucket].message_id_counter;
        *counter = counter.wrapping_add(1);
        *counter
    }

    /// The exchanges open with a peer.
    pub(super) fn of_peer(&self, peer: P) -> impl Iterator<Item = (u32, &ExchangeSlot<P>)> {
        let first = if self.slots.is_empty() {
            NONE
        } else {
            self.slots[self.bucket(&peer)].bucket
        };
        core::iter::successors(self.slot(first), |(_, slot)| self.slot(slot.next))
            .filter(move |(_, slot)| slot.peer == Some(peer))
    }

    fn slot(&self, index: u32) -> Option<(u32, &ExchangeSlot<P>)> {
        self.slots.get(index as usize).map(|slot| (index, slot))
    }

    /// Takes the slot that [`Head::next_free`] named; `fill` sets what the exchange is.
    pub(super) fn open(
        &mut self,
        peer: P,
        deadline: Instant,
        fill: impl FnOnce(&mut ExchangeSlot<P>),
    ) -> Option<u32> {
        let index = self.head.next_free()?;
        let bucket = self.bucket(&peer);
        let chain = core::mem::replace(&mut self.slots[bucket].bucket, index);
        let slot = &mut self.slots[index as usize];
        self.head.free = slot.next;
        slot.next = chain;
        slot.generation = slot.generation.wrapping_add(1);
        slot.peer = Some(peer);
        fill(slot);
        let position = self.head.open as usize;
        self.head.open += 1;
        self.place(position, (deadline, index));
        self.rise(position);
        Some(index)
    }

    /// Takes a slot in use out of the chain of its peer.
    fn unlink(&mut self, index: u32) -> bool {
        let Some(peer) = self.slots[index as usize].peer else {
            return false;
        };
        let next = self.slots[index as usize].next;
        let bucket = self.bucket(&peer);
        if self.slots[bucket].bucket == index {
            self.slots[bucket].bucket = next;
        } else {
            let mut node = self.slots[bucket].bucket;
            while node != NONE && self.slots[node as usize].next != index {
                node = self.slots[node as usize].next;
            }
            if node != NONE {
                self.slots[node as usize].next = next;
            }
        }
        true
    }

    /// Gives an open exchange another peer.
    pub(super) fn redirect(&mut self, index: u32, peer: P) {
        if self.unlink(index) {
            let bucket = self.bucket(&peer);
            let chain = core::mem::replace(&mut self.slots[bucket].bucket, index);
            let slot = &mut self.slots[index as usize];
            slot.next = chain;
            slot.peer = Some(peer);
        }
    }

    /// Frees a slot in use.
    pub(super) fn close(&mut self, index: u32) {
        if !self.unlink(index) {
            return;
        }
        self.head.open -= 1;
        let last = self.head.open as usize;
        let position = self.slots[index as usize].heap_position as usize;
        if position != last {
            self.place(position, self.slots[last].heap);
            self.settle(position);
        }
        let slot = &mut self.slots[index as usize];
        slot.state = State::Free;
        slot.peer = None;
        slot.heap_position = NONE;
        slot.next = self.head.free;
        self.head.free = index;
    }

    pub(super) fn set_deadline(&mut self, index: u32, deadline: Instant) {
        let position = self.slots[index as usize].heap_position as usize;
        self.place(position, (deadline, index));
        self.settle(position);
    }

    fn place(&mut self, position: usize, entry: (Instant, u32)) {
        self.slots[position].heap = entry;
        self.slots[entry.1 as usize].heap_position = position as u32;
    }

    fn settle(&mut self, position: usize) {
        let position = self.rise(position);
        self.sink(position);
    }

    fn rise(&mut self, mut position: usize) -> usize {
        let entry = self.slots[position].heap;
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.slots[parent].heap.0 <= entry.0 {
                break;
            }
            self.place(position, self.slots[parent].heap);
            position = parent;
        }
        self.place(position, entry);
        position
    }

    fn sink(&mut self, mut position: usize) {
        let entry = self.slots[position].heap;
        let count = self.head.open as usize;
        loop {
            let mut child = 2 * position + 1;
            if child >= count {
                break;
            }
            if child + 1 < count && self.slots[child + 1].heap.0 < self.slots[child].heap.0 {
                child += 1;
            }
            if entry.0 <= self.slots[child].heap.0 {
                break;
            }
            self.place(position, self.slots[child].heap);
            position = child;
        }
        self.place(position, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens, moves and closes at random, and compares with a plain list.
    #[test]
    fn deadlines_and_chains_agree_with_a_plain_list() {
        let mut slots = [ExchangeSlot::<u8>::EMPTY; 16];
        let mut head = Head::new(Key(3), &mut slots, || 0);
        let mut model: std::vec::Vec<(u32, u8, u64)> = std::vec::Vec::new();
        let mut random = 12345_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..20_000 {
            let mut table = Table {
                head: &mut head,
                slots: &mut slots,
            };
            match next(4) {
                0 => {
                    let (peer, deadline) = (next(5) as u8, next(1000));
                    let opened = table.open(peer, Instant::from_secs(deadline), |slot| {
                        slot.state = State::AwaitResponse;
                    });
                    assert_eq!(opened.is_none(), model.len() == 16);
                    if let Some(index) = opened {
                        model.push((index, peer, deadline));
                    }
                }
                1 if !model.is_empty() => {
                    let (index, ..) = model.swap_remove(next(model.len() as u64) as usize);
                    let id = table.id(index);
                    assert_eq!(table.index_of(id), Some(index));
                    table.close(index);
                    assert_eq!(table.index_of(id), None);
                }
                2 if !model.is_empty() => {
                    let at = next(model.len() as u64) as usize;
                    model[at].2 = next(1000);
                    table.set_deadline(model[at].0, Instant::from_secs(model[at].2));
                }
                3 if !model.is_empty() => {
                    let at = next(model.len() as u64) as usize;
                    model[at].1 = next(5) as u8;
                    table.redirect(model[at].0, model[at].1);
                }
                _ => {}
            }
            let earliest = table.head.earliest(table.slots).map(|entry| entry.0);
            let expected = model.iter().map(|entry| entry.2).min();
            assert_eq!(earliest, expected.map(Instant::from_secs));
            for peer in 0..5 {
                let count = model.iter().filter(|entry| entry.1 == peer).count();
                assert_eq!(table.of_peer(peer).count(), count);
            }
        }
    }

    #[test]
    fn a_message_id_comes_back_after_65536_others() {
        let mut slots = [ExchangeSlot::<u8>::EMPTY; 4];
        let mut head = Head::new(Key(3), &mut slots, || 0xFFFE);
        let mut table = Table {
            head: &mut head,
            slots: &mut slots,
        };
        assert_eq!(table.next_message_id(&1), 0xFFFF);
        assert_eq!(table.next_message_id(&1), 0);
        for _ in 0..65_535 {
            assert_ne!(table.next_message_id(&1), 0);
        }
        assert_eq!(table.next_message_id(&1), 0);
    }
}
