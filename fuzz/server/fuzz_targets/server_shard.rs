//! A shard under any devices and operators: what it sends is well-formed, every command is
//! answered exactly once, work comes to an end at every moment, and timers go forward.
#![no_main]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::{ById, Dice, Input, step};
use dunlin_lwm2m::definition::{ResourceType, Types};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, ObjectVersion, OwnedRecord, OwnedValue, Path};
use dunlin_server::Socket;
use dunlin_server::api::{Observed, OperateOptions, QueueOptions};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{
    Command, Input as ShardInput, Limits, ObjectTypes, Output, QueueLimits, Reply, Shard,
    ShardConfig,
};
use libfuzzer_sys::fuzz_target;

const PEERS: usize = 4;
const NAMES: [&str; 4] = ["a", "b", "long name/with #\"'", "z"];

struct Models;

impl ObjectTypes for Models {
    fn resource_type(
        &self,
        object: u16,
        _version: ObjectVersion,
        resource: u16,
    ) -> Option<ResourceType> {
        ById.resource_type(object, resource)
    }
}

struct World {
    shard: Shard,
    limits: Limits,
    dice: Dice,
    now: Instant,
    message_id: u16,
    sequence: u64,
    next_id: u64,
    /// Commands without an answer.
    waiting: HashMap<u64, &'static str>,
    /// The last request to each peer, and the last location given to it.
    requests: [Vec<u8>; PEERS],
    locations: [Vec<u8>; PEERS],
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let limits = Limits {
        registrations: 3,
        endpoint_bytes: 40,
        body_bytes: 200,
        links: 10,
        uploads: 2,
        operations_per_device: 4,
        operations: 6,
        answer_bytes: 300,
        records: 20,
        wishes_per_device: 3,
        exchanges: 3,
        paced: 2,
        seen: 16,
        reply_bytes: 600,
        queue: QueueLimits {
            operations_per_device: 3,
            operations: 5,
            attempts: 2,
            results_per_device: 2,
            results: 4,
            awake_times: 1,
            ..QueueLimits::default()
        },
        ..Limits::default()
    };
    let shards = 1 + u16::from(input.bool());
    let config = ShardConfig {
        shards,
        limits,
        durable: input.bool(),
        models: Arc::new(Models),
        ..ShardConfig::single(Arc::new(Directory::new(shards, 7)))
    };
    let mut world = World {
        shard: Shard::new(config),
        limits,
        dice: Dice(u64::from(input.byte())),
        now: Instant::from_secs(1),
        message_id: 0,
        sequence: 0,
        next_id: 0,
        waiting: HashMap::new(),
        requests: Default::default(),
        locations: Default::default(),
    };
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        world.turn(&mut input);
    }
    // Left alone, every operation ends.
    world.durable();
    world.pass(world.now + Duration::from_secs(4000));
    assert!(world.waiting.is_empty(), "without an answer: {:?}", world.waiting);
});

fn address(peer: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1000 + peer as u16))
}

fn path(input: &mut Input<'_>) -> Path {
    let ids = [3, 0, u16::from(input.byte() % 32), 0];
    Path::from_ids(&ids[..input.below(5)]).unwrap_or(Path::ROOT)
}

fn value(input: &mut Input<'_>) -> OwnedValue {
    match input.byte() % 4 {
        0 => OwnedValue::Integer(5),
        1 => OwnedValue::String("text".repeat(input.below(60))),
        2 => OwnedValue::Float(f64::NAN),
        _ => OwnedValue::Opaque(vec![1; 10 * input.below(250)]),
    }
}

impl World {
    fn turn(&mut self, input: &mut Input<'_>) {
        let peer = input.below(PEERS);
        match input.byte() % 20 {
            0..=2 => self.register(peer, input),
            3 => self.send(peer, input),
            4 => self.at_location(peer, input),
            5..=9 => self.answer(peer, input),
            10 => {
                let length = input.below(100);
                let datagram = input.slice(length).to_vec();
                self.receive(peer, &datagram);
            }
            11..=14 => self.command(input),
            15 => self.durable(),
            16 | 17 => {
                if let Some(next) = self.shard.next_timeout() {
                    self.pass(next.max(self.now));
                }
            }
            _ => {
                let now = step(self.now, input);
                self.pass(now);
            }
        }
    }

    fn id(&mut self, input: &mut Input<'_>) -> u16 {
        if input.byte() > 20 {
            self.message_id = self.message_id.wrapping_add(1);
        }
        self.message_id
    }

    fn register(&mut self, peer: usize, input: &mut Input<'_>) {
        let id = self.id(input);
        let ty = if input.byte() > 240 { Type::NonConfirmable } else { Type::Confirmable };
        let mut buffer = [0; 400];
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, id, &[7]);
        writer.option(OptionNumber::URI_PATH, b"rd");
        if input.byte() > 10 {
            writer.uint(OptionNumber::CONTENT_FORMAT, 40);
        }
        if input.byte() > 10 {
            let name = format!("ep={}", NAMES[input.below(NAMES.len())]);
            writer.option(OptionNumber::URI_QUERY, name.as_bytes());
        }
        let lifetime = input.choose(&["lt=60", "lt=60", "lt=0", "lt=1", "lt=4294967295", "lt=x"]);
        writer.option(OptionNumber::URI_QUERY, lifetime.as_bytes());
        let version = input.choose(&["lwm2m=1.1", "lwm2m=1.0", "lwm2m=1.2", "lwm2m=9.9"]);
        writer.option(OptionNumber::URI_QUERY, version.as_bytes());
        if input.byte() > 200 {
            let more = input.choose(&["b=UQ", "b=U", "Q", "b=UT", "sms=1", "pid=6:1", "pid=\"6:1,6:2\"", "x=y", "lt=2"]);
            writer.option(OptionNumber::URI_QUERY, more.as_bytes());
        }
        if input.byte() > 220 {
            let value = u32::from(input.byte() % 4) << 4 | u32::from(input.byte());
            writer.uint(OptionNumber::BLOCK1, value);
        }
        let list = match input.byte() {
            0..200 => &b"</1/0>,</3/0>"[..],
            200..220 => b"</>;rt=\"oma.lwm2m\";ct=\"110 112\",</3>;ver=1.1,</3/0>,</1/0>,</5>",
            220..230 => b"</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>",
            230..240 => b"</1/0>,</3/0>;a",
            _ => {
                let length = input.below(60);
                input.slice(length)
            }
        };
        writer.payload(list);
        let Ok(length) = writer.finish() else { return };
        self.receive(peer, &buffer[..length]);
    }

    /// A Send, whole or in blocks.
    fn send(&mut self, peer: usize, input: &mut Input<'_>) {
        let id = self.id(input);
        let ty = input.choose(&[Type::Confirmable, Type::Confirmable, Type::NonConfirmable]);
        let mut buffer = [0; 400];
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, id, &[9]);
        writer.option(OptionNumber::URI_PATH, b"dp");
        let (format, payload) = match input.byte() {
            0..120 => (110, &br#"[{"bn":"/3/0/","n":"2","v":1},{"n":"6","t":-5,"v":2}]"#[..]),
            120..180 => (112, &b"\x81\xA2\x00\x66/3/0/6\x02\x01"[..]),
            180..220 => (11544, &b"\xA1\x03\xA1\x00\xA1\x06\x01"[..]),
            _ => {
                let format = input.choose(&[110, 112, 11544, 0, 320]);
                let length = input.below(60);
                (format, input.slice(length))
            }
        };
        writer.uint(OptionNumber::CONTENT_FORMAT, format);
        if input.byte() > 220 {
            writer.uint(OptionNumber::BLOCK1, u32::from(input.byte()));
        }
        writer.payload(payload);
        let Ok(length) = writer.finish() else { return };
        self.receive(peer, &buffer[..length]);
    }

    /// Update, De-register, or something else at a location.
    fn at_location(&mut self, peer: usize, input: &mut Input<'_>) {
        let id = self.id(input);
        let code = input.choose(&[Code::POST, Code::POST, Code::DELETE, Code::GET, Code::PUT]);
        let mut buffer = [0; 400];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, code, id, &[8]);
        writer.option(OptionNumber::URI_PATH, b"rd");
        // Sometimes that of another.
        let location = self.locations[if input.byte() > 240 { 0 } else { peer }].clone();
        writer.option(OptionNumber::URI_PATH, &location);
        if input.byte() > 200 {
            writer.uint(OptionNumber::CONTENT_FORMAT, 40);
        }
        if input.byte() > 150 {
            let query = input.choose(&["lt=2", "lt=60", "b=U", "Q", "lt=-1", "ep=x", "pid=6:1"]);
            writer.option(OptionNumber::URI_QUERY, query.as_bytes());
        }
        if input.byte() > 200 {
            writer.payload(input.choose(&[&b"</1/0>,</3/0>,</3303/0>"[..], b"</1/0>", b"<"]));
        }
        let Ok(length) = writer.finish() else { return };
        self.receive(peer, &buffer[..length]);
    }

    /// Answers the last request to a peer, or notifies with its token.
    fn answer(&mut self, peer: usize, input: &mut Input<'_>) {
        let request = self.requests[peer].clone();
        let Ok(request) = Message::parse(&request) else { return };
        let mut ty = input.choose(&[
            Type::Acknowledgement,
            Type::Acknowledgement,
            Type::Acknowledgement,
            Type::Confirmable,
            Type::NonConfirmable,
            Type::Reset,
        ]);
        let mut id = request.message_id;
        if matches!(ty, Type::Confirmable | Type::NonConfirmable) {
            id = self.id(input);
        }
        let code = match input.byte() {
            0..200 => Code::CONTENT,
            200..210 => Code::CHANGED,
            210..220 => Code::EMPTY,
            220..225 => Code::CREATED,
            225..230 => Code::CONTINUE,
            230..240 => Code::NOT_FOUND,
            240..245 => Code::REQUEST_ENTITY_TOO_LARGE,
            245..250 => Code::REQUEST_ENTITY_INCOMPLETE,
            _ => Code(input.byte()),
        };
        let mut buffer = [0; 1400];
        if ty == Type::Reset || (ty == Type::Acknowledgement && code == Code::EMPTY) {
            let length = MessageWriter::empty(&mut buffer, ty, id).finish().unwrap_or(0);
            self.receive(peer, &buffer[..length]);
            return;
        }
        if code == Code::EMPTY {
            ty = Type::Acknowledgement;
        }
        let mut writer = MessageWriter::new(&mut buffer, ty, code, id, request.token);
        if input.byte() > 200 {
            writer.option(OptionNumber::ETAG, &[input.byte() % 2]);
        }
        if request.observe().is_some() || input.byte() > 220 {
            writer.uint(OptionNumber::OBSERVE, input.u32() & 0xFF_FFFF);
        }
        if input.byte() > 240 {
            writer.option(OptionNumber::LOCATION_PATH, b"3");
            writer.option(OptionNumber::LOCATION_PATH, b"7");
        }
        let format = match request.accept() {
            Some(accept) if input.byte() < 200 => u32::from(accept),
            _ => input.choose(&[0, 42, 60, 110, 112, 11542, 11543, 11544, 320, 40, 9]),
        };
        writer.uint(OptionNumber::CONTENT_FORMAT, format);
        let payload = match input.byte() {
            0..20 => &b""[..],
            20..40 => b"1",
            40..60 => b"</3/0>;pmin=1,</3/0/9>",
            60..90 => b"\xC1\x02\x64",
            90..120 => b"\x08\x00\x03\xC1\x02\x64",
            120..150 => br#"[{"bn":"/3/0/","n":"2","v":1},{"n":"6","t":-5,"v":2}]"#,
            150..170 => b"\x81\xA2\x00\x66/3/0/6\x02\x01",
            170..220 => {
                let value = u32::from(input.byte());
                writer.uint(OptionNumber::BLOCK2, value);
                if input.byte() > 200 {
                    writer.uint(OptionNumber::BLOCK1, u32::from(input.byte()));
                }
                if input.byte() > 200 {
                    writer.uint(OptionNumber::SIZE2, input.u32());
                }
                &[b'1'; 1024][..16 << (value & 7).min(6)]
            }
            220..235 => {
                if let Some(block) = request.uint(OptionNumber::BLOCK1) {
                    writer.uint(OptionNumber::BLOCK1, block);
                }
                b""
            }
            _ => {
                let length = input.below(60);
                input.slice(length)
            }
        };
        writer.payload(payload);
        let Ok(length) = writer.finish() else { return };
        self.receive(peer, &buffer[..length]);
    }

    fn command(&mut self, input: &mut Input<'_>) {
        self.next_id += 1;
        let id = self.next_id;
        let endpoint = NAMES[input.below(NAMES.len())].to_owned();
        let accept = input.choose(&[None, None, Some(ContentFormat::TLV), Some(ContentFormat(9))]);
        let name;
        let command = match input.byte() % 16 {
            0 => {
                name = "device";
                Command::Device { id, endpoint }
            }
            1 => {
                name = "devices";
                let after = input.bool().then_some(endpoint);
                let query = input.choose(&["", "a", "B"]).to_owned();
                Command::Devices { id, query, after, limit: input.below(3) }
            }
            2 => {
                name = "remove";
                Command::Remove { id, endpoint }
            }
            3 | 4 => {
                name = "add wish";
                let attributes = input.choose(&[&[][..], &[("pmin", 1.0)], &[("gt", f64::NAN)]]);
                let attributes = attributes
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), Some(*value)))
                    .collect();
                let observed = if input.byte() > 150 {
                    Observed::composite((0..input.below(4)).map(|_| path(input)).collect())
                } else {
                    Observed::path(path(input))
                };
                let parameters = input.choose(&[&[][..], &[], &[("pmin", 1.0)], &[("st", -1.0)]]);
                let parameters = parameters
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), Some(*value)))
                    .collect();
                let observed = Observed { parameters, ..observed.with_attributes(attributes) };
                Command::AddWish { id, endpoint, observed }
            }
            5 => {
                name = "remove wish";
                Command::RemoveWish { id, endpoint, wish: u64::from(input.byte() % 8) }
            }
            6 => {
                name = "wishes";
                Command::Wishes { id, endpoint }
            }
            7 => {
                name = "stats";
                Command::Stats { id }
            }
            9 => {
                name = "cancel";
                Command::Cancel { id, endpoint, operation: u64::from(input.byte() % 16) }
            }
            10 => {
                name = "awake time";
                let seconds = input.bool().then_some(u32::from(input.byte()));
                Command::SetAwakeTime { id, endpoint, seconds }
            }
            11 => {
                name = "sends";
                Command::Sends { id, endpoint, limit: input.below(5) }
            }
            8 if input.byte() > 200 => {
                self.handle(ShardInput::Command(Command::Evict {
                    endpoint,
                    epoch: u64::from(input.byte()),
                }));
                return;
            }
            _ => {
                name = "operate";
                let path = path(input);
                let records = |input: &mut Input<'_>| {
                    (0..input.below(4))
                        .map(|_| OwnedRecord::new(crate::path(input), value(input)))
                        .collect::<Vec<_>>()
                };
                let operation = match input.byte() % 12 {
                    9 => Operation::ReadComposite {
                        paths: (0..input.below(4))
                            .map(|_| OwnedRecord { path: crate::path(input), time: None, value: None })
                            .collect(),
                        accept,
                    },
                    10 => {
                        let mut body = records(input);
                        if let Some(record) = body.first_mut().filter(|_| input.bool()) {
                            record.value = None;
                        }
                        Operation::WriteComposite { body }
                    }
                    0 | 1 => Operation::Read { path, accept },
                    2 => Operation::Discover { path, depth: input.bool().then_some(input.byte() % 5) },
                    3 | 4 => {
                        let mode = input.choose(&[WriteMode::Replace, WriteMode::Update]);
                        Operation::Write { path, mode, body: records(input) }
                    }
                    5 => Operation::WriteAttributes {
                        path,
                        attributes: vec![("pmin".to_owned(), Some(f64::from(input.byte())))],
                    },
                    6 => {
                        let arguments = input.choose(&["", "0='a'", "bad", "5"]).to_owned();
                        Operation::Execute { path, arguments }
                    }
                    7 => {
                        let body = if input.bool() { Some(records(input)) } else { None };
                        Operation::Create { object: 3, body }
                    }
                    8 => Operation::Delete { path },
                    _ => Operation::Observe {
                        path,
                        accept,
                        parameters: dunlin_lwm2m::Attributes::NONE,
                    },
                };
                let timeout = Duration::from_secs(u64::from(input.byte()));
                let confirmable = timeout.as_secs() % 3 != 0;
                let options = OperateOptions { format: accept, timeout, confirmable };
                let queue = QueueOptions {
                    format: accept,
                    ttl: timeout * 4,
                    priority: i16::from(input.byte() % 4),
                };
                match input.byte() % 4 {
                    0 => Command::Enqueue { id, endpoint, operation, queue },
                    1 => Command::Request { id, endpoint, operation, options, queue },
                    _ => Command::Operate { id, endpoint, operation, options },
                }
            }
        };
        self.waiting.insert(id, name);
        self.handle(ShardInput::Command(command));
    }

    fn durable(&mut self) {
        let through = self.sequence;
        self.handle(ShardInput::Durable { through });
    }

    fn receive(&mut self, peer: usize, bytes: &[u8]) {
        let from = address(peer);
        let socket = Socket::Coap;
        self.handle(ShardInput::Datagram {
            socket,
            from,
            bytes,
        });
    }

    fn pass(&mut self, until: Instant) {
        while let Some(next) = self.shard.next_timeout()
            && next <= until
        {
            self.now = next.max(self.now);
            let mut turns = 0;
            while self.shard.next_timeout().is_some_and(|next| next <= self.now) {
                self.handle(ShardInput::Timeout);
                turns += 1;
                assert!(turns < 200, "time does not go on");
            }
        }
        self.now = self.now.max(until);
    }

    fn handle(&mut self, input: ShardInput<'_>) {
        let now = self.now;
        let mut outputs = self.shard.handle(now, input, &mut self.dice);
        let mut devices = None;
        let mut count = 0;
        while let Some(output) = outputs.next() {
            count += 1;
            assert!(count < 500, "never ends");
            match output {
                Output::Transmit { to, bytes, .. } => {
                    assert!(bytes.len() <= 1232);
                    let message = Message::parse(bytes).expect("a well-formed message");
                    let peer = usize::from(to.port()) - 1000;
                    if message.code.is_request() {
                        self.requests[peer] = bytes.to_vec();
                    }
                    let location = message.values(OptionNumber::LOCATION_PATH).last();
                    if let Some(location) = location {
                        self.locations[peer] = location.to_vec();
                    }
                }
                Output::Persist { sequence, .. } => {
                    assert_eq!(sequence, self.sequence + 1);
                    self.sequence = sequence;
                }
                Output::Reply { id, reply } => {
                    assert!(self.waiting.remove(&id).is_some(), "{id} is answered twice");
                    if let Reply::Stats(stats) = reply {
                        devices = Some(stats.devices);
                    }
                }
                Output::Event { time, .. } => assert!(time.is_finite()),
                Output::Ended { operation } => assert!(operation > 0),
                Output::Handover { shard, .. } | Output::Evict { shard, .. } => {
                    assert_eq!(shard, 1);
                }
            }
        }
        if let Some(devices) = devices {
            assert!(devices <= u64::from(self.limits.registrations));
        }
    }
}
