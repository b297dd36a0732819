//! The loop around a sans-IO engine: receive a batch, handle it, send a batch, sleep.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use dunlin_coap::Instant;

use crate::{BATCH, Clock, ReceiveBatch, SendBatch, UdpSocket, Waker};

/// What a [`drive()`] loop serves.
pub trait Service {
    /// A datagram arrived.
    fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], out: &mut Outgoing<'_>);

    /// Comes after each batch of datagrams, after a wake-up and when the deadline has passed:
    /// handle what is due and return the next deadline, or end the loop.
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
    socket: &'l UdpSocket,
    batch: &'l mut SendBatch,
    received: Received,
}

/// What the loop has received so far.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    datagrams: u64,
    truncated: u64,
    errors: u64,
}

/// Counters of a drive loop.
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
    /// Sends a datagram with the batch.
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.batch.push(self.socket, to, bytes);
    }

    /// What went through the socket so far.
    pub fn counters(&self) -> SocketCounters {
        SocketCounters {
            received: self.received.datagrams,
            truncated: self.received.truncated,
            errors: self.received.errors,
            sent: self.batch.sent,
            unsent: self.batch.dropped,
        }
    }
}

/// Runs a service at a socket until it ends the loop. Nothing that arrives, and no error the
/// network reports, ends it. Allocates nothing once it runs.
pub fn drive(socket: &UdpSocket, waker: &Waker, clock: &Clock, service: &mut impl Service) {
    let mut incoming = ReceiveBatch::new();
    let mut outgoing = SendBatch::new();
    let mut received = Received::default();
    loop {
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
        received.datagrams += count as u64;
        received.truncated = incoming.truncated;
        let now = clock.now();
        let mut out = Outgoing {
            socket,
            batch: &mut outgoing,
            received,
        };
        for (from, bytes) in incoming.datagrams() {
            service.datagram(now, from, bytes, &mut out);
        }
        let turn = service.turn(now, waker.take(), &mut out);
        outgoing.flush(socket);
        let ControlFlow::Continue(deadline) = turn else {
            return;
        };
        // A full batch means that more waits; otherwise ask the kernel by sleeping.
        if count < BATCH {
            let timeout = deadline.map(|deadline| deadline.saturating_since(clock.now()));
            if timeout != Some(Duration::ZERO) {
                socket.wait(waker, timeout);
            }
        }
    }
}
