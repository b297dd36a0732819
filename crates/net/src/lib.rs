//! Sockets for Dunlin: batched UDP, wake-ups, drive loops (Linux).

mod clock;
mod random;
mod waker;

pub use clock::{Clock, unix_time};
pub use random::OsRng;
pub use waker::Waker;
