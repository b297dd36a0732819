//! Devices that register over DTLS, and shards that know them.

#[path = "../../../dtls/tests/support/pki.rs"]
mod pki;

use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_coap::{Code, Instant, Message, OptionNumber, Type};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, Reason, Secret,
    ServerConfig, ServerKey, ServerVerifier,
};
use dunlin_lwm2m::Path;
use dunlin_server::Socket;
use dunlin_server::access::SecurityMode;
use dunlin_server::credentials::{CredentialService, Material, NewCredential};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{
    CID_PREFIX, Command, Input, Persist, ShardConfig, StoredRegistration, StoredSession, cid_prefix,
};

use crate::world::{LIST, Peer, SENML_JSON, TEXT, World, build, config, read, values};

const QUERIES: [&str; 3] = ["lt=300", "lwm2m=1.1", "b=U"];

/// Credentials `key of dev-1` and so on, for the endpoints of as many peers.
fn credentials(count: u16) -> CredentialService {
    let service = CredentialService::in_memory().expect("opens");
    for number in 1..=count {
        let endpoint = format!("dev-{number}");
        let created = service.create(NewCredential {
            material: Material::Psk {
                identity: Some(format!("id of {endpoint}").into_bytes()),
                key: Some(key_of(&endpoint)),
            },
            endpoint: Some(endpoint),
        });
        created.expect("taken");
    }
    service
}

fn key_of(endpoint: &str) -> Secret {
    Secret::new(format!("the key of {endpoint}").as_bytes())
}

/// The certificate of the server, with the key that devices of raw public keys know.
fn own() -> pki::Issued {
    pki::Wanted::leaf("server").key(77).self_signed()
}

fn serve_dtls(world: &mut World, shard: u16) {
    let own = own();
    let mut config = ServerConfig {
        key: Some(ServerKey {
            pair: own.key_pair().clone(),
            chain: vec![own.der.clone().into()],
            raw_public_key: true,
        }),
        ..ServerConfig::default()
    };
    if let Some(format) = &mut config.connection_id {
        format.prefix = cid_prefix(0, shard).to_vec();
        format.length = CID_PREFIX + 7;
    }
    world.shard.serve_dtls(config, &mut world.dice);
}

fn world(service: &CredentialService) -> World {
    let mut world = World::with(ShardConfig {
        access: Arc::new(service.clone()),
        ..config()
    });
    serve_dtls(&mut world, 0);
    world
}

/// A device with a DTLS client.
struct Device {
    peer: Peer,
    client: Client,
    /// Its address, as the server sees it.
    address: SocketAddr,
    received: Vec<Vec<u8>>,
    closed: Vec<Reason>,
    /// Every record it sent.
    records: Vec<Vec<u8>>,
    /// Every record that the server sent it.
    heard: Vec<Vec<u8>>,
}

impl Device {
    fn new(number: u16) -> Self {
        Self::with_connection_id(number, Some(Vec::new()))
    }

    fn with_connection_id(number: u16, connection_id: Option<Vec<u8>>) -> Self {
        let peer = Peer::new(number);
        let config = ClientConfig {
            connection_id,
            ..ClientConfig::new(ClientCredentials::Psk {
                identity: format!("id of {}", peer.endpoint).into_bytes(),
                key: key_of(&peer.endpoint),
            })
        };
        Self {
            client: Client::new(config),
            address: peer.address,
            peer,
            received: Vec::new(),
            closed: Vec::new(),
            records: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// What the client sends for an input.
    fn say(&mut self, world: &mut World, input: ClientInput<'_>) -> Vec<Vec<u8>> {
        let mut outputs = self.client.handle(world.now, input, &mut world.dice);
        let mut sent = Vec::new();
        while let Some(output) = outputs.next() {
            match output {
                ClientOutput::Transmit(bytes) => sent.push(bytes.to_vec()),
                ClientOutput::Data(bytes) => self.received.push(bytes.to_vec()),
                ClientOutput::Closed(reason) => self.closed.push(reason),
                ClientOutput::Connected { .. } => {}
            }
        }
        self.records.extend(sent.iter().cloned());
        sent
    }

    /// Says it, and lets both sides go on until nothing is under way.
    fn exchange(&mut self, world: &mut World, input: ClientInput<'_>) {
        let mut sent = self.say(world, input);
        loop {
            for record in sent.drain(..) {
                arrive(world, self.address, &record);
            }
            let arrived = world.records_to(self.address);
            if arrived.is_empty() {
                return;
            }
            for record in arrived {
                sent.extend(self.hear(world, &record));
            }
        }
    }

    /// What the client answers to a record; a ping is answered with a reset (RFC 7252 §4.3).
    fn hear(&mut self, world: &mut World, record: &[u8]) -> Vec<Vec<u8>> {
        self.heard.push(record.to_vec());
        let mut sent = self.say(world, ClientInput::Datagram(record));
        let last = self.received.last().map(Vec::as_slice);
        if let Some(&[0x40, 0, high, low]) = last {
            self.received.pop();
            sent.extend(self.say(world, ClientInput::Send(&[0x70, 0, high, low])));
        }
        sent
    }

    fn connect(&mut self, world: &mut World) {
        drop(self.client.connect(world.now, None, &mut world.dice));
        self.exchange(world, ClientInput::Timer);
        assert!(self.client.is_connected(), "{:?}", self.closed);
    }

    /// Sends a message; the messages that came back.
    fn send(&mut self, world: &mut World, message: &[u8]) -> Vec<Vec<u8>> {
        self.received.clear();
        self.exchange(world, ClientInput::Send(message));
        std::mem::take(&mut self.received)
    }

    /// Sends a request that is answered by one message; its code.
    #[track_caller]
    fn ask(&mut self, world: &mut World, message: &[u8]) -> Code {
        let answers = self.send(world, message);
        assert_eq!(answers.len(), 1, "one answer expected");
        let answer = Message::parse(&answers[0]).expect("a message");
        if answer.code == Code::CREATED {
            self.peer.location = answer
                .values(OptionNumber::LOCATION_PATH)
                .map(<[u8]>::to_vec)
                .collect();
        }
        answer.code
    }

    fn register(&mut self, world: &mut World) -> Code {
        let register = self.peer.register_message(&QUERIES, LIST);
        self.ask(world, &register)
    }

    fn update(&mut self, world: &mut World) -> Code {
        let update = self.peer.update_message(&[]);
        self.ask(world, &update)
    }

    /// A connected and registered device.
    fn up(number: u16, world: &mut World) -> Self {
        let mut device = Self::new(number);
        device.connect(world);
        assert_eq!(device.register(world), Code::CREATED);
        device
    }

    /// A new association, as after a loss of all state.
    fn connect_anew(&mut self, world: &mut World) {
        self.client = Self::new(self.number()).client;
        self.connect(world);
    }

    /// What it sent, without the handshake in the clear.
    fn protected(&self) -> Vec<Vec<u8>> {
        let records = self.records.iter().cloned();
        records.filter(|record| record[3..5] == [0, 1]).collect()
    }

    fn number(&self) -> u16 {
        self.peer.address.port() - 50_000
    }
}

/// Knows the server by what it shows.
struct Own;

impl ServerVerifier for Own {
    fn raw_public_key(&self, spki: &[u8]) -> Result<(), Alert> {
        let fits = spki == own().key_pair().public_key();
        fits.then_some(()).ok_or(Alert::BAD_CERTIFICATE)
    }

    fn certificate(&self, chain: &[&[u8]], _: Instant) -> Result<(), Alert> {
        let fits = chain.first().is_some_and(|leaf| **leaf == *own().der);
        fits.then_some(()).ok_or(Alert::UNKNOWN_CA)
    }
}

fn arrive(world: &mut World, from: SocketAddr, bytes: &[u8]) {
    let socket = Socket::Coaps;
    world.input(Input::Datagram {
        socket,
        from,
        bytes,
    });
}

fn send_message(id: u16) -> Vec<u8> {
    let options = [(OptionNumber::URI_PATH, &b"dp"[..]), SENML_JSON];
    let records = br#"[{"n":"/3303/0/5700","v":21.5}]"#;
    build(Type::Confirmable, Code::POST, id, b"s", &options, records)
}

#[test]
fn a_device_registers_over_dtls_and_shows_what_it_has_proven() {
    let mut world = world(&credentials(1));
    let device = Device::up(1, &mut world);
    let shown = world.device("dev-1").expect("registered");
    assert_eq!(shown.address, device.address);
    let security = shown.security.expect("secure");
    assert_eq!(
        (security.mode, &*security.identity),
        (SecurityMode::Psk, "id of dev-1")
    );
    assert_eq!(world.counter("dtls_sessions"), 1);
    let full = "dtls_handshakes_completed_total{kind=\"full\"}";
    assert_eq!(world.counter(full), 1);
}

#[test]
fn a_register_without_a_name_has_that_of_its_identity() {
    let mut world = world(&credentials(1));
    let mut device = Device::new(1);
    device.connect(&mut world);
    let register = crate::world::register_message(7, &QUERIES, LIST);
    assert_eq!(device.ask(&mut world, &register), Code::CREATED);
    assert!(world.device("dev-1").is_some());
}

/// Core 1.2 §6.2.1: the name is compared with the identity; 4.00 when they do not fit.
#[test]
fn a_name_of_another_identity_is_refused() {
    let mut world = world(&credentials(2));
    let mut device = Device::new(1);
    device.connect(&mut world);
    for name in ["dev-2", "anybody"] {
        device.peer.endpoint = name.to_owned();
        assert_eq!(device.register(&mut world), Code::BAD_REQUEST, "{name}");
    }
    assert_eq!(world.stats().devices, 0);
    let refused = "registrations_refused_total{reason=\"identity\"}";
    assert_eq!(world.counter(refused), 2);
}

#[test]
fn a_secured_name_cannot_be_taken_over_without_security() {
    let mut world = world(&credentials(1));
    let device = Device::up(1, &mut world);
    let mut stranger = Peer::new(1);
    let register = stranger.register_message(&QUERIES, LIST);
    let answer = world.exchange(stranger.address, &register);
    assert_eq!(answer.message().code, Code::FORBIDDEN);
    // Even one who knows the location.
    stranger.location = device.peer.location.clone();
    assert_eq!(stranger.update(&mut world, &[]), Code::BAD_REQUEST);
    let deregister = stranger.at_location(Code::DELETE, &[], b"");
    let answer = world.exchange(stranger.address, &deregister);
    assert_eq!(answer.message().code, Code::BAD_REQUEST);
    let shown = world.device("dev-1").expect("still registered");
    assert!(shown.security.is_some());
    // Other names are free.
    Peer::up(2, &mut world);
}

/// As with certificates: no credential is kept for the name itself.
#[test]
fn what_is_registered_over_dtls_is_not_replaced_without_security() {
    let service = credentials(1);
    let mut world = world(&service);
    Device::up(1, &mut world);
    let id = service.of_endpoint("dev-1")[0].id;
    service.remove(id).expect("removed");
    let mut stranger = Peer::new(1);
    let register = stranger.register_message(&QUERIES, LIST);
    let answer = world.exchange(stranger.address, &register);
    assert_eq!(answer.message().code, Code::FORBIDDEN);
}

#[test]
fn a_registration_without_security_becomes_secure() {
    let service = credentials(0);
    let mut world = world(&service);
    let before = Peer::up(1, &mut world);
    let created = service.create(NewCredential {
        endpoint: Some("dev-1".to_owned()),
        material: Material::Psk {
            identity: Some(b"id of dev-1".to_vec()),
            key: Some(key_of("dev-1")),
        },
    });
    created.expect("taken");
    let mut device = Device::new(1);
    device.connect(&mut world);
    device.peer.location = before.location;
    assert_eq!(device.update(&mut world), Code::CHANGED);
    let shown = world.device("dev-1").expect("registered");
    assert!(shown.security.is_some());
}

#[test]
fn requests_go_through_the_session_and_the_trace_shows_them_in_the_clear() {
    let mut world = world(&credentials(1));
    let mut device = Device::up(1, &mut world);
    let operation = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let records = world.records_to(device.address);
    assert_eq!(records.len(), 1);
    device.say(&mut world, ClientInput::Datagram(&records[0]));
    let request = device.received.pop().expect("a request");
    let request = Message::parse(&request).expect("a message");
    assert_eq!(request.code, Code::GET);
    let answer = build(
        Type::Acknowledgement,
        Code::CONTENT,
        request.message_id,
        request.token,
        &[TEXT],
        b"Dunlin",
    );
    assert!(device.send(&mut world, &answer).is_empty());
    let read = values(world.outcome(operation));
    assert_eq!(read.len(), 1);

    world.input(Input::Command(Command::Trace {
        id: 9,
        endpoint: "dev-1".to_owned(),
    }));
    let Some(dunlin_server::shard::Reply::Trace(Some(trace))) = world.reply(9) else {
        panic!("a trace");
    };
    // Register, 2.01, GET and 2.05; not the handshake.
    let codes: Vec<Code> = trace
        .iter()
        .map(|kept| Message::parse(&kept.bytes).expect("in the clear").code)
        .collect();
    assert_eq!(codes, [Code::POST, Code::CREATED, Code::GET, Code::CONTENT]);
    assert!(trace.iter().all(|kept| kept.peer == device.address));
}

/// RFC 9146: nothing above DTLS notices, so nothing is registered or observed anew.
#[test]
fn an_address_that_changes_under_a_connection_id_changes_nothing_else() {
    let mut world = world(&credentials(1));
    let mut device = Device::up(1, &mut world);
    let before = world.device("dev-1").expect("registered");
    device.address = "203.0.113.9:1234".parse().expect("address");
    let persisted = world.persisted.len();
    assert_eq!(device.update(&mut world), Code::CHANGED);
    let shown = world.device("dev-1").expect("registered");
    assert_eq!(shown.address, device.address);
    assert_eq!(shown.registration_id, before.registration_id);
    // The session, so that requests after a restart go to the new address; not the registration.
    let persisted: Vec<_> = world.persisted.drain(persisted..).collect();
    assert!(
        matches!(&persisted[..], [(_, Persist::Session(_))]),
        "{persisted:?}"
    );
    world.operate("dev-1", read(Path::resource(3, 0, 0)));
    assert_eq!(world.records_to(device.address).len(), 1);
}

#[test]
fn a_new_session_goes_on_with_the_registration() {
    let mut world = world(&credentials(2));
    let mut device = Device::up(1, &mut world);
    let before = world.device("dev-1").expect("registered");
    // Nothing is left of the old session, and the address is another one.
    device.address = "203.0.113.9:1234".parse().expect("address");
    device.connect_anew(&mut world);
    assert_eq!(world.counter("dtls_sessions"), 2);
    assert_eq!(device.update(&mut world), Code::CHANGED);
    let shown = world.device("dev-1").expect("registered");
    assert_eq!(shown.registration_id, before.registration_id);
    assert_eq!(shown.address, device.address);
    // What nobody is registered in any more is closed.
    assert_eq!(world.counter("dtls_sessions"), 1);
}

#[test]
fn another_identity_cannot_touch_the_registration() {
    let mut world = world(&credentials(2));
    let device = Device::up(1, &mut world);
    let mut other = Device::up(2, &mut world);
    other.peer.location = device.peer.location.clone();
    assert_eq!(other.update(&mut world), Code::BAD_REQUEST);
    let deregister = other.peer.at_location(Code::DELETE, &[], b"");
    assert_eq!(other.ask(&mut world, &deregister), Code::BAD_REQUEST);
    let shown = world.device("dev-1").expect("registered");
    assert_eq!(shown.address, device.address);
}

#[test]
fn a_registration_outlives_its_session() {
    let mut world = world(&credentials(1));
    let mut device = Device::up(1, &mut world);
    device.exchange(&mut world, ClientInput::Close);
    assert_eq!(world.counter("dtls_sessions"), 0);
    let shown = world.device("dev-1").expect("still registered");
    assert_eq!(shown.address, device.address, "where it was heard last");
    assert!(shown.security.is_some());
    // A request has nowhere to go; when the device is back it follows.
    let operation = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    assert!(world.records_to(device.address).is_empty());
    device.connect_anew(&mut world);
    assert_eq!(device.update(&mut world), Code::CHANGED);
    world.seconds(3);
    device.exchange(&mut world, ClientInput::Timer);
    assert!(world.outcome(operation).is_none(), "it is under way");
    let records = world.records_to(device.address);
    for record in &records {
        device.say(&mut world, ClientInput::Datagram(record));
    }
    let request = device.received.pop().expect("the request again");
    assert_eq!(Message::parse(&request).expect("one").code, Code::GET);
}

#[test]
fn a_send_in_a_new_session_is_that_of_the_device() {
    let mut world = world(&credentials(1));
    let mut device = Device::up(1, &mut world);
    device.address.set_port(1234);
    device.connect_anew(&mut world);
    assert_eq!(device.ask(&mut world, &send_message(77)), Code::CHANGED);
    assert_eq!(world.counter("sends_total"), 1);
    let shown = world.device("dev-1").expect("registered");
    assert_eq!(shown.address, device.address);
}

#[test]
fn sessions_and_registrations_end_with_their_credential() {
    let service = credentials(2);
    let mut world = world(&service);
    let mut device = Device::up(1, &mut world);
    Device::up(2, &mut world);
    let credential = &service.of_endpoint("dev-1")[0];
    let tag = service
        .list("", None, 10)
        .items
        .iter()
        .find(|item| item.id == credential.id)
        .map(|item| item.id)
        .expect("listed");
    let ended = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&ended);
    service.on_end(Box::new(move |tags| {
        told.lock().expect("fine").extend_from_slice(tags);
    }));
    service.remove(tag).expect("removed");
    let tags = std::mem::take(&mut *ended.lock().expect("fine"));
    for tag in tags {
        world.input(Input::Command(Command::CredentialEnded { tag }));
    }
    for record in world.records_to(device.address) {
        device.say(&mut world, ClientInput::Datagram(&record));
    }
    assert!(
        matches!(&device.closed[..], [Reason::AlertReceived(_)]),
        "{:?}",
        device.closed
    );
    assert!(world.device("dev-1").is_none());
    assert!(world.device("dev-2").is_some());
    assert_eq!(world.counter("dtls_sessions"), 1);
}

/// The kernel gives a moved device to whichever shard it likes.
#[test]
fn a_record_goes_to_the_shard_that_its_connection_id_names() {
    let service = credentials(1);
    let directory = Arc::new(Directory::new(2, 7));
    let mut worlds: Vec<World> = (0..2)
        .map(|index| {
            let mut world = World::with(ShardConfig {
                index,
                shards: 2,
                directory: Arc::clone(&directory),
                access: Arc::new(service.clone()),
                ..config()
            });
            serve_dtls(&mut world, index);
            world
        })
        .collect();
    let mut device = Device::up(1, &mut worlds[1]);
    device.address = "203.0.113.9:1234".parse().expect("address");
    let update = device.peer.update_message(&[]);
    let record = device
        .say(&mut worlds[1], ClientInput::Send(&update))
        .remove(0);
    arrive(&mut worlds[0], device.address, &record);
    let (owner, from, bytes) = worlds[0].handed_over.remove(0);
    assert_eq!((owner, from, &bytes), (1, device.address, &record));
    worlds[1].input(Input::HandedOver {
        socket: Socket::Coaps,
        from,
        bytes: &bytes,
        hops: 1,
    });
    let answer = worlds[1].records_to(device.address).remove(0);
    device.say(&mut worlds[1], ClientInput::Datagram(&answer));
    let answer = Message::parse(&device.received[0]).expect("a message").code;
    assert_eq!(answer, Code::CHANGED);
    // One of a node that is not this, or of a shard that is not there, goes nowhere.
    for at in 0..CID_PREFIX {
        let mut lost = record.clone();
        // Behind type, version, epoch and sequence number (RFC 9146 §4).
        lost[11 + at] ^= 0x40;
        arrive(&mut worlds[0], device.address, &lost);
        assert!(worlds[0].handed_over.is_empty());
    }
    let misdirected = "dtls_records_dropped_total{reason=\"misdirected\"}";
    assert_eq!(worlds[0].counter(misdirected), 3);
}

// ---- restarts

/// What the store holds of a world.
fn stored(world: &World) -> (Vec<StoredSession>, Vec<StoredRegistration>) {
    let mut sessions: Vec<StoredSession> = Vec::new();
    let mut registrations: Vec<StoredRegistration> = Vec::new();
    for (_, change) in &world.persisted {
        match change {
            Persist::Session(stored) => {
                sessions.retain(|other| other.session != stored.session);
                sessions.push(stored.clone());
            }
            Persist::RemoveSession { session, .. } => {
                sessions.retain(|other| other.session != *session);
            }
            Persist::Registration(stored) => {
                registrations.retain(|other| other.endpoint != stored.endpoint);
                registrations.push(stored.clone());
            }
            _ => {}
        }
    }
    (sessions, registrations)
}

/// A new world with what the old one had stored.
fn restarted(before: &World, service: &CredentialService) -> World {
    let mut after = world(service);
    after.now = before.now;
    after.dice.0 ^= before.dice.0.rotate_left(7);
    let (sessions, registrations) = stored(before);
    for session in &sessions {
        let renewed = after.shard.restore_session(after.now, session);
        // As the runtime does, before anything is sent.
        let renewed = renewed.expect("it goes on");
        after.persisted.push((0, Persist::Session(renewed)));
    }
    for registration in &registrations {
        assert!(after.shard.restore(after.now, registration));
        let change = Persist::Registration(registration.clone());
        after.persisted.push((0, change));
    }
    after
}

/// Epoch and sequence number of records that are protected.
fn numbers(records: &[Vec<u8>]) -> Vec<[u8; 8]> {
    records
        .iter()
        .filter(|record| record[3..5] == [0, 1])
        .map(|record| record[3..11].try_into().expect("eight"))
        .collect()
}

/// One device of each kind, and the credentials for it.
fn kinds() -> Vec<(Device, CredentialService)> {
    let psk = (Device::new(1), credentials(1));
    let leaf = pki::Wanted::leaf("dev-1").key(5).self_signed();
    let key = leaf.key_pair();
    let (der, spki) = (leaf.der.to_vec(), key.public_key().to_vec());
    let with = |credentials, material| {
        let service = self::credentials(0);
        let endpoint = Some("dev-1".to_owned());
        let created = service.create(NewCredential { endpoint, material });
        created.expect("taken");
        let mut device = Device::new(1);
        device.client = Client::new(ClientConfig::new(credentials));
        (device, service)
    };
    let raw = ClientCredentials::RawPublicKey {
        key: key.clone(),
        verifier: Box::new(Own),
    };
    let certificate = ClientCredentials::Certificate {
        chain: vec![der.clone().into()],
        key: key.clone(),
        verifier: Box::new(Own),
    };
    vec![
        psk,
        with(raw, Material::RawPublicKey { spki }),
        with(certificate, Material::Certificate { certificate: der }),
    ]
}

#[test]
fn after_a_crash_sessions_go_on_and_old_records_are_refused() {
    for (device, service) in kinds() {
        goes_on_after_crashes(device, &service);
    }
}

fn goes_on_after_crashes(mut device: Device, service: &CredentialService) {
    let mut world = world(service);
    device.connect(&mut world);
    assert_eq!(device.register(&mut world), Code::CREATED);
    for _ in 0..3 {
        assert_eq!(device.update(&mut world), Code::CHANGED);
    }
    for life in 1..4 {
        world = restarted(&world, service);
        // Who recorded what the device said gets no effect with it, only pings.
        for record in device.protected() {
            arrive(&mut world, device.address, &record);
            arrive(&mut world, "203.0.113.66:6".parse().expect("one"), &record);
        }
        let handled = ["updates_total", "registrations_total"];
        assert_eq!(handled.map(|name| world.counter(name)), [0, 0]);
        world.records.clear();
        world.seconds(1);
        // Of the device itself one datagram is lost: it is asked whether it is there.
        let update = device.peer.update_message(&[]);
        assert!(device.send(&mut world, &update).is_empty(), "life {life}");
        assert_eq!(world.counter("dtls_sessions_proven_total"), 1);
        assert_eq!(world.counter("updates_total"), 0);
        // Its retransmission, and everything from then on, is served.
        assert_eq!(device.ask(&mut world, &update), Code::CHANGED);
        assert_eq!(device.update(&mut world), Code::CHANGED);
        assert_eq!(world.counter("updates_total"), 2);
        for record in device.protected() {
            arrive(&mut world, device.address, &record);
        }
        assert_eq!(world.counter("updates_total"), 2);
        assert!(world.records.is_empty(), "a replay is not answered");
    }
    let completed = "dtls_handshakes_completed_total{kind=\"full\"}";
    assert_eq!(world.counter(completed), 0, "not in this life");
    let mut numbers = numbers(&device.heard);
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "a number was used twice");
}

/// A request of ours is the first that a device hears of the new life.
#[test]
fn after_a_crash_a_request_reaches_the_device() {
    let service = credentials(1);
    let before = world(&service);
    let mut world = before;
    let mut device = Device::up(1, &mut world);
    world = restarted(&world, &service);
    let operation = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    for _ in 0..2 {
        for record in world.records_to(device.address) {
            device.say(&mut world, ClientInput::Datagram(&record));
        }
        let request = device.received.pop().expect("a request");
        let request = Message::parse(&request).expect("a message");
        let answer = build(
            Type::Acknowledgement,
            Code::CONTENT,
            request.message_id,
            request.token,
            &[TEXT],
            b"Dunlin",
        );
        device.exchange(&mut world, ClientInput::Send(&answer));
        world.seconds(4);
    }
    assert_eq!(values(world.outcome(operation)).len(), 1);
}

#[test]
fn after_an_end_in_order_a_session_goes_on_at_once() {
    let service = credentials(1);
    let mut world = world(&service);
    let mut device = Device::up(1, &mut world);
    world.shard.leave();
    world.input(Input::Timeout);
    let old = device.protected();
    world = restarted(&world, &service);
    for record in &old {
        arrive(&mut world, device.address, record);
    }
    assert!(world.records.is_empty(), "nobody has to prove anything");
    assert_eq!(device.update(&mut world), Code::CHANGED);
    assert_eq!(world.counter("dtls_challenges_total"), 0);
}

#[test]
fn a_session_is_on_disk_before_what_was_registered_in_it() {
    let service = credentials(1);
    let mut world = World::with(ShardConfig {
        access: Arc::new(service.clone()),
        durable: true,
        ..config()
    });
    serve_dtls(&mut world, 0);
    let mut device = Device::new(1);
    device.connect(&mut world);
    let register = device.peer.register_message(&QUERIES, LIST);
    assert!(device.send(&mut world, &register).is_empty());
    let kept: Vec<u64> = world.persisted.iter().map(|(number, _)| *number).collect();
    assert!(matches!(
        &world.persisted[..],
        [(1, Persist::Session(_)), (2, Persist::Registration(_))]
    ));
    assert_eq!(kept, [1, 2]);
    world.durable_through(1);
    assert!(world.records_to(device.address).is_empty());
    world.durable_through(2);
    assert_eq!(world.records_to(device.address).len(), 1);
}

#[test]
fn a_session_whose_credential_is_gone_does_not_come_back() {
    let service = credentials(1);
    let mut world = world(&service);
    Device::up(1, &mut world);
    let (sessions, registrations) = stored(&world);
    let id = service.of_endpoint("dev-1")[0].id;
    service.remove(id).expect("removed");
    let mut after = self::world(&service);
    assert!(
        after
            .shard
            .restore_session(after.now, &sessions[0])
            .is_none()
    );
    assert!(!after.shard.restore(after.now, &registrations[0]));
    after.input(Input::Timeout);
    assert!(matches!(
        &after.persisted[..],
        [(_, Persist::RemoveRegistration { .. })]
    ));
    assert_eq!(after.counter("dtls_sessions"), 0);
}
