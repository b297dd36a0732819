//! A client in virtual time, and a server made of raw messages.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses a part of it"
)]

pub mod enforced;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::objects::{
    Device, Firmware, Humidity, LightControl, Location, Temperature, text,
};
use dunlin_client::{
    Client, Code, Config, Event, Input, Instances, Instant, Output, Rng, Single, Version, objects,
};
use dunlin_coap::{Message, MessageWriter, OptionNumber, Type};

pub mod several;

pub mod firmware;
mod flash;

pub use flash::Flash;

pub const SERVER: &str = "192.0.2.1:5683";

/// A small generator with a seed.
pub struct Dice(pub u64);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as u32
    }
}

/// The objects of the device under test.
pub struct Things {
    pub device: Single<Device>,
    pub firmware: Firmware<Flash>,
    pub location: Single<Location>,
    pub temperature: Instances<Temperature, 4>,
    pub humidity: Instances<Humidity, 1>,
    pub light: Instances<LightControl, 2>,
}

objects!(Things {
    device,
    firmware,
    location,
    temperature,
    humidity,
    light
});

impl Things {
    pub fn new() -> Self {
        Self::with_flash(Flash::default())
    }

    pub fn with_flash(flash: Flash) -> Self {
        let device = Device {
            manufacturer: text("Dunlin"),
            power_sources: [(0, 1), (1, 5)].into_iter().collect(),
            voltages: [(0, 3800), (1, 5000)].into_iter().collect(),
            battery_level: Some(100),
            ..Device::default()
        };
        Self {
            device: Single::new(device),
            firmware: Firmware::new(flash),
            location: Single::new(Location::default()),
            temperature: Instances::new().with(0, Temperature::new(20.0)),
            humidity: Instances::new().fixed().with(0, Humidity::new(50.0)),
            light: Instances::new(),
        }
    }
}

pub type TestClient = Client<Things, 1, 6, 6, 2048, 1152>;

/// A client, its time, and what it sent and told.
pub struct World {
    pub client: TestClient,
    pub now: Instant,
    pub dice: Dice,
    pub sent: VecDeque<Vec<u8>>,
    pub events: Vec<Event>,
    pub server: SocketAddr,
    /// What was sent to others than the server.
    pub asked: VecDeque<(SocketAddr, Got)>,
    message_id: u16,
}

/// A message with its options by name.
#[derive(Debug, Clone)]
pub struct Got {
    pub ty: Type,
    pub code: Code,
    pub message_id: u16,
    pub token: Vec<u8>,
    pub payload: Vec<u8>,
    pub options: Vec<(u16, Vec<u8>)>,
    /// Options and payload as they stand on the wire.
    pub tail: Vec<u8>,
}

impl Got {
    pub fn parse(bytes: &[u8]) -> Self {
        let message = Message::parse(bytes).expect("the client sends well-formed messages");
        Self {
            ty: message.ty,
            code: message.code,
            message_id: message.message_id,
            token: message.token.to_vec(),
            payload: message.payload.to_vec(),
            options: message
                .options()
                .map(|option| (option.number.0, option.value.to_vec()))
                .collect(),
            tail: bytes[4 + message.token.len()..].to_vec(),
        }
    }

    pub fn uint(&self, number: OptionNumber) -> Option<u32> {
        let (_, value) = self.options.iter().find(|(found, _)| *found == number.0)?;
        Some(
            value
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
        )
    }

    pub fn texts(&self, number: OptionNumber) -> Vec<String> {
        self.options
            .iter()
            .filter(|(found, _)| *found == number.0)
            .map(|(_, value)| String::from_utf8(value.clone()).unwrap())
            .collect()
    }

    pub fn path(&self) -> String {
        format!("/{}", self.texts(OptionNumber::URI_PATH).join("/"))
    }

    pub fn query(&self) -> String {
        self.texts(OptionNumber::URI_QUERY).join("&")
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.payload.clone()).unwrap()
    }
}

/// What the server asks: a method, a path with query, and more.
#[derive(Clone)]
pub struct Ask {
    pub code: Code,
    pub uri: String,
    pub format: Option<u16>,
    pub accept: Option<u16>,
    pub observe: Option<u32>,
    pub block1: Option<u32>,
    pub block2: Option<u32>,
    pub size1: Option<u32>,
    pub payload: Vec<u8>,
    pub token: Vec<u8>,
    pub ty: Type,
}

pub fn ask(code: Code, uri: &str) -> Ask {
    Ask {
        code,
        uri: uri.to_owned(),
        format: None,
        accept: None,
        observe: None,
        block1: None,
        block2: None,
        size1: None,
        payload: Vec::new(),
        token: vec![0x42],
        ty: Type::Confirmable,
    }
}

pub fn get(uri: &str) -> Ask {
    ask(Code::GET, uri)
}

pub fn put(uri: &str, format: u16, payload: &[u8]) -> Ask {
    Ask {
        format: Some(format),
        payload: payload.to_vec(),
        ..ask(Code::PUT, uri)
    }
}

pub fn post(uri: &str, format: u16, payload: &[u8]) -> Ask {
    Ask {
        code: Code::POST,
        ..put(uri, format, payload)
    }
}

impl Ask {
    pub fn accept(self, format: u16) -> Self {
        Self {
            accept: Some(format),
            ..self
        }
    }

    pub fn observe(self, value: u32, token: &[u8]) -> Self {
        Self {
            observe: Some(value),
            token: token.to_vec(),
            ..self
        }
    }

    pub fn block1(self, number: u32, more: bool, szx: u32) -> Self {
        Self {
            block1: Some(number << 4 | u32::from(more) << 3 | szx),
            ..self
        }
    }

    pub fn block2(self, number: u32, szx: u32) -> Self {
        Self {
            block2: Some(number << 4 | szx),
            ..self
        }
    }

    pub fn non(self) -> Self {
        Self {
            ty: Type::NonConfirmable,
            ..self
        }
    }

    pub fn bytes(&self, message_id: u16) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let mut writer =
            MessageWriter::new(&mut buffer, self.ty, self.code, message_id, &self.token);
        if let Some(observe) = self.observe {
            writer.uint(OptionNumber::OBSERVE, observe);
        }
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        if let Some(format) = self.format {
            writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
        }
        for part in query.split('&').filter(|part| !part.is_empty()) {
            writer.option(OptionNumber::URI_QUERY, part.as_bytes());
        }
        if let Some(accept) = self.accept {
            writer.uint(OptionNumber::ACCEPT, u32::from(accept));
        }
        if let Some(block2) = self.block2 {
            writer.uint(OptionNumber::BLOCK2, block2);
        }
        if let Some(block1) = self.block1 {
            writer.uint(OptionNumber::BLOCK1, block1);
        }
        if let Some(size1) = self.size1 {
            writer.uint(OptionNumber::SIZE1, size1);
        }
        writer.payload(&self.payload);
        let length = writer.finish().unwrap();
        buffer.truncate(length);
        buffer
    }
}

impl World {
    pub fn new(version: Version) -> Self {
        Self::with(Config {
            version,
            ..Config::new("dev1")
        })
    }

    pub fn with(config: Config) -> Self {
        Self::with_things(config, Things::new())
    }

    pub fn with_things(config: Config, things: Things) -> Self {
        let mut dice = Dice(7);
        Self {
            client: Client::new(config, things, &mut dice),
            now: Instant::from_secs(1000),
            dice,
            sent: VecDeque::new(),
            events: Vec::new(),
            server: SERVER.parse().unwrap(),
            asked: VecDeque::new(),
            message_id: 0x1000,
        }
    }

    /// A registered client that has sent nothing else.
    pub fn registered(version: Version) -> Self {
        let mut world = Self::new(version);
        world.register();
        world
    }

    pub fn register(&mut self) {
        let server = self.server;
        self.client.connect(self.now, server);
        self.poll();
        let register = self.take();
        assert_eq!(register.path(), "/rd");
        self.answer_created(&register);
        assert!(matches!(self.events.last(), Some(Event::Registered { .. })));
        self.events.clear();
    }

    pub fn answer_created(&mut self, register: &Got) {
        self.answer(register, Code::CREATED, |writer| {
            writer
                .option(OptionNumber::LOCATION_PATH, b"rd")
                .option(OptionNumber::LOCATION_PATH, b"5a3f");
        });
    }

    pub fn input(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.run(Input::Datagram { from, bytes });
    }

    pub fn poll(&mut self) {
        self.run(Input::Timer);
    }

    fn run(&mut self, input: Input<'_>) {
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { to, bytes } if to == self.server => {
                    self.sent.push_back(bytes.to_vec());
                }
                Output::Transmit { to, bytes } => self.asked.push_back((to, Got::parse(bytes))),
                Output::Event(event) => self.events.push(event),
            }
        }
        // All that was due has been done.
        let next = self.client.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "{next:?} is not after {:?}",
            self.now
        );
    }

    /// Moves time to the client's next timeouts up to a moment, one by one.
    pub fn run_until(&mut self, end: Instant) {
        for _ in 0..10_000 {
            match self.client.next_timeout() {
                Some(next) if next <= end => {
                    self.now = self.now.max(next);
                    self.poll();
                }
                _ => {
                    self.now = self.now.max(end);
                    return;
                }
            }
        }
        panic!(
            "the client does not come to rest: {:?}",
            self.client.state()
        );
    }

    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        self.run_until(end);
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// The next datagram that went to somebody else.
    #[track_caller]
    pub fn take_asked(&mut self) -> (SocketAddr, Got) {
        self.asked
            .pop_front()
            .expect("the client asks somebody else")
    }

    /// The next datagram the client sent.
    #[track_caller]
    pub fn take(&mut self) -> Got {
        Got::parse(&self.sent.pop_front().expect("the client sends something"))
    }

    #[track_caller]
    pub fn assert_silent(&self) {
        assert!(self.asked.is_empty(), "{:?}", self.asked);
        let sent: Vec<Got> = self.sent.iter().map(|bytes| Got::parse(bytes)).collect();
        assert!(sent.is_empty(), "{sent:?}");
    }

    pub fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1);
        self.message_id
    }

    /// Sends a request of the server and returns the answer.
    #[track_caller]
    pub fn ask(&mut self, request: &Ask) -> Got {
        let message_id = self.next_message_id();
        let server = self.server;
        self.input(server, &request.bytes(message_id));
        let answer = self.take();
        assert_eq!(answer.token, request.token);
        if request.ty == Type::Confirmable {
            assert_eq!(
                (answer.ty, answer.message_id),
                (Type::Acknowledgement, message_id)
            );
        }
        answer
    }

    #[track_caller]
    pub fn code(&mut self, request: &Ask) -> String {
        self.ask(request).code.to_string()
    }

    /// Answers a request of the client inside the acknowledgement.
    pub fn answer(
        &mut self,
        request: &Got,
        code: Code,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) {
        let mut buffer = [0; 1152];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            code,
            request.message_id,
            &request.token,
        );
        write(&mut writer);
        let length = writer.finish().unwrap();
        let server = self.server;
        self.input(server, &buffer[..length]);
    }

    /// Answers with a code alone.
    pub fn answer_with(&mut self, request: &Got, code: Code) {
        self.answer(request, code, |_| {});
    }

    pub fn empty(&mut self, ty: Type, message_id: u16) {
        let mut buffer = [0; 8];
        let length = MessageWriter::empty(&mut buffer, ty, message_id)
            .finish()
            .unwrap();
        let server = self.server;
        self.input(server, &buffer[..length]);
    }

    pub fn set_temperature(&mut self, value: f64) {
        if let Some(temperature) = self.client.objects_mut().temperature.get_mut(0) {
            temperature.measure(value);
        }
        self.poll();
    }
}

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| (byte as char).to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A client whose datagrams are small.
pub struct Small {
    client: Client<(Single<Device>,), 1, 1, 1, 512, 128>,
    dice: Dice,
    now: Instant,
    message_id: u16,
}

pub fn small_client() -> Small {
    let mut dice = Dice(9);
    let objects = (Single::new(Device::default()),);
    let config = Config {
        version: Version::V1_1,
        ..Config::new("s")
    };
    let mut small = Small {
        client: Client::new(config, objects, &mut dice),
        dice,
        now: Instant::from_secs(1),
        message_id: 1,
    };
    small.client.connect(small.now, SERVER.parse().unwrap());
    let register = small.run(Input::Timer).remove(0);
    let mut buffer = [0; 64];
    let mut writer = MessageWriter::new(
        &mut buffer,
        Type::Acknowledgement,
        Code::CREATED,
        register.message_id,
        &register.token,
    );
    writer.option(OptionNumber::LOCATION_PATH, b"x");
    let length = writer.finish().unwrap();
    small.datagram(&buffer[..length]);
    small
}

impl Small {
    fn run(&mut self, input: Input<'_>) -> Vec<Got> {
        let mut sent = Vec::new();
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        while let Some(output) = outputs.next() {
            if let Output::Transmit { bytes, .. } = output {
                assert!(bytes.len() <= 128);
                sent.push(Got::parse(bytes));
            }
        }
        sent
    }

    fn datagram(&mut self, bytes: &[u8]) -> Vec<Got> {
        let from = SERVER.parse().unwrap();
        self.run(Input::Datagram { from, bytes })
    }

    pub fn ask(&mut self, request: &Ask) -> Got {
        self.message_id += 1;
        let bytes = request.bytes(self.message_id);
        self.datagram(&bytes).remove(0)
    }

    /// Observes the Device object and gives the notification of a large change.
    pub fn notify_device(&mut self) -> Got {
        self.ask(&get("/3/0").accept(11542).observe(0, b"obs"));
        self.client.objects_mut().0.model = text("a large model name");
        self.run(Input::Timer).remove(0)
    }
}
