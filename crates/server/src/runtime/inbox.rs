//! What other threads leave for a shard.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_net::Waker;
use tokio::sync::oneshot;

use crate::peer::Socket;
use crate::shard::{Command, Reply};

/// Commands that wait for a shard at most. An HTTP caller beyond that is told to come again.
const MAX_COMMANDS: usize = 16 * 1024;
/// Bytes of datagrams that wait for a shard at most; beyond that they are dropped, as a socket
/// with a full buffer does.
const MAX_HANDOVER_BYTES: usize = 4 * 1024 * 1024;
/// The same for empty datagrams.
const MAX_HANDOVERS: usize = 64 * 1024;

/// The inbox of one shard. Never blocks longer than a push takes.
#[derive(Debug)]
pub(crate) struct Inbox {
    waker: Waker,
    queues: Mutex<Queues>,
    /// Highest sequence number on disk.
    durable: AtomicU64,
    /// Handed-over datagrams that found no room.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queues {
    work: Work,
    stopped: bool,
}

/// Everything that waited, in the order of its arrival per kind.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) commands: Vec<(u64, Command, Option<oneshot::Sender<Reply>>)>,
    datagrams: Vec<(Socket, SocketAddr, u16, usize)>,
    bytes: Vec<u8>,
    pub(crate) stop: bool,
}

impl Work {
    /// The datagrams other shards handed over, and how often that was done.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (Socket, SocketAddr, u16, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.datagrams
            .iter()
            .map(move |(socket, from, hops, length)| {
                let (bytes, tail) = rest.split_at(*length);
                rest = tail;
                (*socket, *from, *hops, bytes)
            })
    }

    /// Empties the work and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.commands.clear();
        self.datagrams.clear();
        self.bytes.clear();
    }
}

/// Why a command was not taken.
#[derive(Debug)]
pub(crate) struct Refused;

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            waker,
            queues: Mutex::default(),
            durable: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // No push can leave the queues half done, so a panic elsewhere does not spoil them.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a command; bounded, because its caller is outside.
    pub(crate) fn command(
        &self,
        id: u64,
        command: Command,
        reply: oneshot::Sender<Reply>,
    ) -> Result<(), Refused> {
        let mut queues = self.queues();
        if queues.stopped || queues.work.commands.len() >= MAX_COMMANDS {
            return Err(Refused);
        }
        queues.work.commands.push((id, command, Some(reply)));
        drop(queues);
        self.waker.wake();
        Ok(())
    }

    /// Leaves a command that nobody waits for: an eviction, of which there is at most one for each
    /// Register that another shard takes, or the end of a credential.
    pub(crate) fn post(&self, command: Command) {
        let mut queues = self.queues();
        if queues.stopped {
            return;
        }
        queues.work.commands.push((0, command, None));
        drop(queues);
        self.waker.wake();
    }

    /// Leaves a datagram that landed at another shard.
    pub(crate) fn datagram(&self, socket: Socket, from: SocketAddr, bytes: &[u8], hops: u16) {
        let mut queues = self.queues();
        let full = queues.work.bytes.len() + bytes.len() > MAX_HANDOVER_BYTES
            || queues.work.datagrams.len() >= MAX_HANDOVERS;
        if full || queues.stopped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let entry = (socket, from, hops, bytes.len());
        queues.work.datagrams.push(entry);
        queues.work.bytes.extend_from_slice(bytes);
        drop(queues);
        self.waker.wake();
    }

    /// Tells that everything up to `through` is on disk.
    pub(crate) fn durable(&self, through: u64) {
        self.durable.store(through, Ordering::Release);
        self.waker.wake();
    }

    /// Asks the shard to end.
    pub(crate) fn stop(&self) {
        self.queues().work.stop = true;
        self.waker.wake();
    }

    /// Whether the shard has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.queues().stopped
    }

    /// Refuses everything from now on: nobody would answer.
    pub(crate) fn close(&self) {
        let mut queues = self.queues();
        queues.stopped = true;
        queues.work.clear();
    }

    /// Swaps what waits with `work`, which must be empty.
    pub(crate) fn take(&self, work: &mut Work) {
        std::mem::swap(&mut self.queues().work, work);
    }

    /// The highest sequence number on disk.
    pub(crate) fn durable_through(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Handed-over datagrams that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
