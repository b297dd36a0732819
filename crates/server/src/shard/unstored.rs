//! Sends that are not on disk yet. Every device waits for the same store, and a Send may be many
//! rows there: none may fill it while others wait for their 2.01.

use std::collections::{HashMap, VecDeque};

/// How many devices it takes to fill it.
const SHARES: usize = 16;

/// What waits, by sequence number.
#[derive(Debug, Default)]
pub(super) struct Unstored {
    waiting: VecDeque<(u64, u32, usize)>,
    /// Bytes by the slot of the registration.
    of: HashMap<u32, usize>,
    bytes: usize,
}

impl Unstored {
    /// Whether a device may add to what waits. What waits of it is looked at, not what comes: a
    /// single Send has its turn whatever its size.
    pub(super) fn has_room(&self, slot: u32, most: usize) -> bool {
        let own = self.of.get(&slot).copied().unwrap_or(0);
        own <= most / SHARES && self.bytes <= most
    }

    pub(super) fn push(&mut self, sequence: u64, slot: u32, bytes: usize) {
        self.waiting.push_back((sequence, slot, bytes));
        *self.of.entry(slot).or_default() += bytes;
        self.bytes += bytes;
    }

    /// Everything up to this number is on disk.
    pub(super) fn stored(&mut self, through: u64) {
        while let Some(&(sequence, slot, bytes)) = self.waiting.front() {
            if sequence > through {
                return;
            }
            self.waiting.pop_front();
            self.bytes -= bytes;
            if let Some(own) = self.of.get_mut(&slot) {
                *own -= bytes;
                if *own == 0 {
                    self.of.remove(&slot);
                }
            }
        }
    }
}
