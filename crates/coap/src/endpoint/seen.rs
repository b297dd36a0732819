//! Remembers the Message IDs of peers, and the answers given (RFC 7252 §4.5).
//!
//! A set-associative table: a peer hashes to one set of eight slots (a small table is one set),
//! so that looking up costs the same in a table of ten and of ten million. A full set forgets:
//! first what has expired, then the oldest answered message, of the peer that crowds the set if
//! there is one, so that a flood from one peer pushes out its own past and not that of others.
//! Answers lie in a ring of bytes; a new answer overwrites the oldest.

use core::hash::Hash;

use super::hash::Key;
use crate::Instant;

const WAYS: usize = 8;
/// Up to this many slots are searched as one set.
const SMALL: usize = 32;

/// What is known about a message of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// None yet.
    InProgress,
    /// An Empty ACK, which can be made again.
    Acknowledged,
    /// A reset, which can be made again.
    Rejected,
    /// These bytes of the ring; see [`Ring`] for the position.
    Stored { position: u32, length: u16 },
    /// An answer that the ring had no room for.
    NotStored,
    /// A NON: never answered again.
    NonConfirmable,
}

/// Room for the memory of one message of a peer, lent to an [`Endpoint`](crate::Endpoint): twelve
/// bytes and an optional peer. A large server has millions.
#[derive(Clone, Copy, Debug)]
pub struct SeenSlot<P> {
    peer: Option<P>,
    expires: Tick,
    /// Of a stored answer; else what [`SeenSlot::answer`] makes of it.
    position: u32,
    /// Of a stored answer, which is not empty; else 0.
    length: u16,
    message_id: u16,
}

/// Time in steps of 2^16 microseconds, which wraps after 8.9 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tick(u32);

impl Tick {
    /// The first step that has not begun at `instant`.
    fn after(instant: Instant) -> Self {
        Self((instant.as_micros() >> 16) as u32).later(1)
    }

    fn later(self, steps: u32) -> Self {
        Self(self.0.wrapping_add(steps))
    }

    /// Steps from `now` on; not positive when it has passed.
    fn left(self, now: Instant) -> i32 {
        self.0.wrapping_sub((now.as_micros() >> 16) as u32) as i32
    }
}

impl<P> SeenSlot<P> {
    /// An empty slot.
    pub const EMPTY: Self = Self {
        peer: None,
        expires: Tick(0),
        position: 0,
        length: 0,
        message_id: 0,
    };

    fn answer(&self) -> Answer {
        match (self.length, self.position) {
            (0, 0) => Answer::InProgress,
            (0, 1) => Answer::Acknowledged,
            (0, 2) => Answer::Rejected,
            (0, 3) => Answer::NonConfirmable,
            (0, _) => Answer::NotStored,
            (length, position) => Answer::Stored { position, length },
        }
    }

    fn set_answer(&mut self, answer: Answer) {
        (self.length, self.position) = match answer {
            Answer::InProgress => (0, 0),
            Answer::Acknowledged => (0, 1),
            Answer::Rejected => (0, 2),
            Answer::NonConfirmable => (0, 3),
            Answer::NotStored => (0, 4),
            Answer::Stored { position, length } => (length, position),
        };
    }
}

impl<P> Default for SeenSlot<P> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The outcome of asking whether a message was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is new, and remembered from now on.
    New { slot: u32, evicted: bool },
    /// It is a repetition.
    Before { slot: u32, answer: Answer },
}

/// A table without room: every message is new.
pub(super) const NO_SLOT: u32 = u32::MAX;

fn set<P: Hash>(length: usize, key: Key, peer: &P) -> core::ops::Range<usize> {
    if length <= SMALL {
        return 0..length;
    }
    let start = key.bucket(peer, length / WAYS) * WAYS;
    start..start + WAYS
}

/// Looks a message up, and remembers it until `expires` when it is new.
pub(super) fn look_up<P: Copy + Eq + Hash>(
    slots: &mut [SeenSlot<P>],
    key: Key,
    now: Instant,
    expires: Instant,
    peer: P,
    message_id: u16,
    answer: Answer,
) -> Seen {
    let set = set(slots.len(), key, &peer);
    let first = set.start;
    let Some(ways) = slots.get_mut(set) else {
        return new(NO_SLOT, false);
    };
    let mut own = 0;
    let mut free = None;
    for (index, slot) in ways.iter().enumerate() {
        if slot.peer.is_none() || slot.expires.left(now) <= 0 {
            free = Some(index);
        } else if slot.peer == Some(peer) {
            if slot.message_id == message_id {
                return Seen::Before {
                    slot: (first + index) as u32,
                    answer: slot.answer(),
                };
            }
            own += 1;
        }
    }
    let crowding = 2 * own >= ways.len();
    let victim = free.or_else(|| {
        // An answer still owed is kept while anything else can go.
        ways.iter()
            .enumerate()
            .min_by_key(|(_, slot)| {
                (
                    crowding && slot.peer != Some(peer),
                    slot.answer() == Answer::InProgress,
                    slot.expires.left(now),
                )
            })
            .map(|(index, _)| index)
    });
    let Some(slot) = victim.and_then(|index| ways.get_mut(index)) else {
        return new(NO_SLOT, false);
    };
    *slot = SeenSlot {
        peer: Some(peer),
        expires: Tick::after(expires),
        message_id,
        ..SeenSlot::EMPTY
    };
    slot.set_answer(answer);
    let index = first + victim.unwrap_or_default();
    new(index as u32, free.is_none())
}

fn new(slot: u32, evicted: bool) -> Seen {
    Seen::New { slot, evicted }
}

/// Notes the answer given, if the message is still remembered in `slot`.
pub(super) fn answered<P: Copy + Eq>(
    slots: &mut [SeenSlot<P>],
    slot: u32,
    peer: P,
    message_id: u16,
    answer: Answer,
) {
    if let Some(slot) = slots.get_mut(slot as usize)
        && slot.peer == Some(peer)
        && slot.message_id == message_id
    {
        slot.set_answer(answer);
    }
}

/// Forgets everything about a peer.
pub(super) fn forget<P: Copy + Eq + Hash>(slots: &mut [SeenSlot<P>], key: Key, peer: P) {
    let set = set(slots.len(), key, &peer);
    for slot in slots.get_mut(set).into_iter().flatten() {
        if slot.peer == Some(peer) {
            *slot = SeenSlot::EMPTY;
        }
    }
}

/// The write position of the ring of answers.
///
/// Positions count units of eight bytes ever passed, the skipped ones at the end of a round
/// included, so that a stored position tells by itself whether it has been overwritten. They wrap
/// after 32 GiB, more than any server answers within the lifetime of a Message ID.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ring {
    head: u64,
}

const UNIT: usize = 8;

impl Ring {
    /// Stores an answer; one that is larger than the ring or than 65 535 bytes is not stored.
    pub(super) fn store(&mut self, bytes: &mut [u8], answer: &[u8]) -> Answer {
        let capacity = (bytes.len() / UNIT) as u64;
        let units = answer.len().div_ceil(UNIT) as u64;
        let Ok(length @ 1..) = u16::try_from(answer.len()) else {
            return Answer::NotStored;
        };
        if units > capacity {
            return Answer::NotStored;
        }
        let mut offset = self.head % capacity;
        if offset + units > capacity {
            self.head += capacity - offset;
            offset = 0;
        }
        let start = offset as usize * UNIT;
        let Some(space) = bytes.get_mut(start..start + answer.len()) else {
            return Answer::NotStored;
        };
        space.copy_from_slice(answer);
        let position = self.head as u32;
        self.head += units;
        Answer::Stored { position, length }
    }

    /// A stored answer, unless it has been overwritten.
    pub(super) fn load<'b>(&self, bytes: &'b [u8], position: u32, length: u16) -> Option<&'b [u8]> {
        let capacity = (bytes.len() / UNIT) as u64;
        let age = u64::from((self.head as u32).wrapping_sub(position));
        if capacity == 0 || age > capacity {
            return None;
        }
        let start = ((self.head - age) % capacity) as usize * UNIT;
        bytes.get(start..start + usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key(7);

    fn see(slots: &mut [SeenSlot<u32>], now: u64, peer: u32, message_id: u16) -> Seen {
        let now = Instant::from_secs(now);
        let expires = now + core::time::Duration::from_secs(247);
        look_up(
            slots,
            KEY,
            now,
            expires,
            peer,
            message_id,
            Answer::NonConfirmable,
        )
    }

    fn is_new(seen: Seen) -> bool {
        matches!(seen, Seen::New { .. })
    }

    #[test]
    fn a_message_is_new_once_until_it_expires() {
        let mut slots = [SeenSlot::EMPTY; 4];
        assert!(is_new(see(&mut slots, 0, 1, 10)));
        assert!(!is_new(see(&mut slots, 246, 1, 10)));
        assert!(!is_new(see(&mut slots, 247, 1, 10)), "not early");
        assert!(is_new(see(&mut slots, 248, 1, 10)));
    }

    #[test]
    fn message_ids_of_two_peers_do_not_meet() {
        let mut slots = [SeenSlot::EMPTY; 4];
        assert!(is_new(see(&mut slots, 0, 1, 10)));
        assert!(is_new(see(&mut slots, 0, 2, 10)));
    }

    #[test]
    fn a_flood_from_one_peer_spares_the_others() {
        let mut slots = [SeenSlot::EMPTY; 16];
        for peer in 1..=4 {
            see(&mut slots, 0, peer, 1);
        }
        for message_id in 0..1000 {
            see(&mut slots, 1, 99, message_id);
        }
        for peer in 1..=4 {
            assert!(!is_new(see(&mut slots, 2, peer, 1)), "peer {peer}");
        }
    }

    #[test]
    fn a_large_table_finds_what_it_keeps() {
        let mut slots = [SeenSlot::EMPTY; 4096];
        for peer in 0..1000 {
            assert!(is_new(see(&mut slots, 0, peer, 5)));
        }
        let found = (0..1000)
            .filter(|peer| !is_new(see(&mut slots, 1, *peer, 5)))
            .count();
        assert!(found > 990, "{found}");
    }

    #[test]
    fn without_room_everything_is_new() {
        let mut slots: [SeenSlot<u32>; 0] = [];
        assert!(is_new(see(&mut slots, 0, 1, 1)));
        assert!(is_new(see(&mut slots, 0, 1, 1)));
    }

    #[test]
    fn every_answer_is_kept_as_it_is() {
        let mut slot = SeenSlot::<u8>::EMPTY;
        for answer in [
            Answer::InProgress,
            Answer::Acknowledged,
            Answer::Rejected,
            Answer::NonConfirmable,
            Answer::NotStored,
            Answer::Stored {
                position: 0,
                length: 1,
            },
            Answer::Stored {
                position: u32::MAX,
                length: u16::MAX,
            },
        ] {
            slot.set_answer(answer);
            assert_eq!(slot.answer(), answer);
        }
        assert_eq!(size_of::<SeenSlot<u32>>(), 20);
    }

    #[test]
    fn the_ring_forgets_exactly_what_it_overwrites() {
        let mut bytes = [0; 40];
        let mut ring = Ring::default();
        let load = |ring: &Ring, bytes: &[u8], answer| match answer {
            Answer::Stored { position, length } => ring
                .load(bytes, position, length)
                .map(|bytes| (bytes[0], bytes.len())),
            _ => None,
        };
        let a = ring.store(&mut bytes, &[1; 16]);
        let b = ring.store(&mut bytes, &[2; 13]);
        assert_eq!(load(&ring, &bytes, a), Some((1, 16)));
        // Does not fit behind b: starts at the front and overwrites a only.
        let c = ring.store(&mut bytes, &[3; 9]);
        assert_eq!(load(&ring, &bytes, a), None);
        assert_eq!(load(&ring, &bytes, b), Some((2, 13)));
        assert_eq!(load(&ring, &bytes, c), Some((3, 9)));
        assert_eq!(ring.store(&mut bytes, &[4; 41]), Answer::NotStored);
        assert_eq!(ring.store(&mut [0; 7], &[4]), Answer::NotStored);
    }
}
