//! What a server counts.

/// Why a datagram, or a record of it, was dropped without an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// No record of DTLS 1.2.
    Malformed,
    /// A record under a connection ID that no session has.
    UnknownConnectionId,
    /// A protected record from an address without association, or in another epoch.
    NoAssociation,
    /// A record that did not authenticate.
    NotAuthentic,
    /// A record that was seen before, or is too old to tell (RFC 6347 §4.1.2.6).
    Replayed,
    /// A message of a handshake that is not under way.
    NoHandshake,
    /// A ClientHello in fragments: without state it cannot be put together.
    FragmentedClientHello,
    /// A handshake would have begun above the allowed rate.
    HandshakeRate,
    /// A message of a handshake that came too early and had no room.
    TooEarly,
    /// Application data to send that had no session, or no sequence number left.
    NotSent,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::UnknownConnectionId,
        Self::NoAssociation,
        Self::NotAuthentic,
        Self::Replayed,
        Self::NoHandshake,
        Self::FragmentedClientHello,
        Self::HandshakeRate,
        Self::TooEarly,
        Self::NotSent,
    ];

    /// The reason in snake case, for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownConnectionId => "unknown_connection_id",
            Self::NoAssociation => "no_association",
            Self::NotAuthentic => "not_authentic",
            Self::Replayed => "replayed",
            Self::NoHandshake => "no_handshake",
            Self::FragmentedClientHello => "fragmented_client_hello",
            Self::HandshakeRate => "handshake_rate",
            Self::TooEarly => "too_early",
            Self::NotSent => "not_sent",
        }
    }
}

/// What a [`Server`](crate::Server) counted since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams handed in.
    pub received: u64,
    /// HelloVerifyRequests sent.
    pub cookies: u64,
    /// Handshakes begun: ClientHellos with a valid cookie.
    pub begun: u64,
    /// Full handshakes completed.
    pub completed: u64,
    /// Short handshakes completed.
    pub resumed: u64,
    /// Handshakes that failed, for whatever reason.
    pub failed: u64,
    /// Of these, because nothing came any more.
    pub timed_out: u64,
    /// Of these, to make room for newer ones.
    pub evicted: u64,
    /// Flights repeated.
    pub retransmitted: u64,
    /// Sessions whose peer moved to another address.
    pub moved: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// Datagrams and records dropped for this reason.
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    pub(crate) fn count(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}
