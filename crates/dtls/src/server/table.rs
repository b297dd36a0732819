//! The places of a server's sessions and handshakes, and how they are found.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};
use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::handshake::Handshake;
use super::session::Session;
use crate::SessionId;

/// One place.
#[derive(Debug)]
pub(super) enum Slot {
    Free,
    Handshake(Box<Handshake>),
    Session(Session),
}

impl Slot {
    const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Free => None,
            Self::Handshake(handshake) => Some(handshake.address),
            Self::Session(session) => Some(session.address),
        }
    }
}

/// Places by address: for each address one at most.
#[derive(Debug)]
struct Index {
    places: HashTable<u32>,
    hasher: FixedState,
}

impl Index {
    fn new(rng: &mut dyn Rng) -> Self {
        Self {
            places: HashTable::new(),
            hasher: FixedState::with_seed(rng.next_u64()),
        }
    }

    fn find(&self, slots: &[Slot], address: SocketAddr) -> Option<u32> {
        let hash = self.hasher.hash_one(Some(address));
        let is_at = |&slot: &u32| slots[slot as usize].address() == Some(address);
        self.places.find(hash, is_at).copied()
    }

    /// `slots` already holds the place under this address.
    fn insert(&mut self, slots: &[Slot], address: SocketAddr, slot: u32) {
        let hash = self.hasher.hash_one(Some(address));
        let is_at = |&slot: &u32| slots[slot as usize].address() == Some(address);
        if let Some(found) = self.places.find_mut(hash, is_at) {
            *found = slot;
            return;
        }
        self.places.insert_unique(hash, slot, |&slot| {
            self.hasher.hash_one(slots[slot as usize].address())
        });
    }

    fn remove(&mut self, address: SocketAddr, slot: u32) {
        let hash = self.hasher.hash_one(Some(address));
        if let Ok(entry) = self.places.find_entry(hash, |&it| it == slot) {
            entry.remove();
        }
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    bound: usize,
    sessions: usize,
    sessions_by_address: Index,
    handshakes_by_address: Index,
    /// Handshakes, oldest first.
    order: BTreeSet<(u64, u32)>,
    /// When which handshake's flight is due.
    timers: BTreeSet<(Instant, u32)>,
}

impl Table {
    pub(super) fn new(bound: usize, rng: &mut dyn Rng) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            bound,
            sessions: 0,
            sessions_by_address: Index::new(rng),
            handshakes_by_address: Index::new(rng),
            order: BTreeSet::new(),
            timers: BTreeSet::new(),
        }
    }

    pub(super) const fn sessions(&self) -> usize {
        self.sessions
    }

    pub(super) fn handshakes(&self) -> usize {
        self.order.len()
    }

    /// The oldest handshake.
    pub(super) fn oldest_handshake(&self) -> Option<u32> {
        self.order.first().map(|&(_, slot)| slot)
    }

    /// The place that a handshake would take; `None` when all are taken.
    pub(super) fn next_free(&self) -> Option<u32> {
        self.free.last().copied().or_else(|| {
            let next = self.slots.len();
            (next < self.bound).then_some(next as u32)
        })
    }

    pub(super) fn insert_handshake(&mut self, slot: u32, handshake: Box<Handshake>) {
        let address = handshake.address;
        self.order.insert((handshake.number, slot));
        self.take(slot, Slot::Handshake(handshake));
        self.handshakes_by_address
            .insert(&self.slots, address, slot);
    }

    /// Puts a session into a place that is free. False when it is not.
    pub(super) fn insert_session(&mut self, slot: u32, session: Session) -> bool {
        let index = slot as usize;
        let is_free = match self.slots.get(index) {
            Some(slot) => matches!(slot, Slot::Free),
            None => index < self.bound,
        };
        if !is_free {
            return false;
        }
        let address = session.address;
        self.sessions += 1;
        self.take(slot, Slot::Session(session));
        self.sessions_by_address.insert(&self.slots, address, slot);
        true
    }

    fn take(&mut self, slot: u32, content: Slot) {
        let index = slot as usize;
        if self.free.last() == Some(&slot) {
            self.free.pop();
        } else if index < self.slots.len() {
            self.free.retain(|it| *it != slot);
        }
        while self.slots.len() <= index {
            let next = self.slots.len() as u32;
            if next != slot {
                self.free.push(next);
            }
            self.slots.push(Slot::Free);
        }
        self.slots[index] = content;
    }

    /// Empties a place.
    pub(super) fn remove(&mut self, slot: u32) -> Slot {
        let Some(place) = self.slots.get_mut(slot as usize) else {
            return Slot::Free;
        };
        let content = core::mem::replace(place, Slot::Free);
        match &content {
            Slot::Free => return content,
            Slot::Handshake(handshake) => {
                self.order.remove(&(handshake.number, slot));
                if let Some(due) = handshake.channel.timer.due {
                    self.timers.remove(&(due, slot));
                }
                self.handshakes_by_address.remove(handshake.address, slot);
            }
            Slot::Session(session) => {
                self.sessions -= 1;
                self.sessions_by_address.remove(session.address, slot);
            }
        }
        self.free.push(slot);
        content
    }

    pub(super) fn get(&self, slot: u32) -> &Slot {
        self.slots.get(slot as usize).unwrap_or(&Slot::Free)
    }

    pub(super) fn handshake(&mut self, slot: u32) -> Option<&mut Handshake> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Handshake(handshake)) => Some(handshake),
            _ => None,
        }
    }

    pub(super) fn session_at(&mut self, slot: u32) -> Option<&mut Session> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Session(session)) => Some(session),
            _ => None,
        }
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        match self.slots.get(id.slot() as usize) {
            Some(Slot::Session(session)) if session.random == id.random() => Some(session),
            _ => None,
        }
    }

    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.session_at(id.slot())
            .filter(|session| session.random == id.random())
    }

    pub(super) fn handshake_of(&self, address: SocketAddr) -> Option<u32> {
        self.handshakes_by_address.find(&self.slots, address)
    }

    pub(super) fn session_of(&self, address: SocketAddr) -> Option<u32> {
        self.sessions_by_address.find(&self.slots, address)
    }

    /// The session's peer sends from another address now.
    pub(super) fn move_session(&mut self, slot: u32, to: SocketAddr) {
        let Some(session) = self.session_at(slot) else {
            return;
        };
        let from = core::mem::replace(&mut session.address, to);
        self.sessions_by_address.remove(from, slot);
        self.sessions_by_address.insert(&self.slots, to, slot);
    }

    /// A handshake's timer changed from `before` to what it says now.
    pub(super) fn reschedule(&mut self, slot: u32, before: Option<Instant>) {
        if let Some(before) = before {
            self.timers.remove(&(before, slot));
        }
        if let Some(Slot::Handshake(handshake)) = self.slots.get(slot as usize)
            && let Some(due) = handshake.channel.timer.due
        {
            self.timers.insert((due, slot));
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// The handshake whose timer is due.
    pub(super) fn due(&self, now: Instant) -> Option<u32> {
        let &(due, slot) = self.timers.first()?;
        (due <= now).then_some(slot)
    }

    /// The places with sessions.
    pub(super) fn all_sessions(&self) -> impl Iterator<Item = (u32, &Session)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, content)| match content {
                Slot::Session(session) => Some((slot as u32, session)),
                _ => None,
            })
    }

    /// The places with handshakes.
    pub(super) fn all_handshakes(&self) -> impl Iterator<Item = u32> {
        self.order.iter().map(|&(_, slot)| slot)
    }

    /// Of some sessions the one that has been idle for longest.
    pub(super) fn idle_session(&self, rng: &mut dyn Rng) -> Option<u32> {
        /// How many are looked at.
        const SAMPLE: usize = 16;
        let start = rng.next_u64() as usize % self.slots.len().max(1);
        let (before, after) = self.slots.split_at(start);
        after
            .iter()
            .chain(before)
            .enumerate()
            .filter_map(|(offset, content)| match content {
                Slot::Session(session) => {
                    let slot = (start + offset) % self.slots.len();
                    Some((session.last, slot as u32))
                }
                _ => None,
            })
            .take(SAMPLE)
            .min()
            .map(|(_, slot)| slot)
    }
}
