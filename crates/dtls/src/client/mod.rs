//! The device's side: one association with one server.

mod io;

use alloc::vec::Vec;

use dunlin_coap::{Instant, Rng};

use self::io::Queue;
pub use self::io::{ClientInput, ClientOutput, ClientOutputs};
use crate::{ClientConfig, ImportError, Resumption, Suite};

/// One association with one server, from the first ClientHello to its end.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    queue: Queue,
}

impl Client {
    /// A client that has sent nothing yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config,
            queue: Queue::default(),
        }
    }

    /// Begins a handshake; with `resume` the server is asked to go on with that session
    /// (RFC 5246 §F.1.4), and a full handshake follows when it does not. A handshake or an
    /// association of before is dropped without a word.
    pub fn connect(
        &mut self,
        now: Instant,
        resume: Option<&Resumption>,
        rng: &mut dyn Rng,
    ) -> ClientOutputs<'_> {
        let _ = (now, resume, rng);
        ClientOutputs::new(&mut self.queue)
    }

    /// Tells it what happened; then take every output.
    pub fn handle(
        &mut self,
        now: Instant,
        input: ClientInput<'_>,
        rng: &mut dyn Rng,
    ) -> ClientOutputs<'_> {
        let _ = (now, input, rng);
        ClientOutputs::new(&mut self.queue)
    }

    /// When [`ClientInput::Timer`] is due next; `None` when nothing waits.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether application data can be sent.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// What resumes this session later, also after its end; `None` when the server gave it no id.
    pub fn resumption(&self) -> Option<Resumption> {
        None
    }

    /// Takes the live association out, to be stored while the device sleeps; `None` when there is
    /// none. The client has none afterwards, so that no sequence number is used twice.
    pub fn export(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The live association as it will stand `count` sequence numbers later, to be stored against a
    /// crash, while this one goes on and uses no more than those: none is used twice. Replaces what
    /// was reserved before. `None` when there is no association.
    ///
    /// What is imported of it does not know which records came last; see
    /// [`close_window`](Self::close_window).
    pub fn reserve(&mut self, count: u32) -> Option<Vec<u8>> {
        let _ = count;
        None
    }

    /// Takes every record up to the newest that came for received, so that none of them is accepted
    /// any more. For an association out of [`reserve`](Self::reserve), after each datagram until
    /// something came that cannot be old.
    pub fn close_window(&mut self) {}

    /// Whether the server finds the association by a connection ID, so that it outlives a change of
    /// the client's address (RFC 9146).
    pub fn has_connection_id(&self) -> bool {
        false
    }

    /// The suite of the live association.
    pub fn suite(&self) -> Option<Suite> {
        None
    }

    /// Goes on with an association out of [`export`](Self::export) or [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`ImportError`] when the bytes are not such an export.
    pub fn import(config: ClientConfig, bytes: &[u8]) -> Result<Self, ImportError> {
        let _ = (config, bytes);
        Err(ImportError::Malformed)
    }

    /// The configuration, for the next client.
    pub fn into_config(self) -> ClientConfig {
        self.config
    }
}
