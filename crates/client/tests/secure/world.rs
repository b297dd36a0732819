//! A secure client and a DTLS server with raw CoAP above it, in virtual time, without a network in
//! between: datagrams arrive at once, or not at all.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use dunlin_client::objects::{Device, Security, Temperature};
use dunlin_client::secure::{
    MemorySessions, SecureClient, SessionStatus, SessionStorage, Settings,
};
use dunlin_client::{
    Client, Code, Config, Event, FixedKeys, Input, Instances, Instant, Output, Rng, Single,
    StorageError,
};
use dunlin_coap::{Message, MessageWriter, OptionNumber, Type};
use dunlin_dtls::{
    Alert, Credentials, KeyPair, Reason, Secret, Server, ServerConfig, ServerInput, ServerKey,
    ServerOutput, SessionId,
};

pub(crate) type Keys = FixedKeys<1024, 1024, 160>;
pub(crate) type Device1 = (Single<Device>, Instances<Temperature, 2>);
pub(crate) type Inner = Client<Device1, 2, 4, 4, 1024, 1152, 256, Keys>;

pub(crate) const URI: &str = "coaps://lwm2m.example.com";
pub(crate) const IDENTITY: &[u8] = b"dev-\x00\xFF";
pub(crate) const KEY: &[u8] = b"0123456789abcdef";

/// A generator with a seed (SplitMix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Rng for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) as u32
    }
}

/// A storage that outlives the client, and can fail.
#[derive(Clone, Default)]
pub(crate) struct Flash {
    pub(crate) sessions: Rc<RefCell<MemorySessions>>,
    pub(crate) is_broken: Rc<RefCell<bool>>,
    /// How often something was stored.
    pub(crate) saves: Rc<RefCell<usize>>,
}

impl SessionStorage for Flash {
    fn save(&mut self, server: u16, record: &[u8]) -> Result<(), StorageError> {
        if *self.is_broken.borrow() {
            return Err(StorageError);
        }
        *self.saves.borrow_mut() += 1;
        self.sessions.borrow_mut().save(server, record)
    }

    fn load(&mut self, server: u16) -> Result<Option<Vec<u8>>, StorageError> {
        self.sessions.borrow_mut().load(server)
    }

    fn erase(&mut self, server: u16) -> Result<(), StorageError> {
        self.sessions.borrow_mut().erase(server)
    }
}

/// What the server accepts.
#[derive(Default)]
pub(crate) struct Accepts {
    pub(crate) raw_public_key: Option<Vec<u8>>,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) names: RefCell<Vec<String>>,
}

impl Credentials for Accepts {
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        (identity == IDENTITY).then(|| (Secret::new(KEY), 1))
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        (self.raw_public_key.as_deref() == Some(spki)).then_some(2)
    }

    fn certificate(&self, chain: &[&[u8]], _now: Instant) -> Result<u64, Alert> {
        if self.certificate.as_deref() == chain.first().copied() {
            Ok(3)
        } else {
            Err(Alert::UNKNOWN_CA)
        }
    }

    fn server_name(&self, name: &str) -> Result<(), Alert> {
        self.names.borrow_mut().push(name.to_owned());
        Ok(())
    }
}

/// What the server got in a session.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) session: SessionId,
    pub(crate) code: Code,
    pub(crate) message_id: u16,
    pub(crate) token: Vec<u8>,
    pub(crate) path: String,
}

pub(crate) struct World {
    pub(crate) client: SecureClient<Inner, Flash>,
    pub(crate) flash: Flash,
    pub(crate) server: Server,
    pub(crate) accepts: Accepts,
    pub(crate) now: Instant,
    pub(crate) rng: Seeded,
    /// The device's address, as the server sees it.
    pub(crate) from: SocketAddr,
    /// The session of each handshake, and whether it resumed one.
    pub(crate) handshakes: Vec<(SessionId, bool)>,
    pub(crate) closed: Vec<Reason>,
    pub(crate) got: VecDeque<Got>,
    pub(crate) events: Vec<Event>,
    /// Datagrams the device sent.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Datagrams to the device, as they were.
    pub(crate) received: Vec<Vec<u8>>,
    /// Whether nothing arrives any more, in either direction.
    pub(crate) is_cut: bool,
    message_id: u16,
}

pub(crate) fn server_address() -> SocketAddr {
    "192.0.2.1:5684".parse().unwrap()
}

pub(crate) fn pair(number: u8) -> KeyPair {
    KeyPair::from_scalar(&[number; 32]).unwrap()
}

pub(crate) fn psk() -> Security<Keys> {
    Security::psk(URI, IDENTITY, KEY).unwrap()
}

pub(crate) fn device(config: Config, security: Security<Keys>, rng: &mut Seeded) -> Inner {
    let objects = (
        Single::new(Device::default()),
        Instances::new().with(0, Temperature::new(20.0)),
    );
    let mut client = Inner::new(config, objects, rng);
    client.provision(1, security).unwrap();
    client
}

impl World {
    pub(crate) fn new(security: Security<Keys>) -> Self {
        Self::with(Config::new("dev1"), security, ServerConfig::default())
    }

    pub(crate) fn with(config: Config, security: Security<Keys>, server: ServerConfig) -> Self {
        let mut rng = Seeded(5);
        let flash = Flash::default();
        let inner = device(config, security, &mut rng);
        let client = SecureClient::new(inner, flash.clone(), Settings::default());
        let server = ServerConfig {
            key: server.key.or_else(|| {
                Some(ServerKey {
                    pair: pair(9),
                    chain: Vec::new(),
                    raw_public_key: true,
                })
            }),
            ..server
        };
        let mut world = Self {
            client,
            flash,
            server: Server::new(server, &mut rng),
            accepts: Accepts::default(),
            now: Instant::from_secs(1000),
            rng,
            from: "198.51.100.7:40000".parse().unwrap(),
            handshakes: Vec::new(),
            closed: Vec::new(),
            got: VecDeque::new(),
            events: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            is_cut: false,
            message_id: 0x1000,
        };
        world.connect();
        world
    }

    /// Points the first account at the server.
    pub(crate) fn connect(&mut self) {
        let now = self.now;
        self.client.client_mut().connect(now, server_address());
    }

    /// Loses the memory of the device; what the storage holds is left.
    pub(crate) fn reboot(&mut self, config: Config, security: Security<Keys>) {
        let inner = device(config, security, &mut self.rng);
        self.client = SecureClient::new(inner, self.flash.clone(), Settings::default());
        self.connect();
    }

    pub(crate) fn registered(security: Security<Keys>) -> Self {
        let mut world = Self::new(security);
        world.poll();
        world.register();
        world
    }

    /// Answers the Register that waits.
    #[track_caller]
    pub(crate) fn register(&mut self) {
        let register = self.take();
        assert_eq!(register.path, "/rd");
        self.answer_created(&register);
        assert!(
            matches!(self.events.last(), Some(Event::Registered { .. })),
            "{:?}",
            self.events
        );
        self.events.clear();
    }

    pub(crate) fn status(&self) -> SessionStatus {
        self.client.session(1).expect("there was an association")
    }

    #[track_caller]
    pub(crate) fn take(&mut self) -> Got {
        self.got.pop_front().expect("the server got something")
    }

    pub(crate) fn poll(&mut self) {
        self.input(None);
    }

    pub(crate) fn datagram(&mut self, bytes: &[u8]) {
        self.input(Some(bytes.to_vec()));
    }

    /// One input, and all that follows from it on both sides.
    fn input(&mut self, datagram: Option<Vec<u8>>) {
        let mut inputs = VecDeque::from([datagram]);
        while let Some(datagram) = inputs.pop_front() {
            let input = match &datagram {
                Some(bytes) => Input::Datagram {
                    from: server_address(),
                    bytes,
                },
                None => Input::Timer,
            };
            let mut sent = Vec::new();
            let mut outputs = self.client.handle(self.now, &mut self.rng, input);
            while let Some(output) = outputs.next() {
                match output {
                    Output::Transmit { to, bytes } => {
                        assert_eq!(to, server_address());
                        sent.push(bytes.to_vec());
                    }
                    Output::Event(event) => self.events.push(event),
                }
            }
            for bytes in sent {
                self.sent.push(bytes.clone());
                if !self.is_cut {
                    let input = ServerInput::Datagram {
                        from: self.from,
                        bytes: &bytes,
                    };
                    inputs.extend(self.serve(input).into_iter().map(Some));
                }
            }
        }
        let next = self.client.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "{next:?} is not after {:?}",
            self.now
        );
    }

    /// Tells the server, and gives what it sends.
    fn serve(&mut self, input: ServerInput<'_>) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        let mut outputs = self
            .server
            .handle(self.now, input, &self.accepts, &mut self.rng);
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { to, bytes } => {
                    if to == self.from && !self.is_cut {
                        sent.push(bytes.to_vec());
                    }
                }
                ServerOutput::Connected {
                    session, resumed, ..
                } => self.handshakes.push((session, resumed)),
                ServerOutput::Data { session, bytes } => {
                    let message = Message::parse(bytes).unwrap();
                    let path = message
                        .values(OptionNumber::URI_PATH)
                        .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
                        .collect();
                    self.got.push_back(Got {
                        session,
                        code: message.code,
                        message_id: message.message_id,
                        token: message.token.to_vec(),
                        path,
                    });
                }
                ServerOutput::Closed { reason, .. } => self.closed.push(reason),
                ServerOutput::Moved { .. } => {}
                output => panic!("{output:?}"),
            }
        }
        self.received.extend(sent.iter().cloned());
        sent
    }

    /// The server sends something in a session.
    pub(crate) fn send(&mut self, session: SessionId, bytes: &[u8]) {
        for datagram in self.serve(ServerInput::Send { session, bytes }) {
            self.datagram(&datagram);
        }
    }

    pub(crate) fn close(&mut self, session: SessionId) {
        for datagram in self.serve(ServerInput::Close { session }) {
            self.datagram(&datagram);
        }
    }

    pub(crate) fn answer_created(&mut self, request: &Got) {
        self.answer(request, Code::CREATED, |writer| {
            writer
                .option(OptionNumber::LOCATION_PATH, b"rd")
                .option(OptionNumber::LOCATION_PATH, b"5a3f");
        });
    }

    pub(crate) fn answer(
        &mut self,
        request: &Got,
        code: Code,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) {
        let mut buffer = [0; 256];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            code,
            request.message_id,
            &request.token,
        );
        write(&mut writer);
        let length = writer.finish().unwrap();
        self.send(request.session, &buffer[..length]);
    }

    /// A request of the server; what it gets back waits.
    pub(crate) fn ask(&mut self, session: SessionId, code: Code, path: &str) {
        self.message_id += 1;
        let mut buffer = [0; 256];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Confirmable,
            code,
            self.message_id,
            b"ask",
        );
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        let length = writer.finish().unwrap();
        self.send(session, &buffer[..length]);
    }

    /// Moves time to the client's next timeouts, one by one.
    pub(crate) fn seconds(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(next) = self.client.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
    }

    pub(crate) fn update(&mut self) {
        let now = self.now;
        self.client.client_mut().update(now);
        self.poll();
    }
}
