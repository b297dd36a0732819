//! What names an association, who is at its other end, and why it ended.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::Alert;

/// Names an association inside one [`Server`](crate::Server).
///
/// It holds the place in the server's table and 32 random bits, so an old name does not fit what
/// took the place later, also after a restart. It goes along with export and import.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    pub(crate) const fn new(slot: u32, random: u32) -> Self {
        Self((slot as u64) << 32 | random as u64)
    }

    /// The name as a number, to be stored.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The name out of [`to_bits`](Self::to_bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) const fn random(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:x}:{:08x})", self.slot(), self.random())
    }
}

/// Who the peer proved to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Identity {
    /// Nobody: the peer did not have to say.
    #[default]
    None,
    /// The owner of the pre-shared key with this identity; any bytes.
    Psk(Box<[u8]>),
    /// The owner of the private key to this SubjectPublicKeyInfo (DER).
    RawPublicKey(Box<[u8]>),
    /// The subject of the first certificate of this chain (DER, leaf first).
    Certificate(Vec<Box<[u8]>>),
}

/// Why an association, or a handshake, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The peer closed it.
    CloseNotify,
    /// We closed it because we were told to.
    Closed,
    /// The peer gave it up with a fatal alert.
    AlertReceived(Alert),
    /// We gave it up and told the peer so.
    AlertSent(Alert),
    /// The peer did not answer for as long as the handshake may take.
    TimedOut,
    /// A bound of ours was reached.
    Limit(Limit),
    /// The same peer has a newer association.
    Replaced,
    /// Its credential was taken back by [`forget`](crate::Server::forget).
    Forgotten,
}

/// A bound at which an association is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Too many handshakes are under way; the oldest went.
    HalfOpen,
    /// Too many associations; one that was idle for long went.
    Sessions,
    /// More records failed to authenticate than the tag's length allows.
    FailedDecryptions,
    /// All sequence numbers are used up.
    SequenceNumbers,
}
