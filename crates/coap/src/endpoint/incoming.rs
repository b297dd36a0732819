//! What arrives: classification, deduplication, matching (RFC 7252 §4.2 to §4.5, §5.3.2).

use core::fmt::Write;
use core::hash::Hash;

use super::exchange::{Kind, State};
use super::seen::{self, Answer, Seen};
use super::{DropReason, Endpoint, ExchangeId, ReplyTo, Storage};
use crate::{Code, Instant, Message, MessageError, MessageWriter, OptionNumber, Token, Type};

/// The outcome of [`Endpoint::handle`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Handled<'a, P> {
    /// When not zero: the first so many bytes of `out` go back to the peer now, whatever
    /// `incoming` is.
    pub reply: usize,
    /// What the datagram means.
    pub incoming: Incoming<'a, P>,
}

/// What a datagram means.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a, P> {
    /// A request, seen for the first time, all of whose critical options are understood and
    /// legal. Its method may be unknown: answer 4.05 then.
    Request {
        /// The request.
        message: Message<'a>,
        /// For [`Endpoint::reply`], now or later.
        reply_to: ReplyTo<P>,
    },
    /// The response to an own request, whose exchange has ended with it.
    Response {
        /// The exchange.
        exchange: ExchangeId,
        /// The token of request and response.
        token: Token,
        /// The response.
        message: Message<'a>,
        /// Whether it came inside the acknowledgement.
        piggybacked: bool,
    },
    /// A response that belongs to no open exchange: a notification, or a mistake. The caller
    /// knows its observations and says [`Endpoint::accept`] or [`Endpoint::reject`].
    Unmatched {
        /// The response.
        message: Message<'a>,
        /// For [`Endpoint::accept`] or [`Endpoint::reject`].
        reply_to: ReplyTo<P>,
    },
    /// An Empty acknowledgement of an own CON.
    Acknowledged {
        /// The exchange.
        exchange: ExchangeId,
        /// Whether the exchange has ended: the CON was a response or a notification. An
        /// acknowledged request goes on waiting for its response.
        finished: bool,
    },
    /// A reset. The peer knows nothing of what was sent: the exchange, if there is one, has
    /// ended; a notification's observation is to be removed (RFC 7641 §3.6).
    Reset {
        /// The Message ID of what the peer rejects.
        message_id: u16,
        /// The exchange that sent it; `None` for NON notifications (and for resets out of the
        /// blue).
        exchange: Option<ExchangeId>,
    },
    /// The endpoint has answered by itself.
    Answered(Answered),
    /// Nothing is done about the datagram.
    Dropped(DropReason),
}

/// What the endpoint answered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A ping, with a reset.
    Ping,
    /// A CON with a format error, with a reset.
    Malformed,
    /// A CON with a code of a reserved class, with a reset.
    ReservedCode,
    /// A request with a critical option that is unknown or illegal, with 4.02 (5.05 for the proxy
    /// options).
    Refused(OptionNumber),
    /// A CON response with a critical option that is unknown or illegal, with a reset.
    Rejected(OptionNumber),
    /// A repeated message, with the same answer as before.
    Repeated,
}

impl<P: Copy + Eq + Hash, S: Storage<P>> Endpoint<P, S> {
    /// Takes a datagram. `out` is room for what has to go back at once; the size of the longest
    /// answer ever given (1152 bytes) is always enough.
    pub fn handle<'a>(
        &mut self,
        now: Instant,
        peer: P,
        datagram: &'a [u8],
        out: &mut [u8],
    ) -> Handled<'a, P> {
        self.stats.received += 1;
        let message = match Message::parse(datagram) {
            Ok(message) => message,
            Err(MessageError::TooShort) => return self.dropped(DropReason::TooShort),
            Err(MessageError::UnknownVersion) => return self.dropped(DropReason::UnknownVersion),
            Err(MessageError::Format {
                ty: Type::Confirmable,
                message_id,
            }) => return self.reset(message_id, Answered::Malformed, out),
            Err(MessageError::Format { .. }) => return self.dropped(DropReason::Malformed),
        };
        match message.ty {
            Type::Acknowledgement => self.acknowledgement(peer, message),
            Type::Reset => self.reset_received(peer, message),
            Type::Confirmable if message.code == Code::EMPTY => {
                self.stats.pings += 1;
                self.reset(message.message_id, Answered::Ping, out)
            }
            Type::Confirmable if message.code.is_reserved() => {
                self.reset(message.message_id, Answered::ReservedCode, out)
            }
            Type::NonConfirmable if message.code == Code::EMPTY => {
                self.dropped(DropReason::EmptyNonConfirmable)
            }
            Type::NonConfirmable if message.code.is_reserved() => {
                self.dropped(DropReason::ReservedCode)
            }
            Type::Confirmable | Type::NonConfirmable if message.code.is_request() => {
                self.request_received(now, peer, message, out)
            }
            Type::Confirmable | Type::NonConfirmable => {
                self.response_received(now, peer, message, out)
            }
        }
    }

    fn request_received<'a>(
        &mut self,
        now: Instant,
        peer: P,
        message: Message<'a>,
        out: &mut [u8],
    ) -> Handled<'a, P> {
        if let Some(number) = message.first_unacceptable_option(self.understands) {
            return self.refuse(&message, number, out);
        }
        let slot = match self.look_up(now, peer, &message, Answer::InProgress) {
            Seen::New { slot, .. } => slot,
            Seen::Before { slot, answer } => {
                match self.repeat(&message, answer, out) {
                    Some(handled) => return handled,
                    // The answer is gone. RFC 7252 §4.5 lets an idempotent request be processed
                    // again; another one must not be, and stays unanswered: an Empty ACK would
                    // promise a response that never comes, an error would be a lie.
                    None if (self.repeatable)(&message) => {
                        self.stats.processed_again += 1;
                        self.note(slot, peer, message.message_id, Answer::InProgress);
                        slot
                    }
                    None => return self.dropped(DropReason::DuplicateForgotten),
                }
            }
        };
        self.stats.requests += 1;
        let reply_to = reply_to(peer, slot, &message);
        without_reply(Incoming::Request { message, reply_to })
    }

    fn response_received<'a>(
        &mut self,
        now: Instant,
        peer: P,
        message: Message<'a>,
        out: &mut [u8],
    ) -> Handled<'a, P> {
        let confirmable = message.ty == Type::Confirmable;
        let slot = match self.look_up(now, peer, &message, Answer::InProgress) {
            Seen::New { slot, .. } => slot,
            Seen::Before { answer, .. } => {
                return self
                    .repeat(&message, answer, out)
                    .unwrap_or_else(|| self.dropped(DropReason::DuplicateForgotten));
            }
        };
        if let Some(number) = message.first_unacceptable_option(self.understands) {
            if confirmable {
                self.note(slot, peer, message.message_id, Answer::Rejected);
                return self.reset(message.message_id, Answered::Rejected(number), out);
            }
            return self.dropped(DropReason::UnacceptableOption);
        }
        self.stats.responses += 1;
        let mut table = self.table();
        let matching = table
            .of_peer(peer)
            .find(|(_, slot)| slot.kind == Kind::Request && slot.token.as_bytes() == message.token);
        let Some((index, token)) = matching.map(|(index, slot)| (index, slot.token)) else {
            let reply_to = reply_to(peer, slot, &message);
            return without_reply(Incoming::Unmatched { message, reply_to });
        };
        let exchange = table.id(index);
        table.close(index);
        let mut reply = 0;
        if confirmable {
            self.note(slot, peer, message.message_id, Answer::Acknowledged);
            reply = empty(out, Type::Acknowledgement, message.message_id);
        }
        Handled {
            reply,
            incoming: Incoming::Response {
                exchange,
                token,
                message,
                piggybacked: false,
            },
        }
    }

    fn acknowledgement<'a>(&mut self, peer: P, message: Message<'a>) -> Handled<'a, P> {
        if message.code.is_request() || message.code.is_reserved() {
            return self.dropped(DropReason::InvalidCode);
        }
        let understands = self.understands;
        let mut table = self.table();
        let matching = table.of_peer(peer).find(|(_, slot)| {
            slot.message_id == message.message_id && slot.state == State::AwaitAcknowledgement
        });
        let Some((index, slot)) = matching else {
            return self.dropped(DropReason::UnknownAcknowledgement);
        };
        let (kind, token, give_up) = (slot.kind, slot.token, slot.give_up);
        let exchange = table.id(index);
        if message.code == Code::EMPTY {
            let finished = kind != Kind::Request;
            if finished {
                table.close(index);
            } else {
                table.slots[index as usize].state = State::AwaitResponse;
                table.set_deadline(index, give_up);
            }
            return without_reply(Incoming::Acknowledged { exchange, finished });
        }
        if kind != Kind::Request || token.as_bytes() != message.token {
            return self.dropped(DropReason::ForeignToken);
        }
        if message.first_unacceptable_option(understands).is_some() {
            return self.dropped(DropReason::UnacceptableOption);
        }
        table.close(index);
        self.stats.responses += 1;
        without_reply(Incoming::Response {
            exchange,
            token,
            message,
            piggybacked: true,
        })
    }

    fn reset_received<'a>(&mut self, peer: P, message: Message<'a>) -> Handled<'a, P> {
        if message.code != Code::EMPTY {
            return self.dropped(DropReason::InvalidCode);
        }
        self.stats.resets_received += 1;
        let message_id = message.message_id;
        let mut table = self.table();
        let matching = table
            .of_peer(peer)
            .find(|(_, slot)| slot.message_id == message_id);
        let exchange = matching.map(|(index, _)| index).map(|index| {
            let id = table.id(index);
            table.close(index);
            id
        });
        without_reply(Incoming::Reset {
            message_id,
            exchange,
        })
    }

    /// A request whose critical option is unknown or illegal (RFC 7252 §5.4.1, §5.10.2).
    fn refuse<'a>(
        &mut self,
        message: &Message<'_>,
        number: OptionNumber,
        out: &mut [u8],
    ) -> Handled<'a, P> {
        if message.ty != Type::Confirmable {
            return self.dropped(DropReason::UnacceptableOption);
        }
        let code = match number {
            OptionNumber::PROXY_URI | OptionNumber::PROXY_SCHEME => Code::PROXYING_NOT_SUPPORTED,
            _ => Code::BAD_OPTION,
        };
        let mut writer = MessageWriter::new(
            out,
            Type::Acknowledgement,
            code,
            message.message_id,
            message.token,
        );
        let mut diagnostic = Diagnostic::default();
        // A diagnostic that does not fit is cut: it is for people.
        let _ = write!(
            diagnostic,
            "option {} ({}) is unknown or has an illegal value",
            number.0,
            number.name()
        );
        writer.payload(diagnostic.as_bytes());
        match writer.finish() {
            Ok(reply) => {
                self.stats.refused += 1;
                Handled {
                    reply,
                    incoming: Incoming::Answered(Answered::Refused(number)),
                }
            }
            Err(_) => self.dropped(DropReason::OutputTooSmall),
        }
    }

    /// The same answer as before; `None` when it is lost.
    fn repeat<'a>(
        &mut self,
        message: &Message<'_>,
        answer: Answer,
        out: &mut [u8],
    ) -> Option<Handled<'a, P>> {
        // A NON under the Message ID of an earlier CON: a NON is never acknowledged (RFC 7252 §4.3).
        if message.ty != Type::Confirmable {
            return Some(self.dropped(DropReason::DuplicateNonConfirmable));
        }
        let message_id = message.message_id;
        let reply = match answer {
            Answer::InProgress => return Some(self.dropped(DropReason::DuplicateInProgress)),
            Answer::NonConfirmable => {
                return Some(self.dropped(DropReason::DuplicateNonConfirmable));
            }
            Answer::NotStored => return None,
            Answer::Acknowledged => empty(out, Type::Acknowledgement, message_id),
            Answer::Rejected => empty(out, Type::Reset, message_id),
            Answer::Stored { position, length } => {
                let parts = self.storage.parts();
                let stored = self.ring.load(parts.replies, position, length)?;
                match out.get_mut(..stored.len()) {
                    Some(space) => {
                        space.copy_from_slice(stored);
                        stored.len()
                    }
                    None => 0,
                }
            }
        };
        if reply == 0 {
            return Some(self.dropped(DropReason::OutputTooSmall));
        }
        self.stats.repeated += 1;
        Some(Handled {
            reply,
            incoming: Incoming::Answered(Answered::Repeated),
        })
    }

    fn look_up(
        &mut self,
        now: Instant,
        peer: P,
        message: &Message<'_>,
        in_progress: Answer,
    ) -> Seen {
        let expires = now + self.lifetime(message.ty);
        let answer = if message.ty == Type::Confirmable {
            in_progress
        } else {
            Answer::NonConfirmable
        };
        let seen = seen::look_up(
            self.storage.parts().seen,
            self.key,
            now,
            expires,
            peer,
            message.message_id,
            answer,
        );
        if let Seen::New { evicted: true, .. } = seen {
            self.stats.evicted += 1;
        }
        seen
    }

    pub(super) fn note(&mut self, slot: u32, peer: P, message_id: u16, answer: Answer) {
        seen::answered(self.storage.parts().seen, slot, peer, message_id, answer);
    }

    fn reset<'a>(&mut self, message_id: u16, answered: Answered, out: &mut [u8]) -> Handled<'a, P> {
        let reply = empty(out, Type::Reset, message_id);
        if reply == 0 {
            return self.dropped(DropReason::OutputTooSmall);
        }
        self.stats.resets_sent += 1;
        Handled {
            reply,
            incoming: Incoming::Answered(answered),
        }
    }

    fn dropped<'a>(&mut self, reason: DropReason) -> Handled<'a, P> {
        self.stats.count_drop(reason);
        without_reply(Incoming::Dropped(reason))
    }
}

/// Writes an Empty message; 0 when there is no room for its four bytes.
pub(super) fn empty(out: &mut [u8], ty: Type, message_id: u16) -> usize {
    MessageWriter::empty(out, ty, message_id)
        .finish()
        .unwrap_or(0)
}

fn reply_to<P>(peer: P, slot: u32, message: &Message<'_>) -> ReplyTo<P> {
    ReplyTo {
        peer,
        slot,
        message_id: message.message_id,
        confirmable: message.ty == Type::Confirmable,
        acknowledged: false,
    }
}

fn without_reply<P>(incoming: Incoming<'_, P>) -> Handled<'_, P> {
    Handled { reply: 0, incoming }
}

/// A short text without a heap.
struct Diagnostic {
    bytes: [u8; 80],
    length: usize,
}

impl Default for Diagnostic {
    fn default() -> Self {
        Self {
            bytes: [0; 80],
            length: 0,
        }
    }
}

impl Diagnostic {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Diagnostic {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length + text.len();
        let space = self.bytes.get_mut(self.length..end);
        space
            .ok_or(core::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
