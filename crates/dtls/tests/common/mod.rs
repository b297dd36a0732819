//! A client and a server with a network of virtual time between them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, Credentials,
    Identity, KeyPair, Reason, Resumption, Secret, Server, ServerConfig, ServerInput, ServerOutput,
    ServerVerifier, SessionId,
};

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

/// The credentials that a server accepts.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) psk: HashMap<Vec<u8>, (Vec<u8>, u64)>,
    pub(crate) raw_public_keys: HashMap<Vec<u8>, u64>,
    pub(crate) certificates: HashMap<Vec<u8>, u64>,
    pub(crate) names: Option<Vec<String>>,
}

impl Credentials for Store {
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        let (key, tag) = self.psk.get(identity)?;
        Some((Secret::new(key), *tag))
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        self.raw_public_keys.get(spki).copied()
    }

    fn certificate(&self, chain: &[&[u8]], _: Instant) -> Result<u64, Alert> {
        let tag = chain.first().and_then(|leaf| self.certificates.get(*leaf));
        tag.copied().ok_or(Alert::UNKNOWN_CA)
    }

    fn server_name(&self, name: &str) -> Result<(), Alert> {
        match &self.names {
            Some(names) if !names.iter().any(|it| it == name) => Err(Alert::UNRECOGNIZED_NAME),
            _ => Ok(()),
        }
    }
}

/// Knows exactly one server.
pub(crate) struct Expected(pub(crate) Vec<u8>);

impl ServerVerifier for Expected {
    fn raw_public_key(&self, spki: &[u8]) -> Result<(), Alert> {
        (spki == self.0).then_some(()).ok_or(Alert::BAD_CERTIFICATE)
    }

    fn certificate(&self, chain: &[&[u8]], _: Instant) -> Result<(), Alert> {
        (chain.first() == Some(&self.0.as_slice()))
            .then_some(())
            .ok_or(Alert::UNKNOWN_CA)
    }
}

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Connected { resumed: bool },
    Data(Vec<u8>),
    Closed(Reason),
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Connected {
        session: SessionId,
        from: SocketAddr,
        identity: Identity,
        tag: u64,
        resumed: bool,
    },
    Data(SessionId, Vec<u8>),
    Moved(SessionId, SocketAddr, SocketAddr),
    Unproven(SessionId, SocketAddr, u64, Vec<u8>),
    Reserve(SessionId),
    Closed(SessionId, Reason),
    Foreign(Vec<u8>, SocketAddr, Vec<u8>),
}

/// Both ends, and what is on its way. Datagrams arrive 10 ms after they were sent.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) rng: Seeded,
    /// The client's address, as the server sees it.
    pub(crate) address: SocketAddr,
    pub(crate) said: Vec<Said>,
    pub(crate) told: Vec<Told>,
    to_server: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    to_client: VecDeque<(Instant, Vec<u8>)>,
    /// Every datagram sent, with whether it was the client's.
    pub(crate) sent: Vec<(bool, Vec<u8>)>,
    /// Says what happens to a datagram: its number among all that were sent, whether it is the
    /// client's, its bytes; what comes back is delivered.
    pub(crate) network: Network,
}

/// What happens to a datagram.
pub(crate) type Network = Box<dyn FnMut(usize, bool, Vec<u8>) -> Vec<Vec<u8>>>;

pub(crate) const LATENCY: Duration = Duration::from_millis(10);

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

pub(crate) fn psk_config() -> ClientConfig {
    ClientConfig::new(ClientCredentials::Psk {
        identity: b"dev-\0-1".to_vec(),
        key: Secret::new(b"0123456789abcdef"),
    })
}

pub(crate) fn key(number: u8) -> KeyPair {
    KeyPair::from_scalar(&[number; 32]).unwrap()
}

impl Pair {
    pub(crate) fn new(client: ClientConfig, server: ServerConfig) -> Self {
        let mut rng = Seeded(7);
        let mut store = Store::default();
        store
            .psk
            .insert(b"dev-\0-1".to_vec(), (b"0123456789abcdef".to_vec(), 41));
        store
            .raw_public_keys
            .insert(key(1).public_key().to_vec(), 42);
        Self {
            now: Instant::from_secs(1000),
            client: Client::new(client),
            server: Server::new(server, &mut rng),
            store,
            rng,
            address: address(40000),
            said: Vec::new(),
            told: Vec::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            sent: Vec::new(),
            network: Box::new(|_, _, datagram| vec![datagram]),
        }
    }

    pub(crate) fn connect(&mut self, resume: Option<&Resumption>) {
        let outputs = self.client.connect(self.now, resume, &mut self.rng);
        let sent = Self::take_client(outputs, &mut self.said);
        self.carry_from_client(sent);
    }

    /// Connects, and insists that it works.
    pub(crate) fn connected(mut self) -> Self {
        self.connect(None);
        self.run();
        assert_eq!(self.said, [Said::Connected { resumed: false }]);
        assert_eq!(self.told.len(), 1);
        self
    }

    pub(crate) fn client(&mut self, input: ClientInput<'_>) {
        let outputs = self.client.handle(self.now, input, &mut self.rng);
        let sent = Self::take_client(outputs, &mut self.said);
        self.carry_from_client(sent);
    }

    pub(crate) fn server(&mut self, input: ServerInput<'_>) {
        let outputs = self
            .server
            .handle(self.now, input, &self.store, &mut self.rng);
        let sent = Self::take_server(outputs, &mut self.told);
        self.carry_from_server(sent);
    }

    pub(crate) fn forget(&mut self, tag: u64) {
        let outputs = self.server.forget(tag, &mut self.rng);
        let sent = Self::take_server(outputs, &mut self.told);
        self.carry_from_server(sent);
    }

    fn take_client(
        mut outputs: dunlin_dtls::ClientOutputs<'_>,
        said: &mut Vec<Said>,
    ) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while let Some(output) = outputs.next() {
            match output {
                ClientOutput::Transmit(bytes) => sent.push(bytes.to_vec()),
                ClientOutput::Connected { resumed } => said.push(Said::Connected { resumed }),
                ClientOutput::Data(bytes) => said.push(Said::Data(bytes.to_vec())),
                ClientOutput::Closed(reason) => said.push(Said::Closed(reason)),
            }
        }
        sent
    }

    fn take_server(
        mut outputs: dunlin_dtls::ServerOutputs<'_>,
        told: &mut Vec<Told>,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { to, bytes } => sent.push((to, bytes.to_vec())),
                ServerOutput::Connected {
                    session,
                    from,
                    identity,
                    tag,
                    resumed,
                } => told.push(Told::Connected {
                    session,
                    from,
                    identity: identity.clone(),
                    tag,
                    resumed,
                }),
                ServerOutput::Data { session, bytes } => {
                    told.push(Told::Data(session, bytes.to_vec()));
                }
                ServerOutput::Moved { session, from, to } => {
                    told.push(Told::Moved(session, from, to));
                }
                ServerOutput::Unproven {
                    session,
                    from,
                    sequence,
                    bytes,
                } => told.push(Told::Unproven(session, from, sequence, bytes.to_vec())),
                ServerOutput::Reserve { session } => told.push(Told::Reserve(session)),
                ServerOutput::Closed {
                    session, reason, ..
                } => {
                    told.push(Told::Closed(session, reason));
                }
                ServerOutput::Foreign { cid, from, bytes } => {
                    told.push(Told::Foreign(cid.to_vec(), from, bytes.to_vec()));
                }
            }
        }
        sent
    }

    fn carry_from_client(&mut self, sent: Vec<Vec<u8>>) {
        for datagram in sent {
            let number = self.sent.len();
            self.sent.push((true, datagram.clone()));
            for datagram in (self.network)(number, true, datagram) {
                self.to_server
                    .push_back((self.now + LATENCY, self.address, datagram));
            }
        }
    }

    fn carry_from_server(&mut self, sent: Vec<(SocketAddr, Vec<u8>)>) {
        for (to, datagram) in sent {
            let number = self.sent.len();
            self.sent.push((false, datagram.clone()));
            for datagram in (self.network)(number, false, datagram) {
                if to == self.address {
                    self.to_client.push_back((self.now + LATENCY, datagram));
                }
            }
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        [
            self.to_server.front().map(|it| it.0),
            self.to_client.front().map(|it| it.0),
            self.client.next_timeout(),
            self.server.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Goes on until nothing more happens, or this time is over.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            steps += 1;
            assert!(steps < 100_000, "no end in sight");
            self.now = self.now.max(next);
            if self.to_server.front().is_some_and(|it| it.0 <= self.now) {
                let (_, from, bytes) = self.to_server.pop_front().unwrap();
                self.server(ServerInput::Datagram {
                    from,
                    bytes: &bytes,
                });
            } else if self.to_client.front().is_some_and(|it| it.0 <= self.now) {
                let (_, bytes) = self.to_client.pop_front().unwrap();
                self.client(ClientInput::Datagram(&bytes));
            } else if self.client.next_timeout().is_some_and(|it| it <= self.now) {
                self.client(ClientInput::Timer);
            } else {
                self.server(ServerInput::Timer);
            }
        }
        self.now = end;
    }

    /// Goes on until nothing more happens, for ten minutes at most.
    pub(crate) fn run(&mut self) {
        while let Some(next) = self.next() {
            assert!(next <= Instant::from_secs(1_000_000), "no end in sight");
            let until = next - self.now;
            self.run_for(until);
        }
    }

    /// The session of the server that was told of last.
    pub(crate) fn session(&self) -> SessionId {
        self.told
            .iter()
            .rev()
            .find_map(|told| match told {
                Told::Connected { session, .. } => Some(*session),
                _ => None,
            })
            .expect("a session")
    }

    /// Data goes through in both directions.
    pub(crate) fn exchange(&mut self) {
        let session = self.session();
        self.said.clear();
        self.told
            .retain(|told| matches!(told, Told::Connected { .. }));
        self.client(ClientInput::Send(b"request"));
        self.run();
        assert!(
            self.told
                .contains(&Told::Data(session, b"request".to_vec())),
            "{:?}",
            self.told
        );
        self.server(ServerInput::Send {
            session,
            bytes: b"answer",
        });
        self.run();
        assert_eq!(self.said, [Said::Data(b"answer".to_vec())]);
    }
}
