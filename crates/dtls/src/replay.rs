//! Which records were received already (RFC 6347 §4.1.2.6).

/// Sequence numbers of one epoch that were received: the newest and the 63 before it.
///
/// Nothing moves before a record is authenticated: first [`is_new`](Self::is_new), then decrypt,
/// then [`accept`](Self::accept).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    /// One more than the newest sequence number; 0 when there was none.
    end: u64,
    /// Bit n stands for sequence number `end - 1 - n`.
    bits: u64,
}

impl ReplayWindow {
    /// How far back a record may come late: 64, which RFC 6347 §4.1.2.6 prefers.
    pub const SIZE: u64 = 64;

    /// A window that has seen nothing.
    pub const fn new() -> Self {
        Self { end: 0, bits: 0 }
    }

    /// The window of which [`parts`](Self::parts) were stored; `None` when no window has them.
    pub const fn from_parts(end: u64, bits: u64) -> Option<Self> {
        // The newest has been seen, and nothing before the first number can have been.
        let possible = match end {
            0 => bits == 0,
            1..Self::SIZE => bits & 1 == 1 && bits >> end == 0,
            _ => bits & 1 == 1 && end <= 1 << 48,
        };
        if possible {
            Some(Self { end, bits })
        } else {
            None
        }
    }

    /// One more than the newest sequence number, and the bits from the newest on downwards.
    pub const fn parts(self) -> (u64, u64) {
        (self.end, self.bits)
    }

    /// A window that takes nothing below `end`, whatever was received.
    pub const fn all_below(end: u64) -> Self {
        Self {
            end,
            bits: match end {
                0 => 0,
                1..Self::SIZE => (1 << end) - 1,
                _ => u64::MAX,
            },
        }
    }

    /// Whether `sequence` was not received yet and is not too old to tell.
    pub const fn is_new(self, sequence: u64) -> bool {
        if sequence >= self.end {
            return true;
        }
        let back = self.end - 1 - sequence;
        back < Self::SIZE && self.bits >> back & 1 == 0
    }

    /// Whether `sequence` is newer than everything received: only such a record moves the peer's
    /// address (RFC 9146 §6).
    pub const fn is_newest(self, sequence: u64) -> bool {
        sequence >= self.end
    }

    /// Notes an authenticated record. Returns false, and changes nothing, when it is not new.
    pub const fn accept(&mut self, sequence: u64) -> bool {
        if !self.is_new(sequence) {
            return false;
        }
        if sequence >= self.end {
            let ahead = sequence - self.end + 1;
            self.bits = if ahead < Self::SIZE {
                self.bits << ahead
            } else {
                0
            } | 1;
            self.end = sequence + 1;
        } else {
            self.bits |= 1 << (self.end - 1 - sequence);
        }
        true
    }
}
