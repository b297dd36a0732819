//! A client and a server over an emulated network in virtual time.

use std::net::SocketAddr;
use std::time::Duration;

use dunlin_coap::Instant;
use dunlin_dtls::{
    Client, ClientConfig, ClientInput, ClientOutput, Identity, Reason, Resumption, Server,
    ServerConfig, ServerInput, ServerOutput, SessionId,
};
use dunlin_sim::netem::{Impairment, Netem, SeededRng};

use crate::known::Known;

/// Who sent a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// What the client said besides datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientEvent {
    Connected { resumed: bool },
    Data(Vec<u8>),
    Closed(Reason),
}

/// What the server said besides datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerEvent {
    Connected {
        session: SessionId,
        identity: Identity,
        tag: u64,
        resumed: bool,
    },
    Data(SessionId, Vec<u8>),
    Moved(SessionId, SocketAddr),
    Unproven(SessionId, SocketAddr, u64),
    Reserve(SessionId),
    Closed(SessionId, Reason),
    Foreign,
}

pub(crate) fn client_address() -> SocketAddr {
    "192.0.2.1:40000".parse().unwrap()
}

pub(crate) fn server_address() -> SocketAddr {
    "198.51.100.1:5684".parse().unwrap()
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) network: Netem<SocketAddr>,
    pub(crate) rng: SeededRng,
    pub(crate) known: Known,
    /// The one datagram that is lost: whose, and the how many-th of that side.
    pub(crate) lost: Option<(From, usize)>,
    /// Datagrams that each side sent.
    pub(crate) sent: [usize; 2],
    /// The longest of them.
    pub(crate) longest: usize,
    pub(crate) client_events: Vec<ClientEvent>,
    pub(crate) server_events: Vec<ServerEvent>,
    /// The session that the server made last.
    pub(crate) session: Option<SessionId>,
    /// Whether the server answers data with the same data.
    pub(crate) echo: bool,
    pub(crate) tap: Vec<(From, Vec<u8>)>,
}

impl Pair {
    pub(crate) fn new(client: ClientConfig, server: ServerConfig, known: Known, seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let delay = Duration::from_millis(50);
        Self {
            now: Instant::from_secs(1000),
            client: Client::new(client),
            server: Server::new(server, &mut rng),
            network: Netem::new(
                seed,
                Impairment {
                    delay,
                    ..Impairment::default()
                },
            ),
            rng,
            known,
            lost: None,
            sent: [0; 2],
            longest: 0,
            client_events: Vec::new(),
            server_events: Vec::new(),
            session: None,
            echo: true,
            tap: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, resume: Option<&Resumption>) {
        let mut outputs = self.client.connect(self.now, resume, &mut self.rng);
        let mut datagrams = Vec::new();
        while let Some(output) = outputs.next() {
            take_client(output, &mut datagrams, &mut self.client_events);
        }
        drop(outputs);
        for bytes in datagrams {
            self.transmit(From::Client, server_address(), &bytes);
        }
    }

    pub(crate) fn tell_client(&mut self, input: ClientInput<'_>) {
        let mut datagrams = Vec::new();
        let mut outputs = self.client.handle(self.now, input, &mut self.rng);
        while let Some(output) = outputs.next() {
            take_client(output, &mut datagrams, &mut self.client_events);
        }
        drop(outputs);
        for bytes in datagrams {
            self.transmit(From::Client, server_address(), &bytes);
        }
    }

    pub(crate) fn tell_server(&mut self, input: ServerInput<'_>) {
        let mut datagrams = Vec::new();
        let mut data = Vec::new();
        let mut outputs = self
            .server
            .handle(self.now, input, &self.known, &mut self.rng);
        while let Some(output) = outputs.next() {
            let event = match output {
                ServerOutput::Transmit { to, bytes } => {
                    datagrams.push((to, bytes.to_vec()));
                    continue;
                }
                ServerOutput::Connected {
                    session,
                    identity,
                    tag,
                    resumed,
                    ..
                } => {
                    self.session = Some(session);
                    ServerEvent::Connected {
                        session,
                        identity: identity.clone(),
                        tag,
                        resumed,
                    }
                }
                ServerOutput::Data { session, bytes } => {
                    data.push((session, bytes.to_vec()));
                    ServerEvent::Data(session, bytes.to_vec())
                }
                ServerOutput::Moved { session, to, .. } => ServerEvent::Moved(session, to),
                ServerOutput::Unproven {
                    session,
                    from,
                    sequence,
                    ..
                } => ServerEvent::Unproven(session, from, sequence),
                ServerOutput::Reserve { session } => ServerEvent::Reserve(session),
                ServerOutput::Closed {
                    session, reason, ..
                } => ServerEvent::Closed(session, reason),
                ServerOutput::Foreign { .. } => ServerEvent::Foreign,
            };
            self.server_events.push(event);
        }
        drop(outputs);
        for (to, bytes) in datagrams {
            self.transmit(From::Server, to, &bytes);
        }
        if self.echo {
            for (session, bytes) in data {
                self.tell_server(ServerInput::Send {
                    session,
                    bytes: &bytes,
                });
            }
        }
    }

    fn transmit(&mut self, from: From, to: SocketAddr, bytes: &[u8]) {
        let index = self.sent[from as usize];
        self.sent[from as usize] += 1;
        self.longest = self.longest.max(bytes.len());
        self.tap.push((from, bytes.to_vec()));
        if self.lost == Some((from, index)) {
            return;
        }
        let host = match from {
            From::Client => client_address(),
            From::Server => server_address(),
        };
        self.network.send(self.now, host, to, bytes);
    }

    /// Lets time pass, up to `duration` or until `enough`. Returns whether it was enough.
    pub(crate) fn run(&mut self, duration: Duration, enough: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + duration;
        for _ in 0..100_000 {
            if enough(self) {
                return true;
            }
            let client_due = self.client.next_timeout();
            let server_due = self.server.next_timeout();
            let next = [self.network.next_arrival(), client_due, server_due]
                .into_iter()
                .flatten()
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            while let Some(delivery) = self.network.receive(self.now) {
                if delivery.to == server_address() {
                    self.tell_server(ServerInput::Datagram {
                        from: delivery.from,
                        bytes: &delivery.bytes,
                    });
                } else if delivery.to == client_address() {
                    self.tell_client(ClientInput::Datagram(&delivery.bytes));
                }
            }
            if self
                .client
                .next_timeout()
                .is_some_and(|due| due <= self.now)
            {
                self.tell_client(ClientInput::Timer);
            }
            if self
                .server
                .next_timeout()
                .is_some_and(|due| due <= self.now)
            {
                self.tell_server(ServerInput::Timer);
            }
        }
        panic!("time does not pass at {:?}", self.now);
    }

    /// Lets everything under way arrive, and what follows from it, without waiting for timers.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let Some(at) = self.network.next_arrival() else {
                return;
            };
            let until = at.max(self.now) - self.now;
            self.run(until, |_| false);
        }
        panic!("it never ends");
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.is_connected() && self.session.is_some()
    }

    /// Sends data from the client, again every few seconds as CoAP would, until the echo is there.
    pub(crate) fn exchange(&mut self, data: &[u8]) -> bool {
        let echo = ClientEvent::Data(data.to_vec());
        for _ in 0..12 {
            self.tell_client(ClientInput::Send(data));
            if self.run(Duration::from_secs(5), |pair| {
                pair.client_events.contains(&echo)
            }) {
                return true;
            }
        }
        false
    }

    pub(crate) fn total(&self) -> usize {
        self.sent[0] + self.sent[1]
    }
}

fn take_client(
    output: ClientOutput<'_>,
    datagrams: &mut Vec<Vec<u8>>,
    events: &mut Vec<ClientEvent>,
) {
    match output {
        ClientOutput::Transmit(bytes) => datagrams.push(bytes.to_vec()),
        ClientOutput::Connected { resumed } => events.push(ClientEvent::Connected { resumed }),
        ClientOutput::Data(bytes) => events.push(ClientEvent::Data(bytes.to_vec())),
        ClientOutput::Closed(reason) => events.push(ClientEvent::Closed(reason)),
    }
}
