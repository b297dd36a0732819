//! The pair: a client, a server, the network between them, and one clock for all.

use std::collections::VecDeque;
use std::time::Duration;

use dunlin_coap::{
    Action, Answered, Code, DropReason, Endpoint, ExchangeId, Failure, FixedEndpoint, Incoming,
    Instant, Message, MessageWriter, Outgoing, ReplyTo, Token, TransmissionParameters,
};
use dunlin_sim::netem::{Impairment, Netem, SeededRng};

pub(crate) type Address = u8;
pub(crate) type Node = FixedEndpoint<Address, 8, 64, 1280, 16384>;

pub(crate) const CLIENT: Address = 1;
pub(crate) const SERVER: Address = 2;

/// What one endpoint reported, with the datagram in full.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub at: Instant,
    pub host: Address,
    pub peer: Address,
    pub bytes: Vec<u8>,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Request(ReplyTo<Address>),
    Response {
        exchange: ExchangeId,
        piggybacked: bool,
    },
    Unmatched(ReplyTo<Address>),
    Acknowledged {
        exchange: ExchangeId,
        finished: bool,
    },
    Reset {
        message_id: u16,
        exchange: Option<ExchangeId>,
    },
    Answered(Answered),
    Dropped(DropReason),
    Failed {
        exchange: ExchangeId,
        why: Failure,
    },
}

impl Event {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).unwrap()
    }
}

/// A datagram that a host handed to the network.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub at: Instant,
    pub from: Address,
    pub bytes: Vec<u8>,
}

pub(crate) struct Pair {
    pub now: Instant,
    pub network: Netem<Address>,
    pub client: Node,
    pub server: Node,
    pub sent: Vec<Datagram>,
    rng: SeededRng,
    events: VecDeque<Event>,
}

/// 20 % loss, 10 % twice, 20 % overtaken.
pub(crate) const BAD: Impairment = Impairment {
    loss: 0.2,
    duplicate: 0.1,
    reorder: 0.2,
    reorder_delay: Duration::from_millis(500),
    delay: Duration::from_millis(50),
    jitter: Duration::from_millis(50),
};

pub(crate) const GOOD: Impairment = Impairment {
    loss: 0.0,
    duplicate: 0.0,
    reorder: 0.0,
    reorder_delay: Duration::ZERO,
    delay: Duration::from_millis(10),
    jitter: Duration::ZERO,
};

pub(crate) const DEAD: Impairment = Impairment { loss: 1.0, ..GOOD };

impl Pair {
    pub(crate) fn new(seed: u64, impairment: Impairment) -> Self {
        let mut rng = SeededRng::new(seed ^ 0xC0A9);
        let parameters = TransmissionParameters::default();
        Self {
            now: Instant::from_secs(10),
            network: Netem::new(seed, impairment),
            client: Endpoint::fixed(parameters, &mut rng),
            server: Endpoint::fixed(parameters, &mut rng),
            sent: Vec::new(),
            rng,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn over_a_good_network() -> Self {
        Self::new(1, GOOD)
    }

    pub(crate) fn node(&mut self, host: Address) -> &mut Node {
        if host == CLIENT {
            &mut self.client
        } else {
            &mut self.server
        }
    }

    /// A host sends a datagram made by hand, or by the endpoint.
    pub(crate) fn transmit(&mut self, host: Address, to: Address, bytes: &[u8]) {
        self.network.send(self.now, host, to, bytes);
        self.sent.push(Datagram {
            at: self.now,
            from: host,
            bytes: bytes.to_vec(),
        });
    }

    pub(crate) fn request(
        &mut self,
        request: Outgoing,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> ExchangeId {
        let sent = self
            .client
            .request(self.now, &mut self.rng, SERVER, request, write)
            .unwrap();
        let (exchange, bytes) = (sent.exchange, sent.bytes.to_vec());
        self.transmit(CLIENT, SERVER, &bytes);
        exchange
    }

    pub(crate) fn get(&mut self) -> ExchangeId {
        self.request(Outgoing::confirmable(Code::GET), |_| {})
    }

    pub(crate) fn post(&mut self) -> ExchangeId {
        self.request(Outgoing::confirmable(Code::POST), |_| {})
    }

    pub(crate) fn ping(&mut self) -> ExchangeId {
        let sent = self.client.ping(self.now, &mut self.rng, SERVER).unwrap();
        let (exchange, bytes) = (sent.exchange, sent.bytes.to_vec());
        self.transmit(CLIENT, SERVER, &bytes);
        exchange
    }

    /// The server answers a request event.
    pub(crate) fn reply(
        &mut self,
        event: &Event,
        code: Code,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) {
        let What::Request(reply_to) = event.what else {
            panic!("{event:?} is no request")
        };
        let mut out = [0; 1280];
        let token = event.message().token;
        let length = self.server.reply(&reply_to, code, token, &mut out, write);
        self.transmit(SERVER, event.peer, &out[..length.unwrap()]);
    }

    /// The server sends an Empty ACK for a request event.
    pub(crate) fn acknowledge(&mut self, event: &Event) {
        let What::Request(mut reply_to) = event.what else {
            panic!("{event:?} is no request")
        };
        let mut out = [0; 4];
        let length = self.server.acknowledge(&mut reply_to, &mut out);
        self.transmit(SERVER, event.peer, &out[..length]);
    }

    /// The server sends a CON response or notification.
    pub(crate) fn push_confirmable(
        &mut self,
        token: Token,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> ExchangeId {
        let token = token.as_bytes();
        let sent = self
            .server
            .send_confirmable(self.now, &mut self.rng, CLIENT, Code::CONTENT, token, write)
            .unwrap();
        let (exchange, bytes) = (sent.exchange, sent.bytes.to_vec());
        self.transmit(SERVER, CLIENT, &bytes);
        exchange
    }

    /// The server sends a NON response or notification; returns its Message ID.
    pub(crate) fn push_non_confirmable(
        &mut self,
        token: Token,
        write: impl FnOnce(&mut MessageWriter<'_>),
    ) -> u16 {
        let mut out = [0; 1280];
        let token = token.as_bytes();
        let (message_id, length) = self
            .server
            .send_non_confirmable(CLIENT, Code::CONTENT, token, &mut out, write)
            .unwrap();
        self.transmit(SERVER, CLIENT, &out[..length]);
        message_id
    }

    /// The client decides about an unmatched response.
    pub(crate) fn decide(&mut self, event: &Event, accept: bool) {
        let What::Unmatched(reply_to) = event.what else {
            panic!("{event:?} is matched")
        };
        let mut out = [0; 4];
        let length = if accept {
            self.client.accept(&reply_to, &mut out)
        } else {
            self.client.reject(&reply_to, &mut out)
        };
        if length > 0 {
            self.transmit(CLIENT, event.peer, &out[..length]);
        }
    }

    /// The next moment at which anything happens.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        let moments = [
            self.network.next_arrival(),
            self.client.next_timeout(),
            self.server.next_timeout(),
        ];
        moments.into_iter().flatten().min()
    }

    /// Goes to the next moment and lets everything happen that falls due; `false` when nothing
    /// is left to happen.
    pub(crate) fn step(&mut self) -> bool {
        let Some(moment) = self.next_moment() else {
            return false;
        };
        self.now = self.now.max(moment);
        while let Some(delivery) = self.network.receive(self.now) {
            self.deliver(delivery.to, delivery.from, delivery.bytes);
        }
        for host in [CLIENT, SERVER] {
            self.expire(host);
        }
        true
    }

    fn deliver(&mut self, host: Address, peer: Address, bytes: Vec<u8>) {
        let now = self.now;
        let mut out = [0; 1280];
        let handled = self.node(host).handle(now, peer, &bytes, &mut out);
        let what = match handled.incoming {
            Incoming::Request { reply_to, .. } => What::Request(reply_to),
            Incoming::Response {
                exchange,
                piggybacked,
                ..
            } => What::Response {
                exchange,
                piggybacked,
            },
            Incoming::Unmatched { reply_to, .. } => What::Unmatched(reply_to),
            Incoming::Acknowledged { exchange, finished } => {
                What::Acknowledged { exchange, finished }
            }
            Incoming::Reset {
                message_id,
                exchange,
            } => What::Reset {
                message_id,
                exchange,
            },
            Incoming::Answered(answered) => What::Answered(answered),
            Incoming::Dropped(reason) => What::Dropped(reason),
        };
        if handled.reply > 0 {
            self.transmit(host, peer, &out[..handled.reply]);
        }
        self.events.push_back(Event {
            at: now,
            host,
            peer,
            bytes,
            what,
        });
    }

    fn expire(&mut self, host: Address) {
        let now = self.now;
        loop {
            let action = self.node(host).handle_timeout(now);
            match action {
                None => break,
                Some(Action::Transmit { peer, bytes }) => {
                    let bytes = bytes.to_vec();
                    self.transmit(host, peer, &bytes);
                }
                Some(Action::ExchangeFailed {
                    exchange,
                    peer,
                    why,
                }) => {
                    let what = What::Failed { exchange, why };
                    self.events.push_back(Event {
                        at: now,
                        host,
                        peer,
                        bytes: Vec::new(),
                        what,
                    });
                }
            }
        }
        assert!(self.node(host).next_timeout().is_none_or(|next| next > now));
    }

    /// What a host reported since the last call.
    pub(crate) fn events(&mut self, host: Address) -> Vec<Event> {
        let (of_host, others) = self.events.drain(..).partition(|event| event.host == host);
        self.events = others;
        let of_host: VecDeque<Event> = of_host;
        of_host.into()
    }

    /// Lets all happen until nothing is left; `act` sees every event.
    pub(crate) fn drive(&mut self, mut act: impl FnMut(&mut Self, &Event)) {
        for _ in 0..100_000 {
            while let Some(event) = self.events.pop_front() {
                act(self, &event);
            }
            if !self.step() {
                return;
            }
        }
        panic!("the pair does not come to rest");
    }

    /// Lets all happen until nothing is left; events stay to be looked at.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the pair does not come to rest");
    }

    /// Lets all happen that falls due within the duration.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.next_moment().is_some_and(|moment| moment <= end) {
            self.step();
        }
        self.now = end;
    }

    /// The single event of a host.
    #[track_caller]
    pub(crate) fn only_event(&mut self, host: Address) -> Event {
        let mut events = self.events(host);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// When a host sent its datagrams.
    pub(crate) fn sent_by(&self, host: Address) -> impl Iterator<Item = &Datagram> {
        self.sent
            .iter()
            .filter(move |datagram| datagram.from == host)
    }
}
