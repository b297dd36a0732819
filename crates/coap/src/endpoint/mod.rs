//! The message layer: exchanges, retransmission, deduplication (RFC 7252 §4, §5.2, §5.3).
//!
//! [`Endpoint`] is one CoAP endpoint in all its roles. It needs no heap and never looks at more
//! than the datagram at hand:
//!
//! ```text
//! datagram -> Endpoint::handle -> reply (bytes that go back at once)
//!                              -> Incoming (what it means)
//! Endpoint::request, send_confirmable, ping -> bytes to transmit, repeated by handle_timeout
//! Endpoint::next_timeout, handle_timeout    -> repetitions, failures
//! ```

mod exchange;
mod hash;
mod incoming;
mod outgoing;
mod seen;
mod stats;
mod storage;
#[cfg(test)]
mod tests;

use core::hash::Hash;

pub use exchange::{ExchangeId, ExchangeSlot};
pub use incoming::{Answered, Handled, Incoming};
pub use outgoing::{Action, Failure, Outgoing, SendError, Sent};
pub use seen::SeenSlot;
pub use stats::{DropReason, Stats};
pub use storage::{FixedStorage, Parts, SliceStorage, Storage};

use crate::{Instant, Message, OptionNumber, Rng, TransmissionParameters, Type};

/// An endpoint without a heap, for a handful of peers.
///
/// `EXCHANGES` exchanges open at a time, `SEEN` messages of peers remembered, `CHUNK` bytes for
/// the longest datagram sent, `REPLIES` bytes of stored answers.
pub type FixedEndpoint<
    P,
    const EXCHANGES: usize,
    const SEEN: usize,
    const CHUNK: usize,
    const REPLIES: usize,
> = Endpoint<P, FixedStorage<P, EXCHANGES, SEEN, CHUNK, REPLIES>>;

/// A CoAP endpoint: the message layer and the matching of responses to requests.
///
/// `P` is what a peer endpoint is: an address, or a security session (a message from another
/// session never matches, RFC 7252 §9.1.1). `S` is lent memory.
///
/// ```
/// use dunlin_coap::*;
/// # struct Dice(u32);
/// # impl Rng for Dice {
/// #     fn next_u32(&mut self) -> u32 { self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1); self.0 }
/// # }
/// # let mut rng = Dice(1);
/// let parameters = TransmissionParameters::default();
/// let mut client: FixedEndpoint<u8, 4, 16, 1152, 512> = Endpoint::fixed(parameters, &mut rng);
/// let mut server: FixedEndpoint<u8, 4, 16, 1152, 512> = Endpoint::fixed(parameters, &mut rng);
/// let now = Instant::ZERO;
/// let mut out = [0; 1152];
///
/// let get = Outgoing::confirmable(Code::GET);
/// let sent = client.request(now, &mut rng, 1, get, |message| {
///     message.option(OptionNumber::URI_PATH, b"time");
/// }).unwrap();
///
/// let Incoming::Request { message, reply_to } = server.handle(now, 2, sent.bytes, &mut out).incoming
///     else { panic!() };
/// assert_eq!(message.code, Code::GET);
/// let length = server.reply(&reply_to, Code::CONTENT, message.token, &mut out, |message| {
///     message.payload(b"noon");
/// }).unwrap();
///
/// let answer = out;
/// let Incoming::Response { message, piggybacked, .. } =
///     client.handle(now, 1, &answer[..length], &mut out).incoming else { panic!() };
/// assert_eq!((message.payload, piggybacked), (&b"noon"[..], true));
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint<P, S> {
    storage: S,
    exchanges: exchange::Head,
    ring: seen::Ring,
    key: hash::Key,
    parameters: TransmissionParameters,
    exchange_lifetime: core::time::Duration,
    non_lifetime: core::time::Duration,
    token_counter: u32,
    understands: fn(OptionNumber) -> bool,
    repeatable: fn(&Message<'_>) -> bool,
    stats: Stats,
    peer: core::marker::PhantomData<P>,
}

/// How to answer a message: kept until the answer is known. It does not hold the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyTo<P> {
    peer: P,
    slot: u32,
    message_id: u16,
    confirmable: bool,
    acknowledged: bool,
}

impl<P: Copy> ReplyTo<P> {
    /// Who sent the message.
    pub const fn peer(&self) -> P {
        self.peer
    }

    /// The message's Message ID.
    pub const fn message_id(&self) -> u16 {
        self.message_id
    }

    /// Whether the message is a CON.
    pub const fn is_confirmable(&self) -> bool {
        self.confirmable
    }

    /// Whether an acknowledgement is still owed: the message is a CON and
    /// [`Endpoint::acknowledge`] was not called.
    pub const fn owes_acknowledgement(&self) -> bool {
        self.confirmable && !self.acknowledged
    }
}

/// The options that LwM2M endpoints act upon, of those that are critical.
///
/// A request with another critical option is refused (RFC 7252 §5.4.1).
pub fn understood_by_default(number: OptionNumber) -> bool {
    matches!(
        number,
        OptionNumber::URI_HOST
            | OptionNumber::URI_PORT
            | OptionNumber::URI_PATH
            | OptionNumber::URI_QUERY
            | OptionNumber::ACCEPT
            | OptionNumber::BLOCK1
            | OptionNumber::BLOCK2
    )
}

impl<P, const EXCHANGES: usize, const SEEN: usize, const CHUNK: usize, const REPLIES: usize>
    FixedEndpoint<P, EXCHANGES, SEEN, CHUNK, REPLIES>
where
    P: Copy + Eq + Hash,
{
    /// An endpoint with arrays of its own.
    pub fn fixed(parameters: TransmissionParameters, rng: &mut dyn Rng) -> Self {
        Self::new(FixedStorage::EMPTY, parameters, rng)
    }
}

impl<P: Copy + Eq + Hash, S: Storage<P>> Endpoint<P, S> {
    /// An endpoint with lent memory, which is cleared. Message IDs and tokens start at random
    /// (RFC 7252 §4.4).
    pub fn new(mut storage: S, parameters: TransmissionParameters, rng: &mut dyn Rng) -> Self {
        let key = hash::Key(rng.next_u64());
        let parts = storage.parts();
        let exchanges = exchange::Head::new(key, parts.exchanges, || rng.next_u32() as u16);
        for slot in parts.seen {
            *slot = SeenSlot::EMPTY;
        }
        Self {
            storage,
            exchanges,
            ring: seen::Ring::default(),
            key,
            parameters,
            exchange_lifetime: parameters.exchange_lifetime(),
            non_lifetime: parameters.non_lifetime(),
            token_counter: rng.next_u32(),
            understands: understood_by_default,
            repeatable: |message| message.code.is_idempotent(),
            stats: Stats::default(),
            peer: core::marker::PhantomData,
        }
    }

    /// Replaces [`understood_by_default`]: which critical options the caller acts upon.
    pub fn set_understood(&mut self, understands: fn(OptionNumber) -> bool) {
        self.understands = understands;
    }

    /// Replaces [`Code::is_idempotent`](crate::Code::is_idempotent): which requests may be processed again when a repetition
    /// comes after the stored answer was overwritten. Others stay unanswered then. A server some of
    /// whose POSTs may be done twice says so, and gives such clients an answer instead of silence.
    pub fn set_repeatable(&mut self, repeatable: fn(&Message<'_>) -> bool) {
        self.repeatable = repeatable;
    }

    /// The transmission parameters.
    pub fn parameters(&self) -> &TransmissionParameters {
        &self.parameters
    }

    /// What has been counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The number of open exchanges.
    pub fn open_exchanges(&self) -> usize {
        self.exchanges.open()
    }

    /// How many interactions with `peer` are outstanding: CONs without an acknowledgement and
    /// NON requests without a response (RFC 7252 §4.7).
    pub fn outstanding(&mut self, peer: P) -> usize {
        self.table()
            .of_peer(peer)
            .filter(|(_, slot)| {
                slot.state == exchange::State::AwaitAcknowledgement || !slot.confirmable
            })
            .count()
    }

    /// Whether NSTART forbids another interaction with `peer` now. The endpoint does not enforce
    /// it: the caller holds back what may wait.
    pub fn is_busy(&mut self, peer: P) -> bool {
        self.outstanding(peer) >= usize::from(self.parameters.nstart)
    }

    /// Forgets all about a peer whose security session has ended: open exchanges (each is handed
    /// to `cancelled`) and remembered Message IDs (which start anew with a new session).
    pub fn forget_peer(&mut self, peer: P, mut cancelled: impl FnMut(ExchangeId)) {
        let mut table = self.table();
        while let Some((index, _)) = { table.of_peer(peer).next() } {
            cancelled(table.id(index));
            table.close(index);
        }
        seen::forget(self.storage.parts().seen, self.key, peer);
    }

    /// The earliest moment at which [`Endpoint::handle_timeout`] has something to do. Exact.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.exchanges
            .earliest(self.storage.exchanges())
            .map(|(deadline, _)| deadline)
    }

    /// A Message ID for a NON that the caller writes by hand.
    pub fn next_message_id(&mut self, peer: P) -> u16 {
        self.table().next_message_id(&peer)
    }

    fn table(&mut self) -> exchange::Table<'_, P> {
        exchange::Table {
            head: &mut self.exchanges,
            slots: self.storage.parts().exchanges,
        }
    }

    fn chunk(&self) -> usize {
        let count = self.storage.exchanges().len().max(1);
        self.storage.datagrams().len() / count
    }

    fn lifetime(&self, ty: Type) -> core::time::Duration {
        if ty == Type::Confirmable {
            self.exchange_lifetime
        } else {
            self.non_lifetime
        }
    }
}
