//! A shard in virtual time, and devices that say exactly what a test wants.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Rng, Type};
use dunlin_lwm2m::definition::ResourceType;
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{DataType, ObjectVersion, OwnedRecord, Path};
use dunlin_server::Socket;
use dunlin_server::api::{
    AttributeChanges, Device, DeviceOperation, EventKind, NotCancelled, Observed, OperateError,
    OperateOptions, OperationState, Outcome, QueueOptions, QueuedOperation, Stats, Wish,
};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{
    Command, Input, Limits, ObjectTypes, Output, Persist, Reply, Shard, ShardConfig,
};

/// Unix time at the origin of virtual time.
pub const ORIGIN: f64 = 1_795_000_000.0;

pub struct Dice(pub u64);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}

/// The types of the few resources the tests use.
pub struct Models;

impl ObjectTypes for Models {
    fn resource_type(
        &self,
        object: u16,
        _version: ObjectVersion,
        resource: u16,
    ) -> Option<ResourceType> {
        let (data_type, multiple) = match (object, resource) {
            (1, 1) | (3, 9) => (DataType::Integer, false),
            (3, 0 | 1) => (DataType::String, false),
            (3, 7) => (DataType::Integer, true),
            (3, 4) => {
                return Some(ResourceType {
                    data_type: None,
                    multiple: false,
                });
            }
            (5, 0) => (DataType::Opaque, false),
            (3303, 5700) => (DataType::Float, false),
            (3303, 5750) => (DataType::String, false),
            _ => return None,
        };
        Some(ResourceType {
            data_type: Some(data_type),
            multiple,
        })
    }
}

#[derive(Debug)]
pub struct Sent {
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("the shard sends messages")
    }

    pub fn path(&self) -> String {
        let segments = self.message().values(OptionNumber::URI_PATH);
        segments
            .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
            .collect()
    }

    pub fn queries(&self) -> Vec<String> {
        let queries = self.message().values(OptionNumber::URI_QUERY);
        queries
            .map(|query| String::from_utf8_lossy(query).into_owned())
            .collect()
    }
}

/// One shard, and everything it put out since it was last asked for.
pub struct World {
    pub shard: Shard,
    pub now: Instant,
    pub dice: Dice,
    pub sent: Vec<Sent>,
    /// What the `coaps` socket sent.
    pub records: Vec<Sent>,
    pub persisted: Vec<(u64, Persist)>,
    pub events: Vec<(String, EventKind)>,
    pub replies: Vec<(u64, Reply)>,
    pub handed_over: Vec<(u16, SocketAddr, Vec<u8>)>,
    pub evicted: Vec<(u16, String, u64)>,
    pub ended: Vec<u64>,
    next_id: u64,
}

pub fn small() -> Limits {
    Limits {
        exchanges: 64,
        seen: 1024,
        reply_bytes: 64 * 1024,
        ..Limits::default()
    }
}

pub fn config() -> ShardConfig {
    ShardConfig {
        limits: small(),
        unix_origin: ORIGIN,
        models: Arc::new(Models),
        ..ShardConfig::single(Arc::new(Directory::new(1, 7)))
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn durable() -> Self {
        Self::with(ShardConfig {
            durable: true,
            ..config()
        })
    }

    pub fn with(config: ShardConfig) -> Self {
        Self {
            dice: Dice(42 + u64::from(config.index)),
            shard: Shard::new(config),
            now: Instant::from_secs(1000),
            sent: Vec::new(),
            records: Vec::new(),
            persisted: Vec::new(),
            events: Vec::new(),
            replies: Vec::new(),
            handed_over: Vec::new(),
            evicted: Vec::new(),
            ended: Vec::new(),
            next_id: 1,
        }
    }

    pub fn input(&mut self, input: Input<'_>) {
        let mut outputs = self.shard.handle(self.now, input, &mut self.dice);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { socket, to, bytes } => {
                    let queue = match socket {
                        Socket::Coap => &mut self.sent,
                        Socket::Coaps => &mut self.records,
                    };
                    queue.push(Sent {
                        to,
                        bytes: bytes.to_vec(),
                    });
                }
                Output::Persist { sequence, change } => self.persisted.push((sequence, change)),
                Output::Event { endpoint, kind, .. } => self.events.push((endpoint, kind)),
                Output::Reply { id, reply } => self.replies.push((id, reply)),
                Output::Handover {
                    shard, from, bytes, ..
                } => {
                    self.handed_over.push((shard, from, bytes.to_vec()));
                }
                Output::Ended { operation } => self.ended.push(operation),
                Output::Evict {
                    shard,
                    endpoint,
                    epoch,
                } => self.evicted.push((shard, endpoint, epoch)),
            }
        }
    }

    /// A datagram arrives; returns what was sent in answer.
    pub fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let before = self.sent.len();
        let socket = Socket::Coap;
        self.input(Input::Datagram {
            socket,
            from,
            bytes,
        });
        self.sent.drain(before..).collect()
    }

    /// Takes the records that were sent to an address.
    pub fn records_to(&mut self, address: SocketAddr) -> Vec<Vec<u8>> {
        let all = self.records.extract_if(.., |record| record.to == address);
        all.map(|record| record.bytes).collect()
    }

    /// A datagram arrives that is answered by exactly one other.
    pub fn exchange(&mut self, from: SocketAddr, bytes: &[u8]) -> Sent {
        let mut sent = self.datagram(from, bytes);
        assert_eq!(sent.len(), 1, "one answer expected: {sent:?}");
        sent.remove(0)
    }

    /// Time passes; whatever falls due meanwhile happens in its time.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.shard.next_timeout() {
            if due > end {
                break;
            }
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub fn durable_through(&mut self, through: u64) -> Vec<Sent> {
        let before = self.sent.len();
        self.input(Input::Durable { through });
        self.sent.drain(before..).collect()
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn reply(&mut self, id: u64) -> Option<Reply> {
        let at = self.replies.iter().position(|(other, _)| *other == id)?;
        Some(self.replies.remove(at).1)
    }

    /// Begins an operation; the request, if one goes out at once, is in `sent`.
    pub fn operate(&mut self, endpoint: &str, operation: DeviceOperation) -> u64 {
        self.operate_with(endpoint, operation, 30, None)
    }

    pub fn operate_with(
        &mut self,
        endpoint: &str,
        operation: DeviceOperation,
        seconds: u64,
        format: Option<dunlin_lwm2m::ContentFormat>,
    ) -> u64 {
        let id = self.id();
        self.input(Input::Command(Command::Operate {
            id,
            endpoint: endpoint.to_owned(),
            operation,
            options: OperateOptions {
                format,
                timeout: Duration::from_secs(seconds),
                confirmable: true,
            },
        }));
        id
    }

    pub fn outcome(&mut self, id: u64) -> Option<Result<Outcome, OperateError>> {
        match self.reply(id)? {
            Reply::Operated(outcome) => Some(outcome),
            other => panic!("{other:?}"),
        }
    }

    /// Queues an operation; the reply may wait for the store.
    pub fn enqueue(&mut self, endpoint: &str, operation: DeviceOperation) -> u64 {
        self.enqueue_with(endpoint, operation, QueueOptions::default())
    }

    pub fn enqueue_with(
        &mut self,
        endpoint: &str,
        operation: DeviceOperation,
        queue: QueueOptions,
    ) -> u64 {
        let id = self.id();
        self.input(Input::Command(Command::Enqueue {
            id,
            endpoint: endpoint.to_owned(),
            operation,
            queue,
        }));
        id
    }

    /// Asks for an operation that is queued if the device uses queue mode.
    pub fn request_of(&mut self, endpoint: &str, operation: DeviceOperation) -> u64 {
        let id = self.id();
        self.input(Input::Command(Command::Request {
            id,
            endpoint: endpoint.to_owned(),
            operation,
            options: OperateOptions {
                format: None,
                timeout: Duration::from_secs(30),
                confirmable: true,
            },
            queue: QueueOptions::default(),
        }));
        id
    }

    /// Asks as [`World::request_of`] does, by a Non-confirmable request.
    pub fn operate_non_confirmable(&mut self, endpoint: &str, operation: DeviceOperation) -> u64 {
        let id = self.id();
        self.input(Input::Command(Command::Request {
            id,
            endpoint: endpoint.to_owned(),
            operation,
            options: OperateOptions {
                format: None,
                timeout: Duration::from_secs(30),
                confirmable: false,
            },
            queue: QueueOptions::default(),
        }));
        id
    }

    /// The reply to an operation that was queued.
    pub fn queued(
        &mut self,
        id: u64,
    ) -> Option<Result<(Arc<QueuedOperation>, bool), OperateError>> {
        match self.reply(id)? {
            Reply::Queued(queued) => Some(queued),
            other => panic!("{other:?}"),
        }
    }

    /// Queues an operation, which must be taken at once; its number.
    pub fn must_enqueue(&mut self, endpoint: &str, operation: DeviceOperation) -> u64 {
        let id = self.enqueue(endpoint, operation);
        self.queued(id).expect("at once").expect("taken").0.id
    }

    pub fn cancel(
        &mut self,
        endpoint: &str,
        operation: u64,
    ) -> Result<Arc<QueuedOperation>, NotCancelled> {
        let id = self.begin_cancel(endpoint, operation);
        match self.reply(id) {
            Some(Reply::Cancelled(cancelled)) => cancelled,
            other => panic!("{other:?}"),
        }
    }

    /// Cancels an operation; the reply may wait for the store.
    pub fn begin_cancel(&mut self, endpoint: &str, operation: u64) -> u64 {
        let id = self.id();
        self.input(Input::Command(Command::Cancel {
            id,
            endpoint: endpoint.to_owned(),
            operation,
        }));
        id
    }

    pub fn set_awake_time(&mut self, endpoint: &str, seconds: Option<u32>) {
        let id = self.id();
        self.input(Input::Command(Command::SetAwakeTime {
            id,
            endpoint: endpoint.to_owned(),
            seconds,
        }));
        assert!(matches!(self.reply(id), Some(Reply::AwakeTimeSet(true))));
    }

    /// How an operation stands by the last event about it.
    pub fn state(&self, operation: u64) -> OperationState {
        let states = self.events.iter().rev().filter_map(|(_, kind)| match kind {
            EventKind::Operation(found) if found.id == operation => Some(found.state.clone()),
            _ => None,
        });
        states.into_iter().next().expect("an event about it")
    }

    pub fn device(&mut self, endpoint: &str) -> Option<Device> {
        let id = self.id();
        self.input(Input::Command(Command::Device {
            id,
            endpoint: endpoint.to_owned(),
        }));
        match self.reply(id) {
            Some(Reply::Device(device)) => device.map(|device| *device),
            other => panic!("{other:?}"),
        }
    }

    pub fn add_wish(
        &mut self,
        endpoint: &str,
        path: Path,
        attributes: AttributeChanges,
    ) -> Result<Wish, OperateError> {
        self.observe(endpoint, Observed::path(path).with_attributes(attributes))
    }

    pub fn observe(&mut self, endpoint: &str, observed: Observed) -> Result<Wish, OperateError> {
        let id = self.id();
        self.input(Input::Command(Command::AddWish {
            id,
            endpoint: endpoint.to_owned(),
            observed,
        }));
        match self.reply(id) {
            Some(Reply::Wish(wish)) => wish,
            other => panic!("{other:?}"),
        }
    }

    pub fn remove_wish(&mut self, endpoint: &str, wish: u64) -> bool {
        let id = self.id();
        self.input(Input::Command(Command::RemoveWish {
            id,
            endpoint: endpoint.to_owned(),
            wish,
        }));
        matches!(self.reply(id), Some(Reply::Removed(true)))
    }

    pub fn remove(&mut self, endpoint: &str) -> bool {
        let id = self.id();
        self.input(Input::Command(Command::Remove {
            id,
            endpoint: endpoint.to_owned(),
        }));
        matches!(self.reply(id), Some(Reply::Removed(true)))
    }

    pub fn wishes(&mut self, endpoint: &str) -> Option<Vec<Wish>> {
        let id = self.id();
        self.input(Input::Command(Command::Wishes {
            id,
            endpoint: endpoint.to_owned(),
        }));
        match self.reply(id) {
            Some(Reply::Wishes(wishes)) => wishes,
            other => panic!("{other:?}"),
        }
    }

    pub fn stats(&mut self) -> Stats {
        let id = self.id();
        self.input(Input::Command(Command::Stats { id }));
        match self.reply(id) {
            Some(Reply::Stats(stats)) => stats,
            other => panic!("{other:?}"),
        }
    }

    pub fn counter(&mut self, name: &str) -> u64 {
        let stats = self.stats();
        let found = stats.counters.iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("no counter {name}")).1
    }

    /// Takes the only request sent so far.
    pub fn request(&mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "one request expected: {:?}", self.sent);
        self.sent.remove(0)
    }

    /// Answers a request inside its acknowledgement.
    pub fn answer(
        &mut self,
        request: &Sent,
        code: Code,
        options: &[(OptionNumber, &[u8])],
        payload: &[u8],
    ) {
        let message = request.message();
        let answer = build(
            Type::Acknowledgement,
            code,
            message.message_id,
            message.token,
            options,
            payload,
        );
        self.input(Input::Datagram {
            socket: Socket::Coap,
            from: request.to,
            bytes: &answer,
        });
    }
}

pub const CF: OptionNumber = OptionNumber::CONTENT_FORMAT;
pub const TEXT: (OptionNumber, &[u8]) = (CF, &[]);
pub const SENML_JSON: (OptionNumber, &[u8]) = (CF, &[110]);
pub const LINK: (OptionNumber, &[u8]) = (CF, &[40]);

/// A message with options in their order.
pub fn build(
    ty: Type,
    code: Code,
    message_id: u16,
    token: &[u8],
    options: &[(OptionNumber, &[u8])],
    payload: &[u8],
) -> Vec<u8> {
    let mut buffer = vec![0; 70_000];
    let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id, token);
    for (number, value) in options {
        writer.option(*number, value);
    }
    writer.payload(payload);
    let length = writer.finish().expect("the message is legal");
    buffer.truncate(length);
    buffer
}

/// A device as it is on the wire.
pub struct Peer {
    pub address: SocketAddr,
    pub endpoint: String,
    pub message_id: u16,
    pub location: Vec<Vec<u8>>,
}

pub const LIST: &[u8] = b"</1/0>,</3/0>,</3303/0>";

impl Peer {
    pub fn new(number: u16) -> Self {
        Self {
            address: SocketAddr::from(([192, 0, 2, 1], 50_000 + number)),
            endpoint: format!("dev-{number}"),
            message_id: number.wrapping_mul(100),
            location: Vec::new(),
        }
    }

    pub fn next_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1);
        self.message_id
    }

    /// A Register with these queries behind `ep`.
    pub fn register_message(&mut self, queries: &[&str], list: &[u8]) -> Vec<u8> {
        let endpoint = format!("ep={}", self.endpoint);
        let mut all = vec![endpoint.as_str()];
        all.extend(queries);
        let message_id = self.next_id();
        register_message(message_id, &all, list)
    }

    /// Registers, and remembers the location.
    pub fn register(&mut self, world: &mut World, queries: &[&str], list: &[u8]) {
        let register = self.register_message(queries, list);
        let sent = world.datagram(self.address, &register);
        self.registered(sent.first().expect("an answer"));
    }

    pub fn registered(&mut self, answer: &Sent) {
        let message = answer.message();
        assert_eq!(message.code, Code::CREATED, "{message:?}");
        self.location = message
            .values(OptionNumber::LOCATION_PATH)
            .map(<[u8]>::to_vec)
            .collect();
        assert_eq!(self.location.len(), 2);
    }

    /// Registers with LwM2M 1.1 for 300 seconds.
    pub fn up(number: u16, world: &mut World) -> Self {
        let mut peer = Self::new(number);
        peer.register(world, &["lt=300", "lwm2m=1.1", "b=U"], LIST);
        peer
    }

    /// Registers with a server that answers once the store has it.
    pub fn up_durable(number: u16, world: &mut World) -> Self {
        let mut peer = Self::new(number);
        let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], LIST);
        assert!(world.datagram(peer.address, &register).is_empty());
        let through = world.persisted.last().expect("persisted").0;
        let sent = world.durable_through(through);
        peer.registered(sent.last().expect("an answer"));
        peer
    }

    pub fn at_location(&mut self, code: Code, queries: &[&str], list: &[u8]) -> Vec<u8> {
        let mut options: Vec<(OptionNumber, &[u8])> = Vec::new();
        for segment in &self.location {
            options.push((OptionNumber::URI_PATH, segment));
        }
        if !list.is_empty() {
            options.push(LINK);
        }
        for query in queries {
            options.push((OptionNumber::URI_QUERY, query.as_bytes()));
        }
        self.message_id = self.message_id.wrapping_add(1);
        build(
            Type::Confirmable,
            code,
            self.message_id,
            b"up",
            &options,
            list,
        )
    }

    pub fn update_message(&mut self, queries: &[&str]) -> Vec<u8> {
        self.at_location(Code::POST, queries, b"")
    }

    pub fn update(&mut self, world: &mut World, queries: &[&str]) -> Code {
        let update = self.update_message(queries);
        let sent = world.datagram(self.address, &update);
        sent.first().expect("an answer").message().code
    }

    /// A notification.
    pub fn notification(&mut self, ty: Type, token: &[u8], number: u32, payload: &[u8]) -> Vec<u8> {
        let number = number.to_be_bytes();
        let options = [(OptionNumber::OBSERVE, &number[1..]), TEXT];
        let message_id = self.next_id();
        build(ty, Code::CONTENT, message_id, token, &options, payload)
    }
}

pub fn register_message(message_id: u16, queries: &[&str], list: &[u8]) -> Vec<u8> {
    let mut options: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::URI_PATH, b"rd")];
    if !list.is_empty() {
        options.push(LINK);
    }
    for query in queries {
        options.push((OptionNumber::URI_QUERY, query.as_bytes()));
    }
    build(
        Type::Confirmable,
        Code::POST,
        message_id,
        b"tk",
        &options,
        list,
    )
}

pub fn read(path: Path) -> DeviceOperation {
    Operation::Read { path, accept: None }
}

pub fn values(outcome: Option<Result<Outcome, OperateError>>) -> Vec<OwnedRecord> {
    outcome.expect("an outcome").expect("success").records
}

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}
