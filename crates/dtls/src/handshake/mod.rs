//! What client and server share while a handshake lasts.

pub(crate) mod channel;
pub(crate) mod codec;
pub(crate) mod flight;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod reassembly;
