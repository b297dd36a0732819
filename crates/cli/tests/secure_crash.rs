//! `kill -9` with DTLS sessions: after the restart they go on without a handshake, at the cost of one
//! lost datagram, and what was recorded before has no effect.

mod folder;
mod secure;

use std::ffi::OsStr;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, KeyPair, Secret,
    ServerVerifier,
};
use dunlin_net::{Clock, OsRng};
use folder::Folder;
use secure::Server;
use serde_json::json;

const DEVICES: usize = 24;
const THREADS: usize = 3;
/// How long a device waits for an answer before it sends again (RFC 7252 §4.8: 2 s and more).
const ACK_TIMEOUT: Duration = Duration::from_secs(3);

fn start(data: &Path, coaps: &str) -> Server {
    let options: [&OsStr; 4] = [
        "--shards".as_ref(),
        "2".as_ref(),
        "--data".as_ref(),
        data.as_ref(),
    ];
    Server::start(coaps, &options)
}

/// The server is who answers: this test is about other things.
struct Anybody;

impl ServerVerifier for Anybody {
    fn raw_public_key(&self, _: &[u8]) -> Result<(), Alert> {
        Ok(())
    }
}

struct Device {
    endpoint: String,
    socket: UdpSocket,
    server: SocketAddr,
    client: Client,
    clock: Clock,
    location: Vec<Vec<u8>>,
    message_id: u16,
    received: Vec<Vec<u8>>,
    /// Protected records that it sent, and epoch and number of those it was sent.
    records: Vec<Vec<u8>>,
    numbers: Vec<[u8; 8]>,
}

fn is_protected(record: &[u8]) -> bool {
    record.get(3..5) == Some(&[0, 1])
}

impl Device {
    fn new(number: usize, server: &Server) -> Self {
        let endpoint = format!("secure-{number}");
        // A third of them with raw public keys.
        let credentials = if number.is_multiple_of(3) {
            let key = KeyPair::generate(&mut OsRng::new()).unwrap();
            let public: String = key
                .public_key()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            server.credential(&json!({"endpoint": endpoint, "rpk": {"publicKey": public}}));
            ClientCredentials::RawPublicKey {
                key,
                verifier: Box::new(Anybody),
            }
        } else {
            let key = "000102030405060708090a0b0c0d0e0f";
            server.credential(&json!({"endpoint": endpoint, "psk": {"key": key}}));
            ClientCredentials::Psk {
                identity: endpoint.clone().into_bytes(),
                key: Secret::new(&core::array::from_fn::<u8, 16, _>(|index| index as u8)),
            }
        };
        Self {
            endpoint,
            socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
            server: server.coaps,
            client: Client::new(ClientConfig::new(credentials)),
            clock: Clock::new(),
            location: Vec::new(),
            message_id: 0,
            received: Vec::new(),
            records: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn take(&mut self, input: Option<ClientInput<'_>>) {
        let now = self.clock.now();
        let mut rng = OsRng::new();
        let mut outputs = match input {
            Some(input) => self.client.handle(now, input, &mut rng),
            None => self.client.connect(now, None, &mut rng),
        };
        while let Some(output) = outputs.next() {
            match output {
                ClientOutput::Transmit(bytes) => {
                    if is_protected(bytes) {
                        self.records.push(bytes.to_vec());
                    }
                    self.socket.send_to(bytes, self.server).unwrap();
                }
                ClientOutput::Data(bytes) => self.received.push(bytes.to_vec()),
                ClientOutput::Connected { .. } => {}
                ClientOutput::Closed(reason) => panic!("{}: {reason:?}", self.endpoint),
            }
        }
    }

    /// Goes on until it is so; false when the time is over.
    fn until(&mut self, patience: Duration, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        let end = std::time::Instant::now() + patience;
        while !is_so(self) {
            let now = std::time::Instant::now();
            if now >= end {
                return false;
            }
            let due = self.client.next_timeout();
            let due = due.map(|due| due.saturating_since(self.clock.now()));
            let wait = due.map_or(end - now, |due| due.min(end - now));
            let wait = wait.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            let mut buffer = [0; 2048];
            match self.socket.recv(&mut buffer) {
                Ok(count) => self.hear(&buffer[..count]),
                Err(_) => self.take(Some(ClientInput::Timer)),
            }
        }
        true
    }

    fn hear(&mut self, datagram: &[u8]) {
        if is_protected(datagram) {
            self.numbers.push(datagram[3..11].try_into().unwrap());
        }
        self.take(Some(ClientInput::Datagram(datagram)));
        // A ping is answered (RFC 7252 §4.3).
        if let Some(&[0x40, 0, high, low]) = self.received.last().map(Vec::as_slice) {
            self.received.pop();
            self.take(Some(ClientInput::Send(&[0x70, 0, high, low])));
        }
    }

    /// Sends a request up to `times`; the answer, and how often it was sent.
    fn request(
        &mut self,
        times: usize,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Option<(Code, usize)> {
        self.message_id += 1;
        let id = self.message_id;
        let mut buffer = [0; 512];
        let token = id.to_be_bytes();
        let ty = Type::Confirmable;
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, id, &token);
        write(&mut writer);
        let length = writer.finish().unwrap();
        for sent in 1..=times {
            self.take(Some(ClientInput::Send(&buffer[..length])));
            let mut answer = None;
            self.until(ACK_TIMEOUT, |device| {
                for received in device.received.drain(..) {
                    let message = Message::parse(&received).unwrap();
                    if message.token == token {
                        device.location = match message.code {
                            Code::CREATED => message
                                .values(OptionNumber::LOCATION_PATH)
                                .map(<[u8]>::to_vec)
                                .collect(),
                            _ => std::mem::take(&mut device.location),
                        };
                        answer = Some(message.code);
                    }
                }
                answer.is_some()
            });
            if let Some(code) = answer {
                return Some((code, sent));
            }
        }
        None
    }

    fn register(&mut self) {
        self.take(None);
        let connected = self.until(Duration::from_secs(30), |device| {
            device.client.is_connected()
        });
        assert!(connected, "{}", self.endpoint);
        let endpoint = format!("ep={}", self.endpoint);
        let answer = self.request(9, |writer| {
            writer.option(OptionNumber::URI_PATH, b"rd");
            writer.uint(OptionNumber::CONTENT_FORMAT, 40);
            writer.option(OptionNumber::URI_QUERY, b"b=U");
            writer.option(OptionNumber::URI_QUERY, endpoint.as_bytes());
            writer.option(OptionNumber::URI_QUERY, b"lt=3600");
            writer.option(OptionNumber::URI_QUERY, b"lwm2m=1.1");
            writer.payload(b"</1/0>,</3/0>");
        });
        assert_eq!(answer.map(|(code, _)| code), Some(Code::CREATED));
    }

    fn update(&mut self, times: usize) -> Option<usize> {
        let location = self.location.clone();
        let (code, sent) = self.request(times, |writer| {
            for segment in &location {
                writer.option(OptionNumber::URI_PATH, segment);
            }
        })?;
        assert_eq!(code, Code::CHANGED, "{}", self.endpoint);
        Some(sent)
    }
}

/// Devices update as fast as they are answered until the server is killed.
fn update_until_killed(server: Server, devices: &mut [Device]) {
    let stop = AtomicBool::new(false);
    let updates = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for part in devices.chunks_mut(DEVICES.div_ceil(THREADS)) {
            scope.spawn(|| {
                let mut turn = (0..part.len()).cycle();
                while !stop.load(Ordering::Relaxed) {
                    let device = &mut part[turn.next().unwrap()];
                    if device.update(1).is_some() {
                        updates.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let wanted = updates.load(Ordering::Relaxed) + 10 * DEVICES as u32;
        while updates.load(Ordering::Relaxed) < wanted {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(server);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn sessions_go_on_after_kill_9_and_replays_do_not() {
    let folder = Folder::new("secure-sessions");
    let mut server = start(&folder.0, "127.0.0.1:0");
    let coaps = server.coaps.to_string();
    let mut devices: Vec<Device> = (0..DEVICES)
        .map(|number| {
            let mut device = Device::new(number, &server);
            device.register();
            device
        })
        .collect();
    for round in 0..2 {
        update_until_killed(server, &mut devices);
        server = start(&folder.0, &coaps);
        // Somebody who has recorded everything is there first, and once more from the devices' own
        // addresses.
        let thief = UdpSocket::bind("127.0.0.1:0").unwrap();
        for device in &devices {
            for record in device.records.iter().rev().take(20) {
                thief.send_to(record, server.coaps).unwrap();
                device.socket.send_to(record, server.coaps).unwrap();
            }
        }
        std::thread::scope(|scope| {
            for device in &mut devices {
                scope.spawn(move || {
                    let sent = device.update(4);
                    assert!(sent.is_some_and(|sent| sent <= 2), "{round}: {sent:?}");
                    assert_eq!(device.update(1), Some(1), "from then on nothing is lost");
                });
            }
        });
        let updates = server.metric("dunlin_updates_total");
        assert_eq!(updates, 2.0 * DEVICES as f64, "a replay was served");
        assert_eq!(server.metric("dunlin_registrations_total"), 0.0);
        let handshakes = server.metric("dunlin_dtls_handshakes_begun_total");
        assert_eq!(handshakes, 0.0, "no session was made anew");
        assert_eq!(
            server.metric("dunlin_dtls_sessions_proven_total"),
            DEVICES as f64
        );
    }
    for device in &mut devices {
        let count = device.numbers.len();
        device.numbers.sort_unstable();
        device.numbers.dedup();
        assert_eq!(device.numbers.len(), count, "{}", device.endpoint);
    }
}
