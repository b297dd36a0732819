//! The pair: server, devices, store, network, and one clock for all.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_client::{
    Event as ClientEvent, Input as ClientInput, Output as ClientOutput, RegistrationState, Version,
};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Rng, Type};
use dunlin_lwm2m::definition::ResourceType;
use dunlin_lwm2m::model::Models;
use dunlin_lwm2m::{ObjectVersion, Path};
use dunlin_server::Socket;
use dunlin_server::api::EventKind;
use dunlin_server::directory::Directory;
use dunlin_server::files::Files;
use dunlin_server::shard::{
    Command, Input, Limits, ObjectTypes, Output, Persist, Reply, Shard, ShardConfig,
};
use dunlin_sim::netem::{Impairment, Netem, SeededRng};

use crate::device::{BENCH_ID, Device, bench_type};
use crate::store::Store;

/// Unix time at the origin of virtual time.
pub(crate) const ORIGIN: f64 = 1_795_000_000.0;
pub(crate) const TEMPERATURE: Path = Path::resource(3303, 0, 5700);
/// How long the server stays dead.
pub(crate) const DOWN: Duration = Duration::from_secs(3);
/// How long a device stays off.
pub(crate) const OFF: Duration = Duration::from_secs(2);
/// How long a message from shard to shard takes.
pub(crate) const MAIL: Duration = Duration::from_micros(300);

pub(crate) const GOOD: Impairment = Impairment {
    loss: 0.0,
    duplicate: 0.0,
    reorder: 0.0,
    reorder_delay: Duration::ZERO,
    delay: Duration::from_millis(20),
    jitter: Duration::ZERO,
};

/// Loses, doubles and reorders, each with this probability.
pub(crate) const fn bad(probability: f64) -> Impairment {
    Impairment {
        loss: probability,
        duplicate: probability,
        reorder: probability,
        reorder_delay: Duration::from_millis(900),
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(200),
    }
}

struct Types;

impl ObjectTypes for Types {
    fn resource_type(
        &self,
        object: u16,
        version: ObjectVersion,
        resource: u16,
    ) -> Option<ResourceType> {
        if object == BENCH_ID {
            return bench_type(resource);
        }
        static MODELS: OnceLock<Models> = OnceLock::new();
        let models = MODELS.get_or_init(Models::embedded);
        ObjectTypes::resource_type(models, object, version, resource)
    }
}

/// What goes wrong at a point that a test chooses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Incident {
    ServerCrash,
    DeviceRestart(usize),
    /// A device gets another address.
    Rebind(usize, SocketAddr),
    /// Two devices get each other's address.
    Swap(usize, usize),
}

enum Mail {
    /// A datagram, and how often it was handed over.
    Datagram(SocketAddr, u16, Vec<u8>),
    Evict(String, u64),
}

enum Todo {
    Transmit(SocketAddr, Vec<u8>),
    Persist(u64, Persist),
    Event(String, EventKind),
    Reply(u64, Reply),
    Mail(u16, Mail),
}

pub(crate) struct Pair {
    seed: u64,
    pub now: Instant,
    pub network: Netem<SocketAddr>,
    pub rng: SeededRng,
    pub server: SocketAddr,
    pub shard_count: u16,
    pub directory: Arc<Directory>,
    /// On offer; none after a crash.
    pub files: Arc<Files>,
    /// Empty while the server is dead.
    shards: Vec<Shard>,
    restarts_at: Option<Instant>,
    /// Grows with each crash: outputs of the life before are void.
    server_life: u32,
    pub store: Store,
    mail: VecDeque<(Instant, u16, Mail)>,
    pub devices: Vec<Device>,
    pub events: Vec<(Instant, String, EventKind)>,
    pub replies: BTreeMap<u64, Reply>,
    pub next_id: u64,
    /// Registers of these versions are answered 4.12 by a gate before the server.
    pub refused: Vec<Version>,
    /// Points passed: a datagram delivered, an output carried out, a group committed.
    pub points: u64,
    pub incident: Option<(u64, Incident)>,
    /// When the incident happened.
    pub struck_at: Option<Instant>,
    pub trace: VecDeque<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!(
            "seed {}, incident {:?}, now {:?}",
            self.seed, self.incident, self.now
        );
        for (at, from, to, bytes) in &self.trace {
            eprintln!("{at:?} {from} -> {to} {:?}", Message::parse(bytes));
        }
    }
}

impl Pair {
    pub(crate) fn new(seed: u64, impairment: Impairment) -> Self {
        Self::with_shards(seed, impairment, 1)
    }

    pub(crate) fn with_shards(seed: u64, impairment: Impairment, shard_count: u16) -> Self {
        let mut pair = Self {
            seed,
            now: Instant::from_secs(1000),
            network: Netem::new(seed ^ 0x4E45, impairment),
            rng: SeededRng::new(seed),
            server: "192.0.2.1:5683".parse().unwrap(),
            shard_count,
            directory: Arc::new(Directory::new(shard_count, seed)),
            files: Arc::default(),
            shards: Vec::new(),
            restarts_at: None,
            server_life: 0,
            store: Store::new(Duration::from_millis(7)),
            mail: VecDeque::new(),
            devices: Vec::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            next_id: 0,
            refused: Vec::new(),
            points: 0,
            incident: None,
            struck_at: None,
            trace: VecDeque::new(),
        };
        pair.start_server();
        pair
    }

    // ---- who takes part

    /// A device that registers at once.
    pub(crate) fn add_device(&mut self, version: Version) -> usize {
        let index = self.add_silent_device(version);
        self.connect(index);
        index
    }

    pub(crate) fn add_silent_device(&mut self, version: Version) -> usize {
        let index = self.devices.len();
        let device = Device::new(index as u16, version, &mut self.rng);
        self.devices.push(device);
        index
    }

    pub(crate) fn connect(&mut self, index: usize) {
        let (now, server) = (self.now, self.server);
        self.devices[index].engine.connect(now, server);
        self.device_input(index, ClientInput::Timer);
    }

    /// A device that is registered by the time this returns.
    pub(crate) fn registered_device(&mut self, version: Version) -> usize {
        let index = self.add_device(version);
        self.until(Duration::from_secs(2000), |pair| pair.is_registered(index));
        index
    }

    pub(crate) fn name(&self, index: usize) -> String {
        self.devices[index].name.clone()
    }

    /// Whether the device holds itself registered.
    pub(crate) fn is_registered(&self, index: usize) -> bool {
        let state = self.devices[index].engine.state();
        matches!(
            state,
            RegistrationState::Registered | RegistrationState::Updating
        )
    }

    /// Changes something in a device and lets it see to it.
    pub(crate) fn touch(&mut self, index: usize, change: impl FnOnce(&mut Device)) {
        change(&mut self.devices[index]);
        self.device_input(index, ClientInput::Timer);
    }

    pub(crate) fn measure(&mut self, index: usize, value: f64) {
        self.touch(index, |device| {
            let temperature = &mut device.engine.objects_mut().temperature;
            temperature.get_mut(0).expect("instance 0").measure(value);
        });
    }

    pub(crate) fn restart_device(&mut self, index: usize) {
        let now = self.now;
        self.devices[index].restart(now, OFF, &mut self.rng);
    }

    fn swap(&mut self, one: usize, other: usize) {
        let hosts = (self.devices[one].host, self.devices[other].host);
        let seen = (
            self.network.address_of(hosts.0),
            self.network.address_of(hosts.1),
        );
        self.network.rebind(hosts.0, seen.1);
        self.network.rebind(hosts.1, seen.0);
    }

    // ---- the server's life

    fn start_server(&mut self) {
        let directory = Arc::new(Directory::new(self.shard_count, self.rng.next_u64()));
        self.directory = directory.clone();
        self.files = Arc::default();
        let limits = Limits {
            registrations: 1000,
            exchanges: 32,
            seen: 512,
            reply_bytes: 16 * 1024,
            ..Limits::default()
        };
        let shards = (0..self.shard_count).map(|index| {
            Shard::new(ShardConfig {
                index,
                shards: self.shard_count,
                limits,
                unix_origin: ORIGIN,
                durable: true,
                models: Arc::new(Types),
                files: self.files.clone(),
                ..ShardConfig::single(directory.clone())
            })
        });
        self.shards = shards.collect();
        // Wishes may come before registrations or after them.
        let wishes_first = self.rng.chance(0.5);
        for wishes in [wishes_first, !wishes_first] {
            if wishes {
                self.restore_wishes();
            } else {
                self.restore_registrations();
            }
        }
        for stored in self.store.values.values() {
            let home = usize::from(directory.home(&stored.endpoint));
            assert!(self.shards[home].restore_values(stored.clone()));
        }
        for stored in self.store.operations.values() {
            let home = usize::from(directory.home(&stored.endpoint));
            self.shards[home].restore_operation(self.now, stored.clone(), &mut self.rng);
        }
        for stored in self.store.awake_times.values() {
            let home = usize::from(directory.home(&stored.endpoint));
            self.shards[home].restore_awake_time(stored);
        }
        self.restarts_at = None;
    }

    fn restore_registrations(&mut self) {
        for stored in self.store.registrations.values() {
            let owner = Shard::owner(stored, self.shard_count);
            let shard = &mut self.shards[usize::from(owner)];
            assert!(shard.restore(self.now, stored), "{stored:?}");
        }
    }

    fn restore_wishes(&mut self) {
        for stored in self.store.wishes.values() {
            let home = usize::from(self.directory.home(&stored.endpoint));
            assert!(self.shards[home].restore_wish(stored));
        }
    }

    pub(crate) fn crash_server(&mut self) {
        self.shards.clear();
        self.mail.clear();
        self.store.crash();
        self.server_life += 1;
        self.restarts_at = Some(self.now + DOWN);
        self.check_that_promises_are_kept();
    }

    /// What a device was told is what lies on disk.
    fn check_that_promises_are_kept(&self) {
        for (index, device) in self.devices.iter().enumerate() {
            if !self.is_registered(index) || device.boots_at.is_some() {
                continue;
            }
            let stored = self.store.registrations.get(&device.name);
            let stored = stored.unwrap_or_else(|| panic!("{} was acknowledged", device.name));
            let location = format!("/rd/{}", stored.registration_id);
            if self.network.stats().duplicated == 0 {
                assert_eq!(
                    location,
                    device.location(),
                    "{} was acknowledged",
                    device.name
                );
            }
        }
    }

    /// Grows with each crash of the server.
    pub(crate) fn life(&self) -> u32 {
        self.server_life
    }

    pub(crate) fn is_up(&self) -> bool {
        !self.shards.is_empty()
    }

    /// One more thing is about to happen; perhaps it is the moment of the incident.
    fn point(&mut self) {
        self.points += 1;
        if let Some((at, incident)) = self.incident
            && at == self.points
        {
            self.strike(incident);
        }
    }

    pub(crate) fn strike(&mut self, incident: Incident) {
        self.struck_at = Some(self.now);
        match incident {
            Incident::ServerCrash => self.crash_server(),
            Incident::DeviceRestart(index) => self.restart_device(index),
            Incident::Rebind(index, address) => {
                let host = self.devices[index].host;
                self.network.rebind(host, address);
            }
            Incident::Swap(one, other) => self.swap(one, other),
        }
    }

    // ---- inputs and what comes out

    /// The kernel steers by the source address.
    pub(crate) fn steer(&self, from: SocketAddr) -> u16 {
        from.port() % self.shard_count
    }

    pub(crate) fn shard_input(&mut self, shard: u16, input: Input<'_>) {
        let Some(engine) = self.shards.get_mut(usize::from(shard)) else {
            return;
        };
        let mut todo = Vec::new();
        let mut outputs = engine.handle(self.now, input, &mut self.rng);
        while let Some(output) = outputs.next() {
            todo.push(match output {
                Output::Transmit { to, bytes, .. } => Todo::Transmit(to, bytes.to_vec()),
                Output::Persist { sequence, change } => Todo::Persist(sequence, change),
                Output::Event { endpoint, kind, .. } => Todo::Event(endpoint, kind),
                Output::Reply { id, reply } => Todo::Reply(id, reply),
                Output::Handover {
                    shard,
                    from,
                    hops,
                    bytes,
                    ..
                } => Todo::Mail(shard, Mail::Datagram(from, hops, bytes.to_vec())),
                Output::Ended { .. } => continue,
                Output::Evict {
                    shard,
                    endpoint,
                    epoch,
                } => Todo::Mail(shard, Mail::Evict(endpoint, epoch)),
            });
        }
        drop(outputs);
        let life = self.server_life;
        for todo in todo {
            self.point();
            if self.server_life != life {
                return;
            }
            match todo {
                Todo::Transmit(to, bytes) => self.transmit(self.server, to, &bytes),
                Todo::Persist(sequence, change) => {
                    self.store.persist(self.now, shard, sequence, change);
                }
                Todo::Event(endpoint, kind) => self.events.push((self.now, endpoint, kind)),
                Todo::Reply(id, reply) => {
                    assert!(self.replies.insert(id, reply).is_none(), "one reply each");
                }
                Todo::Mail(to, mail) => {
                    assert_ne!(to, shard, "nobody writes to himself");
                    self.mail.push_back((self.now + MAIL, to, mail));
                }
            }
        }
    }

    pub(crate) fn device_input(&mut self, index: usize, input: ClientInput<'_>) {
        let device = &mut self.devices[index];
        if device.boots_at.is_some() {
            return;
        }
        let mut todo = Vec::new();
        let mut outputs = device.engine.handle(self.now, &mut self.rng, input);
        while let Some(output) = outputs.next() {
            match output {
                ClientOutput::Transmit { to, bytes } => todo.push((to, bytes.to_vec())),
                ClientOutput::Event(event) => {
                    device.deaf |= device.dozes && matches!(event, ClientEvent::MaySleep);
                    device.events.push((self.now, event));
                }
            }
        }
        drop(outputs);
        let (host, life) = (device.host, device.life);
        let next = device.engine.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "all that was due is done"
        );
        for (to, bytes) in todo {
            self.point();
            let device = &mut self.devices[index];
            if device.life != life {
                return;
            }
            device.deaf &= !device.dozes;
            self.transmit(host, to, &bytes);
        }
    }

    pub(crate) fn transmit(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.trace.len() >= 60 {
            self.trace.pop_front();
        }
        let seen = self.network.address_of(from);
        self.trace.push_back((self.now, seen, to, bytes.to_vec()));
        self.network.send(self.now, from, to, bytes);
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.point();
        if to == self.server {
            if self.is_refused(bytes) {
                return self.refuse(from, bytes);
            }
            let shard = self.steer(from);
            let socket = Socket::Coap;
            let input = Input::Datagram {
                socket,
                from,
                bytes,
            };
            return self.shard_input(shard, input);
        }
        let index = self.devices.iter().position(|device| device.host == to);
        if let Some(index) = index
            && !self.devices[index].deaf
        {
            self.device_input(index, ClientInput::Datagram { from, bytes });
        }
    }

    fn is_refused(&self, bytes: &[u8]) -> bool {
        let Ok(message) = Message::parse(bytes) else {
            return false;
        };
        message.values(OptionNumber::URI_QUERY).any(|query| {
            self.refused
                .iter()
                .any(|version| query == format!("lwm2m={version}").as_bytes())
        })
    }

    fn refuse(&mut self, from: SocketAddr, bytes: &[u8]) {
        let message = Message::parse(bytes).expect("looked at before");
        let mut buffer = [0; 64];
        let (id, token) = (message.message_id, message.token);
        let code = Code::PRECONDITION_FAILED;
        let length = MessageWriter::new(&mut buffer, Type::Acknowledgement, code, id, token)
            .finish()
            .expect("it fits");
        self.transmit(self.server, from, &buffer[..length]);
    }

    // ---- time

    fn next_moment(&self) -> Option<Instant> {
        let shards = self.shards.iter().map(Shard::next_timeout);
        let devices = self
            .devices
            .iter()
            .map(|device| device.boots_at.or_else(|| device.engine.next_timeout()));
        [
            self.network.next_arrival(),
            self.store.next_commit(),
            self.mail.front().map(|(at, ..)| *at),
            self.restarts_at,
        ]
        .into_iter()
        .chain(shards)
        .chain(devices)
        .flatten()
        .min()
    }

    /// Goes to the next moment and lets happen what is due; `false` when it is later than `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let Some(moment) = self.next_moment().filter(|moment| *moment <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(moment);
        let now = self.now;
        if self.restarts_at.is_some_and(|at| at <= now) {
            self.start_server();
        }
        let durable = self.store.commit(now);
        if !durable.is_empty() {
            let life = self.server_life;
            self.point();
            for (shard, through) in durable {
                if self.server_life == life {
                    self.shard_input(shard, Input::Durable { through });
                }
            }
        }
        while self.mail.front().is_some_and(|(at, ..)| *at <= now) {
            match self.mail.pop_front() {
                Some((_, shard, Mail::Datagram(from, hops, bytes))) => {
                    let input = Input::HandedOver {
                        socket: Socket::Coap,
                        from,
                        bytes: &bytes,
                        hops,
                    };
                    self.shard_input(shard, input);
                }
                Some((_, shard, Mail::Evict(endpoint, epoch))) => {
                    self.shard_input(shard, Input::Command(Command::Evict { endpoint, epoch }));
                }
                None => break,
            }
        }
        while let Some(delivery) = self.network.receive(now) {
            self.deliver(delivery.from, delivery.to, &delivery.bytes);
        }
        for shard in 0..self.shard_count {
            let engine = self.shards.get(usize::from(shard));
            if engine
                .and_then(Shard::next_timeout)
                .is_some_and(|at| at <= now)
            {
                self.shard_input(shard, Input::Timeout);
            }
        }
        for index in 0..self.devices.len() {
            let device = &mut self.devices[index];
            if device.boots_at.is_some_and(|at| at <= now) {
                device.boots_at = None;
                self.connect(index);
            } else if device.engine.next_timeout().is_some_and(|at| at <= now) {
                self.device_input(index, ClientInput::Timer);
            }
        }
        true
    }

    /// Lets everything happen that falls due within the duration.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let (mut moment, mut steps) = (self.now, 0);
        while self.step(end) {
            steps = if moment == self.now { steps + 1 } else { 0 };
            assert!(steps < 1000, "time does not go on");
            moment = self.now;
        }
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// Goes on until it is so.
    #[track_caller]
    pub(crate) fn until(&mut self, at_most: Duration, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + at_most;
        while !is_so(self) {
            assert!(
                self.step(end),
                "it does not come to pass within {at_most:?}"
            );
        }
    }
}
