//! The crate over UDP, driven by lines on stdin; what happens goes to stdout. `interop/` runs it
//! against DTLS implementations that other people wrote.
//!
//! ```text
//! peer server|client HOST:PORT KEY=VALUE...     the server answers what it receives with the same bytes
//!   suite=C0A8  psk-identity=HEX psk=HEX        both as often as wanted at a server
//!   key=PEM  peer=SPKI                          raw public keys: a file of ours, one of the other's (DER)
//!   key=PEM certificate=PEM trust=PEM           certificates
//!   cid=LENGTH  mtu=BYTES  name=HOST  ems=optional
//!   answer=HEX                                  to the first message, and nothing to those that follow
//! send TEXT | hex HEX | resume | sleep | close
//! ```
//!
//! `resume` ends the association and takes the session up again with the short handshake; `sleep`
//! exports the association and goes on with what was exported, from another port.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, Read};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io, thread};

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    Alert, CertificateUsage, CidFormat, Client, ClientConfig, ClientCredentials, ClientInput,
    ClientOutput, ClientOutputs, ClientTrust, Credentials, ExpectedServer, ExtendedMasterSecret,
    Identity, KeyPair, Matching, Secret, Server, ServerConfig, ServerInput, ServerKey,
    ServerOutput, SessionId, Suite, WallClock, certificates,
};

type Failure = Box<dyn Error>;

/// Time since the start of the program.
struct Clock(std::time::Instant);

impl Clock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.elapsed().as_micros() as u64)
    }

    /// The time to wait for what is due at `due`, at most until stdin is to be looked at again.
    fn until(&self, due: Option<Instant>) -> Duration {
        let longest = Duration::from_millis(20);
        due.map_or(longest, |due| due.saturating_since(self.now()))
            .clamp(Duration::from_millis(1), longest)
    }
}

struct Urandom(File);

impl Rng for Urandom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.read_exact(bytes).expect("no random bits");
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn bytes_of_hex(hex: &str) -> Result<Vec<u8>, Failure> {
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| {
            let pair = hex.get(at..at + 2).ok_or("an odd number of digits")?;
            Ok(u8::from_str_radix(pair, 16)?)
        })
        .collect()
}

fn hex_of_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the command line says.
#[derive(Default)]
struct Options {
    suites: Vec<Suite>,
    psk: Vec<(Vec<u8>, Secret)>,
    identities: Vec<Vec<u8>>,
    key: Option<KeyPair>,
    chain: Vec<Box<[u8]>>,
    peer: Option<Vec<u8>>,
    trust: Option<Vec<u8>>,
    cid: Option<usize>,
    mtu: Option<usize>,
    name: Option<String>,
    ems_optional: bool,
    answer: Option<Vec<u8>>,
}

impl Options {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').ok_or("KEY=VALUE expected")?;
            match name {
                "suite" => {
                    let suite = Suite::from_code(u16::from_str_radix(value, 16)?);
                    options.suites.push(suite.ok_or("no suite of the profile")?);
                }
                "psk-identity" => options.identities.push(bytes_of_hex(value)?),
                "psk" => {
                    let identity = options.identities.pop().ok_or("psk-identity comes first")?;
                    let key = Secret::new(&bytes_of_hex(value)?);
                    options.psk.push((identity, key));
                }
                "key" => options.key = Some(KeyPair::from_bytes(&fs::read(value)?)?),
                "certificate" => options.chain = certificates(&fs::read(value)?)?,
                "peer" => options.peer = Some(fs::read(value)?),
                "trust" => options.trust = Some(fs::read(value)?),
                "cid" => options.cid = Some(value.parse()?),
                "mtu" => options.mtu = Some(value.parse()?),
                "name" => options.name = Some(value.to_owned()),
                "ems" => options.ems_optional = value == "optional",
                "answer" => options.answer = Some(bytes_of_hex(value)?),
                _ => return Err(format!("what is {name}?").into()),
            }
        }
        Ok(options)
    }

    fn extended_master_secret(&self) -> ExtendedMasterSecret {
        match self.ems_optional {
            true => ExtendedMasterSecret::Optional,
            false => ExtendedMasterSecret::Required,
        }
    }

    fn client_config(mut self, rng: &mut dyn Rng) -> Result<ClientConfig, Failure> {
        let now = WallClock {
            at: Instant::ZERO,
            unix_seconds: unix_seconds(),
        };
        let credentials = if let Some((identity, key)) = self.psk.pop() {
            ClientCredentials::Psk { identity, key }
        } else if let Some(peer) = &self.peer {
            ClientCredentials::RawPublicKey {
                key: self.key.take().ok_or("key is missing")?,
                verifier: Box::new(ExpectedServer::raw_public_key(peer, Matching::Exact)?),
            }
        } else {
            let trust = self.trust.take().ok_or("trust is missing")?;
            let usage = CertificateUsage::TrustAnchorAssertion;
            let expected = ExpectedServer::certificate(&trust, Matching::Exact, usage)?
                .named(self.name.as_deref().unwrap_or("127.0.0.1"))
                .at(now);
            ClientCredentials::Certificate {
                chain: std::mem::take(&mut self.chain),
                key: self.key.take().ok_or("key is missing")?,
                verifier: Box::new(expected),
            }
        };
        let mut config = ClientConfig::new(credentials);
        config.extended_master_secret = self.extended_master_secret();
        config.suites = self.suites;
        config.connection_id = self.cid.map(|length| {
            let mut cid = vec![0; length];
            rng.fill(&mut cid);
            cid
        });
        config.server_name = self.name;
        config.mtu = self.mtu.unwrap_or(config.mtu);
        Ok(config)
    }

    fn server_config(&mut self) -> ServerConfig {
        let default = ServerConfig::default();
        ServerConfig {
            suites: std::mem::take(&mut self.suites),
            key: self.key.take().map(|pair| ServerKey {
                pair,
                raw_public_key: self.chain.is_empty(),
                chain: std::mem::take(&mut self.chain),
            }),
            connection_id: self.cid.map(|length| CidFormat {
                prefix: Vec::new(),
                length,
            }),
            extended_master_secret: self.extended_master_secret(),
            mtu: self.mtu.unwrap_or(default.mtu),
            ..default
        }
    }
}

/// Whom the server knows.
struct Known {
    psk: Vec<(Vec<u8>, Secret)>,
    peer: Option<Vec<u8>>,
    trust: ClientTrust,
}

impl Credentials for Known {
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        let found = self.psk.iter().find(|(known, _)| known == identity);
        found.map(|(_, key)| (key.clone(), 1))
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        (self.peer.as_deref() == Some(spki)).then_some(2)
    }

    fn certificate(&self, chain: &[&[u8]], _: Instant) -> Result<u64, Alert> {
        self.trust.verify(chain, unix_seconds())?;
        Ok(3)
    }
}

fn describe(identity: &Identity) -> String {
    match identity {
        Identity::None => "-".to_owned(),
        Identity::Psk(identity) => format!("psk:{}", hex_of_bytes(identity)),
        Identity::RawPublicKey(spki) => format!("rpk:{}", hex_of_bytes(spki)),
        Identity::Certificate(chain) => format!("x509:{}", chain.len()),
    }
}

fn tell_data(from: SocketAddr, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (port, hex) = (from.port(), hex_of_bytes(bytes));
    println!("data from={port} hex={hex} text={}", text.trim_end());
}

fn lines() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next datagram that comes within `wait`.
fn receive<'b>(
    socket: &UdpSocket,
    wait: Duration,
    buffer: &'b mut [u8],
) -> Option<(&'b [u8], SocketAddr)> {
    socket.set_read_timeout(Some(wait)).ok()?;
    let (length, from) = socket.recv_from(buffer).ok()?;
    Some((&buffer[..length], from))
}

/// Takes what a client has to say; true when the association is over.
fn drain_client(mut outputs: ClientOutputs<'_>, socket: &UdpSocket, to: SocketAddr) -> bool {
    let mut over = false;
    while let Some(output) = outputs.next() {
        match output {
            ClientOutput::Transmit(bytes) => {
                // A datagram that cannot be sent is one that is lost: it is sent again.
                let _ = socket.send_to(bytes, to);
            }
            ClientOutput::Connected { resumed } => println!("connected resumed={resumed}"),
            ClientOutput::Data(bytes) => tell_data(to, bytes),
            ClientOutput::Closed(reason) => {
                println!("closed {reason:?}");
                over = true;
            }
        }
    }
    over
}

fn client(address: SocketAddr, options: Options) -> Result<(), Failure> {
    let clock = Clock(std::time::Instant::now());
    let mut rng = Urandom(File::open("/dev/urandom")?);
    let mut socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut client = Client::new(options.client_config(&mut rng)?);
    let commands = lines();
    let mut buffer = vec![0; 65536];
    let mut over = drain_client(
        client.connect(clock.now(), None, &mut rng),
        &socket,
        address,
    );
    while !over {
        let due = client.next_timeout();
        let datagram = receive(&socket, clock.until(due), &mut buffer);
        let mut step = |client: &mut Client, socket: &UdpSocket, input: ClientInput<'_>| {
            drain_client(client.handle(clock.now(), input, &mut rng), socket, address)
        };
        if let Some((bytes, _)) = datagram {
            over |= step(&mut client, &socket, ClientInput::Datagram(bytes));
        }
        if due.is_some_and(|due| due <= clock.now()) {
            over |= step(&mut client, &socket, ClientInput::Timer);
        }
        if !client.is_connected() {
            continue;
        }
        let Ok(line) = commands.try_recv() else {
            continue;
        };
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "send" => {
                let text = format!("{rest}\n");
                over |= step(&mut client, &socket, ClientInput::Send(text.as_bytes()));
            }
            "hex" => {
                let bytes = bytes_of_hex(rest)?;
                over |= step(&mut client, &socket, ClientInput::Send(&bytes));
            }
            "resume" => {
                let resumption = client.resumption().ok_or("the server gave no session id")?;
                step(&mut client, &socket, ClientInput::Close);
                over = drain_client(
                    client.connect(clock.now(), Some(&resumption), &mut rng),
                    &socket,
                    address,
                );
            }
            "sleep" => {
                let exported = client.export().ok_or("there is nothing to export")?;
                client = Client::import(client.into_config(), &exported)?;
                socket = UdpSocket::bind("127.0.0.1:0")?;
                println!("awake bytes={}", exported.len());
            }
            "close" => over |= step(&mut client, &socket, ClientInput::Close),
            _ => return Err(format!("what is {command}?").into()),
        }
    }
    Ok(())
}

fn server(address: SocketAddr, mut options: Options) -> Result<(), Failure> {
    let clock = Clock(std::time::Instant::now());
    let mut rng = Urandom(File::open("/dev/urandom")?);
    let socket = UdpSocket::bind(address)?;
    println!("listening {}", socket.local_addr()?.port());
    let mut server = Server::new(options.server_config(), &mut rng);
    let mut known = Known {
        psk: std::mem::take(&mut options.psk),
        peer: options.peer.take(),
        trust: ClientTrust::new(),
    };
    if let Some(trust) = &options.trust {
        known.trust.add_authorities(trust)?;
    }
    let mut buffer = vec![0; 65536];
    let echo = options.answer.is_none();
    loop {
        let due = server.next_timeout();
        let datagram = receive(&socket, clock.until(due), &mut buffer);
        let mut answers: Vec<(SessionId, Vec<u8>)> = Vec::new();
        let mut step = |input: ServerInput<'_>| {
            let mut outputs = server.handle(clock.now(), input, &known, &mut rng);
            let mut received = Vec::new();
            while let Some(output) = outputs.next() {
                match output {
                    ServerOutput::Transmit { to, bytes } => {
                        let _ = socket.send_to(bytes, to);
                    }
                    ServerOutput::Connected {
                        identity, resumed, ..
                    } => println!("connected resumed={resumed} peer={}", describe(identity)),
                    ServerOutput::Data { session, bytes } => {
                        received.push((session, bytes.to_vec()))
                    }
                    ServerOutput::Moved { from, to, .. } => {
                        println!("moved {} {}", from.port(), to.port());
                    }
                    ServerOutput::Closed { reason, .. } => println!("closed {reason:?}"),
                    ServerOutput::Unproven { .. }
                    | ServerOutput::Reserve { .. }
                    | ServerOutput::Foreign { .. } => {}
                }
            }
            received
        };
        if let Some((bytes, from)) = datagram {
            answers.extend(step(ServerInput::Datagram { from, bytes }));
        }
        if due.is_some_and(|due| due <= clock.now()) {
            answers.extend(step(ServerInput::Timer));
        }
        for (session, bytes) in answers {
            if let Some(from) = server.address(session) {
                tell_data(from, &bytes);
            }
            let answer = options.answer.take();
            let Some(bytes) = answer.as_deref().or(echo.then_some(&bytes[..])) else {
                continue;
            };
            let input = ServerInput::Send { session, bytes };
            let mut outputs = server.handle(clock.now(), input, &known, &mut rng);
            while let Some(output) = outputs.next() {
                if let ServerOutput::Transmit { to, bytes } = output {
                    let _ = socket.send_to(bytes, to);
                }
            }
        }
    }
}

fn main() -> Result<(), Failure> {
    let mut words = env::args().skip(1);
    let role = words.next().ok_or("server or client?")?;
    let address = words.next().ok_or("HOST:PORT is missing")?.parse()?;
    let options = Options::parse(words)?;
    match role.as_str() {
        "server" => server(address, options),
        "client" => client(address, options),
        _ => Err("server or client?".into()),
    }
}
