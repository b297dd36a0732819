//! What is sent: requests, replies, confirmable messages, repetitions (RFC 7252 §4.2, §5.2).

use core::fmt;
use core::hash::Hash;
use core::time::Duration;

use super::exchange::{Kind, State};
use super::incoming::empty;
use super::seen::Answer;
use super::{Endpoint, ExchangeId, ReplyTo, Storage};
use crate::{
    Code, Instant, MessageWriter, Retransmission, RetransmissionStep, Rng, Token, Type, WriteError,
};

/// A request about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whether it is sent as CON rather than as NON.
    pub confirmable: bool,
    /// The method.
    pub code: Code,
    /// The token; when `None`, eight bytes that were not used before (32 of the bits are random,
    /// RFC 7252 §5.3.1, the others count, RFC 9175 §4.2).
    pub token: Option<Token>,
    /// How long to wait for the response from now on; EXCHANGE_LIFETIME when `None`.
    pub timeout: Option<Duration>,
}

impl Outgoing {
    /// A CON request with a fresh token.
    pub const fn confirmable(code: Code) -> Self {
        Self {
            confirmable: true,
            code,
            token: None,
            timeout: None,
        }
    }

    /// A NON request with a fresh token.
    pub const fn non_confirmable(code: Code) -> Self {
        Self {
            confirmable: false,
            ..Self::confirmable(code)
        }
    }

    /// With this token.
    #[must_use]
    pub const fn token(self, token: Token) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// With this timeout.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }
}

/// A message that has been prepared and stored; the caller transmits `bytes` now.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Sent<'e> {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The Message ID.
    pub message_id: u16,
    /// The token; of a response only when it has at most eight bytes, else empty.
    pub token: Token,
    /// The datagram.
    pub bytes: &'e [u8],
}

/// Why a message could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// All lent exchange slots are in use: try again when one has ended.
    NoFreeExchange,
    /// A request with this token is already open with the peer (RFC 7252 §5.3.1).
    TokenInUse,
    /// The message does not fit into a slot's share of the datagram memory, or was written wrong.
    Write(WriteError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreeExchange => {
                f.write_str("too many exchanges are open; try again when one has ended")
            }
            Self::TokenInUse => f.write_str("a request with this token is already open"),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

/// What [`Endpoint::handle_timeout`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'e, P> {
    /// Send these bytes (again).
    Transmit {
        /// To whom.
        peer: P,
        /// The datagram.
        bytes: &'e [u8],
    },
    /// An exchange has ended without success.
    ExchangeFailed {
        /// The exchange.
        exchange: ExchangeId,
        /// With whom.
        peer: P,
        /// Why.
        why: Failure,
    },
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No copy of the CON was acknowledged: the peer is not there.
    NoAcknowledgement,
    /// No response arrived within the time the caller gave.
    NoResponse,
}

impl<P: Copy + Eq + Hash, S: Storage<P>> Endpoint<P, S> {
    /// Prepares a request; `write` adds options and payload. The exchange ends with
    /// [`Incoming::Response`](super::Incoming::Response), a reset, a failure or
    /// [`Endpoint::cancel`].
    pub fn request(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        request: Outgoing,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<Sent<'_>, SendError> {
        let token = match request.token {
            None => self.next_token(rng),
            Some(token) => {
                let open = self.table();
                let in_use = open
                    .of_peer(peer)
                    .any(|(_, slot)| slot.kind == Kind::Request && slot.token == token);
                if in_use {
                    return Err(SendError::TokenInUse);
                }
                token
            }
        };
        let new = New {
            kind: Kind::Request,
            confirmable: request.confirmable,
            code: request.code,
            token: token.as_bytes(),
            give_up: now + request.timeout.unwrap_or(self.exchange_lifetime),
        };
        self.open(now, rng, peer, &new, write)
    }

    /// Prepares a CON that is answered by an acknowledgement only: a separate response or a
    /// notification. It ends with
    /// [`Incoming::Acknowledged`](super::Incoming::Acknowledged), a reset or a failure.
    pub fn send_confirmable(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        code: Code,
        token: &[u8],
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<Sent<'_>, SendError> {
        let new = New {
            kind: Kind::Response,
            confirmable: true,
            code,
            token,
            give_up: now + self.exchange_lifetime,
        };
        self.open(now, rng, peer, &new, write)
    }

    /// Prepares a CoAP ping (RFC 7252 §4.3). The pong is
    /// [`Incoming::Reset`](super::Incoming::Reset) with the exchange.
    pub fn ping(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
    ) -> Result<Sent<'_>, SendError> {
        let new = New {
            kind: Kind::Ping,
            confirmable: true,
            code: Code::EMPTY,
            token: &[],
            give_up: now + self.exchange_lifetime,
        };
        self.open(now, rng, peer, &new, |_| {})
    }

    /// Writes a NON response or notification into `out`; returns its Message ID, by which a reset
    /// can name it, and its length. Nothing is kept.
    pub fn send_non_confirmable(
        &mut self,
        peer: P,
        code: Code,
        token: &[u8],
        out: &mut [u8],
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<(u16, usize), WriteError> {
        let message_id = self.next_message_id(peer);
        let mut writer = MessageWriter::new(out, Type::NonConfirmable, code, message_id, token);
        write(&mut writer);
        let length = writer.finish()?;
        self.stats.sent += 1;
        Ok((message_id, length))
    }

    /// Writes the response to a request into `out` and returns its length: inside the
    /// acknowledgement when one is owed, else as NON (a separate CON response goes by
    /// [`Endpoint::send_confirmable`]). `token` is the request's. A repetition of the request
    /// gets the same bytes for as long as they are stored.
    pub fn reply(
        &mut self,
        to: &ReplyTo<P>,
        code: Code,
        token: &[u8],
        out: &mut [u8],
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<usize, WriteError> {
        if !to.owes_acknowledgement() {
            let sent = self.send_non_confirmable(to.peer, code, token, out, write);
            return sent.map(|(_, length)| length);
        }
        let mut writer = MessageWriter::new(out, Type::Acknowledgement, code, to.message_id, token);
        write(&mut writer);
        let length = writer.finish()?;
        let answer = self
            .ring
            .store(self.storage.parts().replies, &out[..length]);
        self.note(to.slot, to.peer, to.message_id, answer);
        self.stats.sent += 1;
        Ok(length)
    }

    /// Writes an Empty acknowledgement into `out` and returns its length, 0 when none is owed:
    /// the response will follow separately (RFC 7252 §5.2.2). To be sent before the requester
    /// repeats itself, within ACK_TIMEOUT.
    pub fn acknowledge(&mut self, to: &mut ReplyTo<P>, out: &mut [u8]) -> usize {
        if !to.owes_acknowledgement() {
            return 0;
        }
        to.acknowledged = true;
        self.note(to.slot, to.peer, to.message_id, Answer::Acknowledged);
        empty(out, Type::Acknowledgement, to.message_id)
    }

    /// The response of [`Incoming::Unmatched`](super::Incoming::Unmatched) is welcome: writes an
    /// Empty acknowledgement into `out` when it is a CON; returns its length.
    pub fn accept(&mut self, to: &ReplyTo<P>, out: &mut [u8]) -> usize {
        self.acknowledge(&mut to.clone(), out)
    }

    /// The response of [`Incoming::Unmatched`](super::Incoming::Unmatched), or any other CON or
    /// NON, is not wanted: writes a reset into `out`, which ends an observation at the peer
    /// (RFC 7641 §3.6); returns its length.
    pub fn reject(&mut self, to: &ReplyTo<P>, out: &mut [u8]) -> usize {
        if to.confirmable {
            self.note(to.slot, to.peer, to.message_id, Answer::Rejected);
        }
        self.stats.resets_sent += 1;
        empty(out, Type::Reset, to.message_id)
    }

    /// Ends an exchange: no more repetitions, a response that still comes is unmatched. `false`
    /// when it had ended.
    pub fn cancel(&mut self, exchange: ExchangeId) -> bool {
        let mut table = self.table();
        let index = table.index_of(exchange);
        if let Some(index) = index {
            table.close(index);
        }
        index.is_some()
    }

    /// The peer of an open exchange is known to be somewhere else now, behind an address
    /// translator for example: repetitions go there, and an answer is expected from there. The
    /// Message ID stays, so that the peer recognizes a repetition of what it has done before.
    /// `false` when the exchange had ended.
    pub fn redirect(&mut self, exchange: ExchangeId, peer: P) -> bool {
        let mut table = self.table();
        let index = table.index_of(exchange);
        if let Some(index) = index {
            table.redirect(index, peer);
        }
        index.is_some()
    }

    /// Does one thing that fell due; to be called until it returns `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Action<'_, P>> {
        let (deadline, index) = self.exchanges.earliest(self.storage.exchanges())?;
        if deadline > now {
            return None;
        }
        let mut table = self.table();
        let slot = &mut table.slots[index as usize];
        let peer = slot.peer?;
        let why = if slot.state != State::AwaitAcknowledgement || slot.give_up <= now {
            Some(Failure::NoResponse)
        } else {
            match slot.retransmission.on_timeout(now) {
                RetransmissionStep::GiveUp => Some(Failure::NoAcknowledgement),
                RetransmissionStep::Retransmit | RetransmissionStep::Wait => None,
            }
        };
        if let Some(why) = why {
            let exchange = table.id(index);
            table.close(index);
            self.stats.failed += 1;
            return Some(Action::ExchangeFailed {
                exchange,
                peer,
                why,
            });
        }
        let deadline = slot.retransmission.deadline().min(slot.give_up);
        table.set_deadline(index, deadline);
        self.stats.retransmitted += 1;
        let bytes = self.datagram(index);
        Some(Action::Transmit { peer, bytes })
    }

    fn datagram(&self, index: u32) -> &[u8] {
        let length = self.storage.exchanges()[index as usize].length as usize;
        let start = self.chunk() * index as usize;
        &self.storage.datagrams()[start..start + length]
    }

    /// A token that no request of this endpoint had before.
    fn next_token(&mut self, rng: &mut dyn Rng) -> Token {
        self.token_counter = self.token_counter.wrapping_add(1);
        let [a, b, c, d] = self.token_counter.to_be_bytes();
        let [e, f, g, h] = rng.next_u32().to_be_bytes();
        Token::from([a, b, c, d, e, f, g, h])
    }

    fn open(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        new: &New<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<Sent<'_>, SendError> {
        let index = self
            .exchanges
            .next_free()
            .ok_or(SendError::NoFreeExchange)?;
        let message_id = self.next_message_id(peer);
        let chunk = self.chunk();
        let start = chunk * index as usize;
        let parts = self.storage.parts();
        let buffer = parts
            .datagrams
            .get_mut(start..start + chunk)
            .ok_or(SendError::Write(WriteError::BufferTooSmall))?;
        let ty = if new.confirmable {
            Type::Confirmable
        } else {
            Type::NonConfirmable
        };
        let mut writer = MessageWriter::new(buffer, ty, new.code, message_id, new.token);
        write(&mut writer);
        let length = writer.finish().map_err(SendError::Write)?;

        let token = Token::new(new.token).unwrap_or_default();
        let retransmission = Retransmission::start(&self.parameters, now, rng);
        let (state, deadline) = if new.confirmable {
            let deadline = retransmission.deadline().min(new.give_up);
            (State::AwaitAcknowledgement, deadline)
        } else {
            (State::AwaitResponse, new.give_up)
        };
        let mut table = self.table();
        table.open(peer, deadline, |slot| {
            slot.state = state;
            slot.confirmable = new.confirmable;
            slot.kind = new.kind;
            slot.message_id = message_id;
            slot.token = token;
            slot.length = length as u32;
            slot.retransmission = retransmission;
            slot.give_up = new.give_up;
        });
        let exchange = table.id(index);
        self.stats.sent += 1;
        Ok(Sent {
            exchange,
            message_id,
            token,
            bytes: self.datagram(index),
        })
    }
}

struct New<'t> {
    kind: Kind,
    confirmable: bool,
    code: Code,
    token: &'t [u8],
    give_up: Instant,
}
