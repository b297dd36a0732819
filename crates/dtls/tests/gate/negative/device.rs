//! A device under test and scripted servers.

use dunlin_coap::Instant;
use dunlin_dtls::testing::{ContentType, Side};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientInput, ClientOutput, KeyExchange, Reason, Resumption,
};
use dunlin_sim::netem::SeededRng;

use crate::known::{KEY, Kind, client_config, server_certificate, server_key};
use crate::script::{Hello, Script, extension, fragment, kind, vec};

/// What the client said in one call.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) datagrams: Vec<Vec<u8>>,
    pub(crate) connected: usize,
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) closed: Vec<Reason>,
}

impl Said {
    pub(crate) fn is_silent(&self) -> bool {
        self.datagrams.is_empty()
            && self.connected == 0
            && self.data.is_empty()
            && self.closed.is_empty()
    }
}

pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) rng: SeededRng,
}

impl Device {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            client: Client::new(ClientConfig {
                mtu: 16_000,
                ..config
            }),
            now: Instant::from_secs(1000),
            rng: SeededRng::new(1),
        }
    }

    pub(crate) fn connect(&mut self, resume: Option<&Resumption>) -> Said {
        let mut said = Said::default();
        let mut outputs = self.client.connect(self.now, resume, &mut self.rng);
        while let Some(output) = outputs.next() {
            note(output, &mut said);
        }
        said
    }

    pub(crate) fn tell(&mut self, input: ClientInput<'_>) -> Said {
        let mut said = Said::default();
        let mut outputs = self.client.handle(self.now, input, &mut self.rng);
        while let Some(output) = outputs.next() {
            note(output, &mut said);
        }
        said
    }

    pub(crate) fn receive(&mut self, datagram: &[u8]) -> Said {
        self.tell(ClientInput::Datagram(datagram))
    }

    /// Begins a handshake with the scripted server, up to the ClientHello with the cookie.
    pub(crate) fn hello(&mut self, script: &mut Script, resume: Option<&Resumption>) {
        let said = self.connect(resume);
        script.take(&said.datagrams[0]);
        let request = hello_verify_request(script, b"a cookie");
        let said = self.receive(&request);
        assert_eq!(said.datagrams.len(), 1, "{said:?}");
        script.take(&said.datagrams[0]);
        let hello = script.peer_hello.as_ref().unwrap();
        assert_eq!(hello.cookie, b"a cookie");
    }

    /// A whole handshake. Returns what the client says to its end.
    pub(crate) fn handshake(&mut self, script: &mut Script) -> Said {
        self.hello(script, None);
        let flight = first_flight(script);
        let said = self.receive(&flight);
        assert!(!said.datagrams.is_empty(), "{said:?}");
        take_second_flight(script, &said);
        let end = last_flight(script);
        self.receive(&end)
    }
}

pub(crate) fn note(output: ClientOutput<'_>, said: &mut Said) {
    match output {
        ClientOutput::Transmit(bytes) => said.datagrams.push(bytes.to_vec()),
        ClientOutput::Connected { .. } => said.connected += 1,
        ClientOutput::Data(bytes) => said.data.push(bytes.to_vec()),
        ClientOutput::Closed(reason) => said.closed.push(reason),
    }
}

pub(crate) fn server(of: Kind) -> Script {
    let mut script = Script::new(Side::Server, of.suite, 9);
    if of.raw {
        for number in [
            extension::CLIENT_CERTIFICATE_TYPE,
            extension::SERVER_CERTIFICATE_TYPE,
        ] {
            script.hello = script.hello.with(number, &[2]);
        }
    }
    script.hello.session_id = vec![5; 32];
    script
}

pub(crate) fn hello_verify_request(script: &mut Script, cookie: &[u8]) -> Vec<u8> {
    let body = [&[0xfe, 0xff][..], &vec(1, cookie)].concat();
    let content = fragment(
        kind::HELLO_VERIFY_REQUEST,
        body.len(),
        script.message,
        0,
        &body,
    );
    script.message += 1;
    script.plain(22, &content)
}

/// The messages of the first flight, good ones, in their order.
pub(crate) fn messages(script: &mut Script) -> Vec<(u8, Vec<u8>)> {
    let mut all = vec![(kind::SERVER_HELLO, script.hello.server())];
    let signs = script.suite.key_exchange() == KeyExchange::EcdheEcdsa;
    if signs {
        let raw = script
            .hello
            .extension(extension::SERVER_CERTIFICATE_TYPE)
            .is_some();
        let body = if raw {
            vec(3, server_key().public_key())
        } else {
            vec(3, &vec(3, &server_certificate()))
        };
        all.push((kind::CERTIFICATE, body));
    }
    if let Some(body) = script.server_key_exchange(&server_key()) {
        all.push((kind::SERVER_KEY_EXCHANGE, body));
    }
    if signs {
        all.push((kind::CERTIFICATE_REQUEST, vec![1, 64, 0, 2, 4, 3, 0, 0]));
    }
    all.push((kind::SERVER_HELLO_DONE, Vec::new()));
    all
}

pub(crate) fn say_all(script: &mut Script, messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, body) in messages {
        out.extend(script.say_plain(*kind, body));
    }
    out
}

pub(crate) fn first_flight(script: &mut Script) -> Vec<u8> {
    let messages = messages(script);
    say_all(script, &messages)
}

/// Takes the client's second flight in, with its Finished.
pub(crate) fn take_second_flight(script: &mut Script, said: &Said) {
    for datagram in &said.datagrams {
        script.take(datagram);
    }
    script.derive(KEY, None);
    for datagram in &said.datagrams {
        script.take(datagram);
    }
}

pub(crate) fn last_flight(script: &mut Script) -> Vec<u8> {
    let mut out = script.change_cipher_spec();
    out.extend(script.finished());
    out
}

/// What the client does about a first flight that was changed.
pub(crate) fn reaction(
    config: ClientConfig,
    of: Kind,
    change: impl FnOnce(&mut Script, &mut Vec<(u8, Vec<u8>)>),
) -> Reason {
    let mut device = Device::new(config);
    let mut script = server(of);
    device.hello(&mut script, None);
    let mut all = messages(&mut script);
    change(&mut script, &mut all);
    let flight = say_all(&mut script, &all);
    let said = device.receive(&flight);
    assert_eq!(said.connected, 0);
    let reason = *said
        .closed
        .first()
        .unwrap_or_else(|| panic!("it goes on: {said:?}"));
    // The server is told what the application is told; behind a flight of the client under keys that
    // the script does not make.
    if let (Reason::AlertSent(alert), 1) = (reason, said.datagrams.len()) {
        let sent = said
            .datagrams
            .iter()
            .flat_map(|datagram| script.open(datagram))
            .find(|record| record.content_type == ContentType::Alert)
            .map(|record| record.content);
        assert_eq!(sent, Some(vec![2, alert.number()]));
    }
    assert_eq!(device.client.next_timeout(), None, "it is over");
    reason
}

pub(crate) fn reaction_to_hello(of: Kind, change: impl FnOnce(&mut Hello)) -> Reason {
    reaction(client_config(of), of, |script, all| {
        change(&mut script.hello);
        all[0].1 = script.hello.server();
    })
}

pub(crate) fn sent(alert: Alert) -> Reason {
    Reason::AlertSent(alert)
}
