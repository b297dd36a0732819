//! The server's side: all associations of one shard.

mod io;

use alloc::vec::Vec;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};

use self::io::Queue;
pub use self::io::{ServerInput, ServerOutput, ServerOutputs};
use crate::{Counters, Credentials, ImportError, ServerConfig, SessionId};

/// How a session is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// The session goes on. The export claims this many sequence numbers more for it: an import of
    /// it begins after them, so none is used twice, and sending stops when they are used up.
    /// [`Reserve`](crate::ServerOutput::Reserve) comes before that. What is imported is unproven.
    Reserve(u32),
    /// The session leaves this server, exactly as it is. What is imported is proven.
    Final,
}

/// All associations of one shard, and the handshakes on their way to become some.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    queue: Queue,
    counters: Counters,
}

impl Server {
    /// A server without associations. `rng` yields the secret of the cookies.
    pub fn new(config: ServerConfig, rng: &mut dyn Rng) -> Self {
        let _ = rng;
        Self {
            config,
            queue: Queue::default(),
            counters: Counters::default(),
        }
    }

    /// Tells it what happened; then take every output.
    pub fn handle(
        &mut self,
        now: Instant,
        input: ServerInput<'_>,
        credentials: &dyn Credentials,
        rng: &mut dyn Rng,
    ) -> ServerOutputs<'_> {
        let _ = (now, input, credentials, rng);
        ServerOutputs::new(&mut self.queue)
    }

    /// When [`ServerInput::Timer`] is due next; `None` when nothing waits.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// The address of a session's peer.
    pub fn address(&self, session: SessionId) -> Option<SocketAddr> {
        let _ = session;
        None
    }

    /// The tag of a session's credential.
    pub fn tag(&self, session: SessionId) -> Option<u64> {
        let _ = session;
        None
    }

    /// Ends all sessions with this tag, and their resumption: the credential changed or is gone.
    pub fn forget(&mut self, tag: u64) -> ServerOutputs<'_> {
        let _ = tag;
        ServerOutputs::new(&mut self.queue)
    }

    /// Appends a session's export to `out`. False when there is no such session, or one that cannot
    /// be exported.
    pub fn export(&mut self, session: SessionId, how: Export, out: &mut Vec<u8>) -> bool {
        let _ = (session, how, out);
        false
    }

    /// Takes a session in under the name it had. Do this before the first handshake: its place must
    /// be free.
    ///
    /// # Errors
    ///
    /// [`ImportError`] when the bytes are no export, or do not fit this server.
    pub fn import(&mut self, now: Instant, bytes: &[u8]) -> Result<SessionId, ImportError> {
        let _ = (now, bytes);
        Err(ImportError::Malformed)
    }

    /// Whether a session is proven: everything but one imported after a start that was not clean.
    pub fn is_proven(&self, session: SessionId) -> bool {
        let _ = session;
        false
    }

    /// An unproven session has shown with the record of this sequence number, from this address,
    /// that its peer is alive: older records are replays from now on.
    pub fn prove(&mut self, session: SessionId, sequence: u64, from: SocketAddr) {
        let _ = (session, sequence, from);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        0
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The configuration.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }
}
