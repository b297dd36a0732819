//! The loop around a sans-IO engine: receive a batch, handle it, send a batch, sleep.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use dunlin_coap::Instant;

use crate::socket::Readiness;
use crate::{BATCH, Clock, ReceiveBatch, SendBatch, UdpSocket, Waker};

/// What a [`drive()`] loop serves.
pub trait Service {
    /// A datagram arrived at the socket of this number.
    fn datagram(
        &mut self,
        now: Instant,
        socket: usize,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Outgoing<'_>,
    );

    /// Comes after each round of batches of datagrams, after a wake-up and when the deadline has
    /// passed: handle what is due and return the next deadline, or end the loop.
    ///
    /// `woken` tells that the loop's [`Waker`] was used since the last turn.
    fn turn(
        &mut self,
        now: Instant,
        woken: bool,
        out: &mut Outgoing<'_>,
    ) -> ControlFlow<(), Option<Instant>>;
}

/// Where a [`Service`] leaves datagrams. They are sent in batches, at the end of a turn at the
/// latest.
#[derive(Debug)]
pub struct Outgoing<'l> {
    sockets: &'l [UdpSocket],
    batches: &'l mut [SendBatch],
    received: Received,
}

/// What the loop has received so far.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    datagrams: u64,
    truncated: u64,
    errors: u64,
}

/// Counters of a drive loop, over all its sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCounters {
    /// Datagrams received.
    pub received: u64,
    /// Of these, longer than [`MAX_RECEIVED`](crate::MAX_RECEIVED) and therefore dropped.
    pub truncated: u64,
    /// Receive calls that failed (ICMP errors, lack of memory).
    pub errors: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that could not be sent.
    pub unsent: u64,
}

impl Outgoing<'_> {
    /// Sends a datagram with the batch of the socket of this number; of a socket that is not there
    /// nothing is sent.
    pub fn send(&mut self, socket: usize, to: SocketAddr, bytes: &[u8]) {
        if let (Some(batch), Some(socket)) =
            (self.batches.get_mut(socket), self.sockets.get(socket))
        {
            batch.push(socket, to, bytes);
        }
    }

    /// What went through the sockets so far.
    pub fn counters(&self) -> SocketCounters {
        let sum = |of: fn(&SendBatch) -> u64| self.batches.iter().map(of).sum();
        SocketCounters {
            received: self.received.datagrams,
            truncated: self.received.truncated,
            errors: self.received.errors,
            sent: sum(|batch| batch.sent),
            unsent: sum(|batch| batch.dropped),
        }
    }
}

/// Runs a service at its sockets until it ends the loop. Nothing that arrives, and no error the
/// network reports, ends it. Allocates nothing once it runs.
///
/// A socket at which nothing waits costs a round nothing, and one that is flooded does not keep the
/// others from theirs.
pub fn drive(sockets: &[UdpSocket], waker: &Waker, clock: &Clock, service: &mut impl Service) {
    let mut incoming = ReceiveBatch::new();
    let mut outgoing: Vec<SendBatch> = sockets.iter().map(|_| SendBatch::new()).collect();
    let mut readiness = Readiness::new(sockets, waker);
    let mut received = Received::default();
    loop {
        let mut more = false;
        let mut now = clock.now();
        for (index, socket) in sockets.iter().enumerate() {
            if !readiness.is_ready(index) {
                continue;
            }
            let count = match incoming.receive(socket) {
                Ok(count) => count,
                Err(_) => {
                    // ICMP errors are reported once each; anything lasting must not make us spin.
                    received.errors += 1;
                    if received.errors % 64 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    0
                }
            };
            more |= count == BATCH;
            received.datagrams += count as u64;
            received.truncated = incoming.truncated;
            now = clock.now();
            let mut out = Outgoing {
                sockets,
                batches: &mut outgoing,
                received,
            };
            for (from, bytes) in incoming.datagrams() {
                service.datagram(now, index, from, bytes, &mut out);
            }
        }
        let mut out = Outgoing {
            sockets,
            batches: &mut outgoing,
            received,
        };
        let turn = service.turn(now, waker.take(), &mut out);
        for (batch, socket) in outgoing.iter_mut().zip(sockets) {
            batch.flush(socket);
        }
        let ControlFlow::Continue(deadline) = turn else {
            return;
        };
        // A full batch means that more waits; otherwise ask the kernel by sleeping.
        let timeout = deadline.map(|deadline| deadline.saturating_since(clock.now()));
        if more || timeout == Some(Duration::ZERO) {
            readiness.assume_all();
        } else {
            readiness.wait(waker, timeout);
        }
    }
}
