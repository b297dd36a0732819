//! DTLS below the engine: which handshakes there are, when there is none, and that nothing of it
//! lets an old datagram in.

mod credentials;
mod keeping;
mod world;
