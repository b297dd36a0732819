//! CoAP for constrained devices and large servers: message, exchange, block-wise transfer, observe
//! and link-format (RFC 7252, 7641, 7959, 8132, 8974, 9175, 6690).
//!
//! Nothing here opens a socket, reads a clock, draws a random number, starts a thread or uses a
//! heap. Time is an [`Instant`] argument, randomness is an [`Rng`] argument, datagrams are slices.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod block;
mod code;
mod endpoint;
pub mod link;
mod message;
mod observe;
mod option;
mod parameters;
pub mod path;
mod retransmission;
mod time;

pub use code::Code;
pub use endpoint::{
    Action, Answered, DropReason, Endpoint, ExchangeId, ExchangeSlot, Failure, FixedEndpoint,
    FixedStorage, Handled, Incoming, Outgoing, Parts, ReplyTo, SeenSlot, SendError, Sent,
    SliceStorage, Stats, Storage, understood_by_default,
};
pub use message::{
    Message, MessageError, MessageWriter, OptionIter, OptionRef, Token, Type, WriteError,
};
pub use observe::{Freshness, Sequence};
pub use option::{Format, OptionNumber, uint_value};
pub use parameters::TransmissionParameters;
pub use retransmission::{Retransmission, RetransmissionStep};
pub use time::{Instant, Rng};
