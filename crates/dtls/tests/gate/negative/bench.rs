//! A server under test and scripted clients.

use std::net::SocketAddr;
use std::time::Duration;

use dunlin_coap::Instant;
use dunlin_dtls::testing::{ContentType, Side};
use dunlin_dtls::{
    Alert, Counters, DropReason, KeyExchange, Reason, Server, ServerConfig, ServerInput,
    ServerOutput, SessionId,
};
use dunlin_sim::netem::SeededRng;

use crate::known::{
    IDENTITY, KEY, Kind, Known, client_certificate, client_key, psk, server_config,
};
use crate::script::{Script, extension, kind, vec};

/// What the server said in one call.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) datagrams: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) connected: Vec<SessionId>,
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) moved: Vec<SocketAddr>,
    pub(crate) closed: Vec<Reason>,
    pub(crate) unproven: Vec<u64>,
    pub(crate) foreign: usize,
}

impl Said {
    pub(crate) fn is_silent(&self) -> bool {
        self.datagrams.is_empty()
            && self.connected.is_empty()
            && self.data.is_empty()
            && self.moved.is_empty()
            && self.closed.is_empty()
    }
}

pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) known: Known,
    pub(crate) now: Instant,
    pub(crate) rng: SeededRng,
}

pub(crate) const HERE: &str = "192.0.2.1:40000";
pub(crate) const THERE: &str = "192.0.2.2:40000";

pub(crate) fn here() -> SocketAddr {
    HERE.parse().unwrap()
}

pub(crate) fn there() -> SocketAddr {
    THERE.parse().unwrap()
}

/// A configuration whose messages come in one piece.
pub(crate) fn in_one_piece() -> ServerConfig {
    ServerConfig {
        mtu: 16_000,
        ..server_config()
    }
}

impl Bench {
    pub(crate) fn new(config: ServerConfig) -> Self {
        let mut rng = SeededRng::new(1);
        Self {
            server: Server::new(config, &mut rng),
            known: Known::default(),
            now: Instant::from_secs(1000),
            rng,
        }
    }

    /// A server that has sent its first flight to this client, messages in one piece.
    pub(crate) fn begun(mut script: Script) -> (Self, Script) {
        let mut bench = Self::new(in_one_piece());
        bench.first_flight(&mut script);
        (bench, script)
    }

    pub(crate) fn tell(&mut self, input: ServerInput<'_>) -> Said {
        let mut said = Said::default();
        let mut outputs = self
            .server
            .handle(self.now, input, &self.known, &mut self.rng);
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { to, bytes } => said.datagrams.push((to, bytes.to_vec())),
                ServerOutput::Connected { session, .. } => said.connected.push(session),
                ServerOutput::Data { bytes, .. } => said.data.push(bytes.to_vec()),
                ServerOutput::Moved { to, .. } => said.moved.push(to),
                ServerOutput::Unproven { sequence, .. } => said.unproven.push(sequence),
                ServerOutput::Closed { reason, .. } => said.closed.push(reason),
                ServerOutput::Foreign { .. } => said.foreign += 1,
                ServerOutput::Reserve { .. } => {}
            }
        }
        said
    }

    pub(crate) fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) -> Said {
        self.tell(ServerInput::Datagram { from, bytes })
    }

    /// A datagram from the usual address.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Said {
        self.datagram(here(), bytes)
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.server.counters().dropped(reason)
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.server.counters()
    }

    pub(crate) fn wait(&mut self, duration: Duration) -> Said {
        let end = self.now + duration;
        let mut all = Said::default();
        while let Some(due) = self.server.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let said = self.tell(ServerInput::Timer);
            all.datagrams.extend(said.datagrams);
            all.closed.extend(said.closed);
        }
        self.now = end;
        all
    }

    /// The cookie exchange; returns what the server says to the second hello.
    pub(crate) fn hello(&mut self, script: &mut Script) -> Said {
        self.hello_from(here(), script)
    }

    pub(crate) fn hello_from(&mut self, from: SocketAddr, script: &mut Script) -> Said {
        let first = script.client_hello();
        let said = self.datagram(from, &first);
        assert_eq!(said.datagrams.len(), 1, "a HelloVerifyRequest: {said:?}");
        let messages = script.take(&said.datagrams[0].1);
        assert_eq!(messages[0].kind, kind::HELLO_VERIFY_REQUEST);
        let second = script.client_hello();
        self.datagram(from, &second)
    }

    /// Up to and including the server's first flight.
    pub(crate) fn first_flight(&mut self, script: &mut Script) -> Vec<u8> {
        let said = self.hello(script);
        for (_, datagram) in &said.datagrams {
            script.take(datagram);
        }
        assert!(script.peer_hello.is_some(), "no ServerHello: {said:?}");
        said.datagrams.concat_bytes()
    }

    /// The client's second flight, whole and good.
    pub(crate) fn second_flight(&mut self, script: &mut Script) -> Vec<u8> {
        let mut out = Vec::new();
        let signs = script.suite.key_exchange() == KeyExchange::EcdheEcdsa;
        if signs {
            let body = certificate(script);
            out.extend(script.say_plain(kind::CERTIFICATE, &body));
        }
        out.extend(keyed(script));
        if signs {
            let body = script.certificate_verify(&client_key());
            out.extend(script.say_plain(kind::CERTIFICATE_VERIFY, &body));
        }
        out.extend(script.change_cipher_spec());
        out.extend(script.finished());
        out
    }

    /// An association with a client.
    pub(crate) fn connect(&mut self, script: &mut Script) -> SessionId {
        self.first_flight(script);
        let flight = self.second_flight(script);
        let said = self.send(&flight);
        assert_eq!(said.connected.len(), 1, "{said:?}");
        for (_, datagram) in &said.datagrams {
            script.take(datagram);
        }
        said.connected[0]
    }

    /// Whether data of the client arrives.
    pub(crate) fn takes_data(&mut self, script: &mut Script, data: &[u8]) -> bool {
        let record = script.sealed(ContentType::ApplicationData, data);
        self.send(&record).data == [data]
    }
}

/// The client's good ClientKeyExchange; it has its keys afterwards.
pub(crate) fn keyed(script: &mut Script) -> Vec<u8> {
    let body = script.client_key_exchange(IDENTITY);
    let record = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
    script.derive(KEY, None);
    record
}

/// The body of the client's Certificate message.
pub(crate) fn certificate(script: &Script) -> Vec<u8> {
    let hello = script.peer_hello.as_ref().unwrap();
    if hello.extension(extension::CLIENT_CERTIFICATE_TYPE) == Some(&[2]) {
        vec(3, client_key().public_key())
    } else {
        vec(3, &vec(3, &client_certificate()))
    }
}

trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl ConcatBytes for Vec<(SocketAddr, Vec<u8>)> {
    fn concat_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// A client of this kind, with raw public keys where the kind says so.
pub(crate) fn client(of: Kind, seed: u64) -> Script {
    let mut script = Script::new(Side::Client, of.suite, seed);
    if of.raw {
        for number in [
            extension::CLIENT_CERTIFICATE_TYPE,
            extension::SERVER_CERTIFICATE_TYPE,
        ] {
            script.hello = script.hello.with(number, &[1, 2]);
        }
    }
    script
}

pub(crate) fn psk_client(seed: u64) -> Script {
    client(psk(), seed)
}

/// A client that uses connection IDs and wants none.
pub(crate) fn cid_client(seed: u64) -> Script {
    let mut script = psk_client(seed);
    script.hello = script.hello.with(extension::CONNECTION_ID, &[0]);
    script
}

/// The alert that the server sent, if it did.
pub(crate) fn alert(script: &Script, said: &Said) -> Option<[u8; 2]> {
    said.datagrams
        .iter()
        .flat_map(|(_, datagram)| script.open(datagram))
        .find(|record| record.content_type == ContentType::Alert)
        .map(|record| record.content.try_into().unwrap())
}

pub(crate) fn fatal(alert: Alert) -> Option<[u8; 2]> {
    Some([2, alert.number()])
}
