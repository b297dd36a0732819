//! The drive loop without a protocol: the yardstick for everything that has one.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use dunlin_coap::Instant;

use crate::{Clock, Outgoing, Service, UdpSocket, Waker, available_cpus, drive, pin_to_cpu};

/// Sends every datagram back, by the same loops and sockets that serve a shard.
///
/// Ends when it is dropped.
#[derive(Debug)]
pub struct EchoServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<(Waker, JoinHandle<()>)>,
}

struct Echo {
    stop: Arc<AtomicBool>,
}

impl Service for Echo {
    fn datagram(
        &mut self,
        _now: Instant,
        socket: usize,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Outgoing<'_>,
    ) {
        out.send(socket, from, bytes);
    }

    fn turn(
        &mut self,
        _now: Instant,
        _woken: bool,
        _out: &mut Outgoing<'_>,
    ) -> ControlFlow<(), Option<Instant>> {
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(None)
    }
}

impl EchoServer {
    /// Echoes at `address` (port 0 picks one) with so many threads.
    ///
    /// # Errors
    /// When the address cannot be bound or the process lacks descriptors or threads.
    pub fn start(address: SocketAddr, shards: usize) -> std::io::Result<Self> {
        let sockets = UdpSocket::bind_group(address, shards.max(1))?;
        let cpus = available_cpus();
        let pinned = sockets.len() > 1 && sockets.len() == cpus.len();
        let mut server = Self {
            address: sockets[0].local_address(),
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for (index, socket) in sockets.into_iter().enumerate() {
            let waker = Waker::new()?;
            let mut echo = Echo {
                stop: Arc::clone(&server.stop),
            };
            let (thread_waker, cpu) = (waker.clone(), cpus.get(index).copied());
            let thread = std::thread::Builder::new()
                .name(format!("echo-{index}"))
                .spawn(move || {
                    if let (true, Some(cpu)) = (pinned, cpu) {
                        // Both only make it faster.
                        let _ = pin_to_cpu(cpu).and_then(|()| socket.steer_to(cpu));
                    }
                    drive(&[socket], &thread_waker, &Clock::new(), &mut echo);
                })?;
            server.threads.push((waker, thread));
        }
        Ok(server)
    }

    /// Where it echoes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (waker, thread) in self.threads.drain(..) {
            waker.wake();
            // It can only have panicked, and has said so.
            let _ = thread.join();
        }
    }
}
