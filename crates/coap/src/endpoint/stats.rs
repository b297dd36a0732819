//! What an endpoint counts.

/// Why a datagram was dropped without an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// Fewer than four bytes.
    TooShort,
    /// The version is not 1 (RFC 7252 §3).
    UnknownVersion,
    /// A format error in a message that is not a CON (RFC 7252 §4.2, §4.3).
    Malformed,
    /// A NON without content (RFC 7252 §4.3).
    EmptyNonConfirmable,
    /// A code of a reserved class in a message that is not a CON.
    ReservedCode,
    /// An acknowledgement with a request or a reserved code, or a reset that is not Empty.
    InvalidCode,
    /// An acknowledgement whose Message ID belongs to no open exchange.
    UnknownAcknowledgement,
    /// An acknowledgement with a response whose token is not that of the request.
    ForeignToken,
    /// A critical option that is unknown or illegal, in a NON or in an acknowledgement.
    UnacceptableOption,
    /// A repeated NON.
    DuplicateNonConfirmable,
    /// A repeated CON that is still being worked on; its answer will come.
    DuplicateInProgress,
    /// A repeated CON whose answer is no longer stored and which must not be done twice.
    DuplicateForgotten,
    /// The buffer lent for the answer is too small.
    OutputTooSmall,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::TooShort,
        Self::UnknownVersion,
        Self::Malformed,
        Self::EmptyNonConfirmable,
        Self::ReservedCode,
        Self::InvalidCode,
        Self::UnknownAcknowledgement,
        Self::ForeignToken,
        Self::UnacceptableOption,
        Self::DuplicateNonConfirmable,
        Self::DuplicateInProgress,
        Self::DuplicateForgotten,
        Self::OutputTooSmall,
    ];

    /// The reason in snake case, for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::UnknownVersion => "unknown_version",
            Self::Malformed => "malformed",
            Self::EmptyNonConfirmable => "empty_non_confirmable",
            Self::ReservedCode => "reserved_code",
            Self::InvalidCode => "invalid_code",
            Self::UnknownAcknowledgement => "unknown_acknowledgement",
            Self::ForeignToken => "foreign_token",
            Self::UnacceptableOption => "unacceptable_option",
            Self::DuplicateNonConfirmable => "duplicate_non_confirmable",
            Self::DuplicateInProgress => "duplicate_in_progress",
            Self::DuplicateForgotten => "duplicate_forgotten",
            Self::OutputTooSmall => "output_too_small",
        }
    }
}

/// Counters of an endpoint since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams handed in.
    pub received: u64,
    /// Requests handed up.
    pub requests: u64,
    /// Responses handed up, matched or not.
    pub responses: u64,
    /// Messages answered with RST: pings, format errors, reserved codes, refused responses.
    pub resets_sent: u64,
    /// Of these, pings.
    pub pings: u64,
    /// Resets received.
    pub resets_received: u64,
    /// CON requests refused for a critical option (4.02, 5.05).
    pub refused: u64,
    /// Repeated messages answered as before.
    pub repeated: u64,
    /// Repeated idempotent requests handed up again because their answer was forgotten.
    pub processed_again: u64,
    /// Message IDs forgotten before their lifetime because the table was full.
    pub evicted: u64,
    /// Messages sent by exchanges, without repetitions.
    pub sent: u64,
    /// Repetitions sent.
    pub retransmitted: u64,
    /// Exchanges that failed for want of an acknowledgement or a response.
    pub failed: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Stats {
    /// Datagrams dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Datagrams dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}

/// The counters of two endpoints together.
impl core::ops::Add for Stats {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (sum, count) in self.dropped.iter_mut().zip(other.dropped) {
            *sum += count;
        }
        Self {
            received: self.received + other.received,
            requests: self.requests + other.requests,
            responses: self.responses + other.responses,
            resets_sent: self.resets_sent + other.resets_sent,
            pings: self.pings + other.pings,
            resets_received: self.resets_received + other.resets_received,
            refused: self.refused + other.refused,
            repeated: self.repeated + other.repeated,
            processed_again: self.processed_again + other.processed_again,
            evicted: self.evicted + other.evicted,
            sent: self.sent + other.sent,
            retransmitted: self.retransmitted + other.retransmitted,
            failed: self.failed + other.failed,
            dropped: self.dropped,
        }
    }
}
