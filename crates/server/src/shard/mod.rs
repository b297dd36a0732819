//! The engine of one shard: it owns its share of the devices outright.
//!
//! ```text
//! Input::Datagram -> receive -> interface (Register, Update, De-register)  -> Persist, Event, held reply
//!                            -> send      (Send)                           -> Persist, Event, held reply
//!                            -> exchange  (answers of devices)             -> Reply
//!                            -> observe   (notifications)                  -> Event, Persist
//! Input::Command  -> command -> exchange  (operations: one at a time towards each device)
//!                            -> queue     (operations that wait until a device wakes up)
//! Input::Durable  -> replies that were held go out
//! Input::Timeout  -> repetitions, lifetimes, deadlines
//! ```
//!
//! Time, randomness and datagrams are arguments:
//!
//! ```
//! use std::sync::Arc;
//! use dunlin_coap::{Instant, Rng};
//! use dunlin_server::Socket;
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
//! let ping = Input::Datagram {
//!     socket: Socket::Coap,
//!     from: "192.0.2.1:5683".parse().unwrap(),
//!     bytes: &[0x40, 0, 0x0A, 0x0B],
//! };
//! let mut outputs = shard.handle(Instant::ZERO, ping, &mut Counter(0));
//! let Some(Output::Transmit { bytes, .. }) = outputs.next() else { panic!() };
//! assert_eq!(bytes, [0x70, 0, 0x0A, 0x0B]);
//! ```

mod activity;
mod command;
mod composite;
mod config;
mod counters;
mod exchange;
mod files;
mod fleet;
mod formats;
mod history;
mod ids;
mod interface;
mod interner;
mod io;
mod names;
mod observe;
mod outputs;
mod prepare;
mod profile;
mod queue;
mod receive;
mod registry;
mod restore;
mod secure;
mod send;
mod trace;
mod unstored;
mod upload;
mod uploads;
mod wheel;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use dunlin_coap::{Endpoint, ExchangeSlot, Instant, Rng, SeenSlot, SliceStorage};

use activity::Activities;
pub use config::{AWAKE_TIME, Limits, NoObjectTypes, ObjectTypes, QueueLimits, ShardConfig};
use counters::Counters;
use fleet::{DeviceObjects, ParameterSet};
use history::History;
use interface::Held;
use interner::Interner;
pub use io::{
    Command, Input, Output, Persist, Reply, StoredAwakeTime, StoredRegistration, StoredSend,
    StoredValues, StoredWish,
};
pub use outputs::Outputs;
use outputs::Queue;
use queue::{Expiry, Promise};
use registry::{NEVER, Registry, TICKS_PER_SECOND};
use secure::Secure;
pub use secure::{CID_PREFIX, StoredSession, cid_prefix};
use unstored::Unstored;
use uploads::Uploads;
use wheel::NONE;

use crate::peer::Peer;

type Storage = SliceStorage<Box<[ExchangeSlot<Peer>]>, Box<[SeenSlot<Peer>]>, Box<[u8]>, Box<[u8]>>;

/// The longest datagram sent in bytes. A block of 1024 and any legal options fit; with IP and UDP
/// headers it stays below the smallest MTU of IPv6.
const DATAGRAM: usize = 1232;
/// Registrations that expire in one go.
const EXPIRIES: usize = 1024;
const MICROS_PER_TICK: u64 = 1_000_000 / TICKS_PER_SECOND as u64;

/// The engine of one shard.
pub struct Shard {
    config: ShardConfig,
    endpoint: Endpoint<Peer, Storage>,
    /// The activity behind each exchange, by the number of its slot.
    owners: Box<[u32]>,
    registry: Registry,
    lists: Interner<DeviceObjects>,
    parameters: Interner<ParameterSet>,
    /// Registrations by an id that does not name their place: they were restored from a server
    /// with another number of shards.
    aliases: HashMap<Box<str>, u32>,
    alias_ids: HashMap<u32, Box<str>>,
    activities: Activities,
    /// Operations that wait, in all.
    waiting: usize,
    /// When operations that wait give up; entries of operations that wait no more are skipped.
    deadlines: BinaryHeap<Reverse<(Instant, u32)>>,
    /// Requests of the shard's own accord in flight.
    paced: usize,
    /// Activities that could go on if there were a free exchange.
    line: VecDeque<u32>,
    /// Activities that could go on if fewer of `paced` were in flight.
    own_line: VecDeque<u32>,
    uploads: Uploads,
    /// What devices sent.
    history: History,
    unstored: Unstored,
    held: VecDeque<Held>,
    promises: VecDeque<(u64, Promise)>,
    /// When operations that were queued here expire.
    expiries: BinaryHeap<Reverse<Expiry>>,
    sequence: u64,
    durable: u64,
    queue: Queue,
    secure: Option<Box<Secure>>,
    counters: Counters,
    /// Whether an Update that changes only the time is told as well.
    watched: bool,
    text: String,
    out: Box<[u8]>,
}

impl core::fmt::Debug for Shard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shard")
            .field("index", &self.config.index)
            .field("devices", &self.registry.len())
            .finish_non_exhaustive()
    }
}

/// Randomness for keys of hashes, from the seed of the directory.
struct Seeded(u64);

impl Rng for Seeded {
    fn next_u32(&mut self) -> u32 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 32) as u32
    }
}

impl Shard {
    /// An empty shard. All memory for exchanges and deduplication is taken here, about 18 MB with
    /// the default limits; afterwards only registrations, wishes and bodies take more.
    pub fn new(mut config: ShardConfig) -> Self {
        // Without any exchange nothing would ever go on.
        config.limits.exchanges = config.limits.exchanges.max(1);
        config.limits.paced = config.limits.paced.max(1);
        config.shards = config.shards.max(1);
        // Nothing would ever tell that it is on disk.
        config.durable &= config.stored;
        let limits = config.limits;
        let seed = config.directory.seed() ^ u64::from(config.index).rotate_left(32);
        let storage = SliceStorage {
            exchanges: vec![ExchangeSlot::EMPTY; limits.exchanges].into_boxed_slice(),
            seen: vec![SeenSlot::EMPTY; limits.seen].into_boxed_slice(),
            datagrams: vec![0; limits.exchanges * DATAGRAM].into_boxed_slice(),
            replies: vec![0; limits.reply_bytes].into_boxed_slice(),
        };
        let mut endpoint = Endpoint::new(storage, config.transmission, &mut Seeded(seed));
        // Every request in the registration interface may be done twice: a second Register
        // replaces the first, of whose location the device never heard. A Send may not: its data
        // would be there twice.
        endpoint.set_repeatable(|message| !receive::is_send(message));
        Self {
            endpoint,
            owners: vec![NONE; limits.exchanges].into_boxed_slice(),
            registry: Registry::new(seed),
            lists: Interner::new(seed),
            parameters: Interner::new(seed),
            aliases: HashMap::new(),
            alias_ids: HashMap::new(),
            activities: Activities::default(),
            waiting: 0,
            deadlines: BinaryHeap::new(),
            paced: 0,
            line: VecDeque::new(),
            own_line: VecDeque::new(),
            uploads: Uploads::new(seed, limits.uploads, limits.upload_idle, limits.body_bytes),
            history: History::default(),
            unstored: Unstored::default(),
            held: VecDeque::new(),
            promises: VecDeque::new(),
            expiries: BinaryHeap::new(),
            sequence: 0,
            durable: 0,
            queue: Queue::new(limits.trace_bytes),
            secure: None,
            counters: Counters::default(),
            watched: false,
            text: String::new(),
            out: vec![0; DATAGRAM].into_boxed_slice(),
            config,
        }
    }

    /// Takes an input and lends what is to be done about it. Outputs that are not taken before the
    /// guard is dropped come with the next one.
    ///
    /// `now` never goes back.
    pub fn handle(&mut self, now: Instant, input: Input<'_>, rng: &mut dyn Rng) -> Outputs<'_> {
        self.queue.trace.set_now(now);
        match input {
            Input::Datagram {
                socket,
                from,
                bytes,
            } => self.arrived(now, socket, from, bytes, 0, rng),
            Input::HandedOver {
                socket,
                from,
                bytes,
                hops,
            } => self.arrived(now, socket, from, bytes, hops, rng),
            Input::Command(command) => self.command(now, command, rng),
            Input::Durable { through } => self.durable(now, through, rng),
            Input::Timeout => self.timeout(now, rng),
        }
        self.seal(now, rng);
        Outputs::new(&mut self.queue)
    }

    /// Says whether anybody looks at events. An Update that changes only the time is the most
    /// common request of all; it costs no event unless somebody looks.
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// When to call [`Shard::handle`] with [`Input::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Instant> {
        let lifetime = self.registry.next_deadline().map(instant_of_tick);
        let waiting = self
            .deadlines
            .peek()
            .map(|Reverse((deadline, _))| *deadline);
        // Restored observations stand in line although exchanges are free.
        let line = (!self.own_line.is_empty() && self.endpoint.open_exchanges() == 0)
            .then_some(Instant::ZERO);
        [
            line,
            lifetime,
            waiting,
            self.next_expiry(),
            self.endpoint.next_timeout(),
            self.uploads.next_sweep(),
            self.secure
                .as_ref()
                .and_then(|secure| secure.next_timeout()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn timeout(&mut self, now: Instant, rng: &mut dyn Rng) {
        self.dtls_timeout(now, rng);
        self.exchange_timeouts(now, rng);
        self.give_up_waiting(now, rng);
        self.expire_operations(now, rng);
        let tick = tick(now);
        // A fleet that vanishes at once is dropped in portions, so that others are served between.
        for _ in 0..EXPIRIES {
            let Some(slot) = self.registry.pop_expired(tick) else {
                break;
            };
            self.expire(now, slot, rng);
        }
        if self.uploads.next_sweep().is_some_and(|sweep| sweep <= now) {
            self.uploads.sweep(now);
        }
        self.serve_line(now, rng);
    }

    /// Unix time in seconds.
    fn unix(&self, at: Instant) -> f64 {
        self.config.unix_origin + at.as_micros() as f64 / 1e6
    }

    fn unix_of_tick(&self, tick: u32) -> f64 {
        self.config.unix_origin + f64::from(tick) / f64::from(TICKS_PER_SECOND)
    }

    fn persist(&mut self, change: Persist) {
        if !self.config.stored {
            return;
        }
        self.sequence += 1;
        self.queue.persist(self.sequence, change);
    }
}

/// The tick that has begun.
fn tick(at: Instant) -> u32 {
    u32::try_from(at.as_micros() / MICROS_PER_TICK).unwrap_or(NEVER - 1)
}

/// The tick at which a lifetime that begins now has ended: never too early, less than a tick late.
fn lifetime_end(now: Instant, lifetime: u32) -> u32 {
    if lifetime == 0 {
        return NEVER;
    }
    let end = now
        .as_micros()
        .saturating_add(u64::from(lifetime) * 1_000_000);
    u32::try_from(end.div_ceil(MICROS_PER_TICK)).unwrap_or(NEVER)
}

fn instant_of_tick(tick: u32) -> Instant {
    Instant::from_micros(u64::from(tick) * MICROS_PER_TICK)
}
