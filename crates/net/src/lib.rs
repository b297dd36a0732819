//! Sockets for Dunlin: batched UDP, wake-ups, drive loops. For Linux: it uses recvmmsg, sendmmsg,
//! eventfd and SO_INCOMING_CPU.
//!
//! An engine does no I/O; [`drive()`] does it for any [`Service`]. [`EchoServer`] is that loop
//! without an engine.

mod address;
mod batch;
mod clock;
mod cpu;
mod drive;
mod echo;
mod random;
mod socket;
mod waker;

pub use batch::{BATCH, MAX_RECEIVED, ReceiveBatch, SendBatch};
pub use clock::{Clock, unix_time};
pub use cpu::{available_cpus, pin_to_cpu, thread_cpu_time};
pub use drive::{Outgoing, Service, SocketCounters, drive};
pub use echo::EchoServer;
pub use random::OsRng;
pub use socket::UdpSocket;
pub use waker::Waker;
