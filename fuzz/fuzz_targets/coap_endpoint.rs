//! The message layer under any sequence of datagrams, sends, answers and time. Each exchange ends
//! exactly once, answers are bounded, and timers go forward.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use dunlin_coap::{
    Action, Answered, Code, Endpoint, ExchangeId, FixedEndpoint, Incoming, Instant, Message,
    MessageWriter, OptionNumber, Outgoing, ReplyTo, Token, TransmissionParameters, Type,
};
use dunlin_fuzz::{Dice, Input, step};
use libfuzzer_sys::fuzz_target;

const EXCHANGES: usize = 4;

struct World {
    endpoint: FixedEndpoint<u8, EXCHANGES, 12, 256, 300>,
    dice: Dice,
    now: Instant,
    open: HashMap<ExchangeId, (u8, u16, Token)>,
    /// Message IDs towards one peer may be equal now, by accident.
    redirected: bool,
    ended: HashSet<ExchangeId>,
    transmitted: HashMap<u16, u32>,
    answers: Vec<(ReplyTo<u8>, Vec<u8>)>,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut dice = Dice(u64::from(input.byte()));
    let endpoint = Endpoint::fixed(TransmissionParameters::default(), &mut dice);
    let mut world = World {
        endpoint,
        dice,
        now: Instant::ZERO,
        open: HashMap::new(),
        redirected: false,
        ended: HashSet::new(),
        transmitted: HashMap::new(),
        answers: Vec::new(),
    };
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        world.turn(&mut input);
        assert_eq!(world.endpoint.open_exchanges(), world.open.len());
        assert_eq!(world.endpoint.next_timeout().is_some(), !world.open.is_empty());
    }
    // Left alone, everything ends.
    world.pass(world.now + Duration::from_secs(1_000_000));
    assert_eq!(world.open.len(), 0);
});

impl World {
    fn turn(&mut self, input: &mut Input<'_>) {
        let peer = input.byte() % 3;
        match input.byte() % 12 {
            0 => {
                let length = input.below(64);
                let datagram = input.slice(length).to_vec();
                self.receive(peer, &datagram);
            }
            1..=4 => {
                let datagram = self.message(input);
                self.receive(peer, &datagram);
            }
            5 => self.send(peer, input),
            6 => {
                let payload = vec![1; input.below(300)];
                let mut out = [0; 256];
                if self.answers.is_empty() {
                    return;
                }
                let (mut to, token) = self.answers[input.below(self.answers.len())].clone();
                let owed = to.owes_acknowledgement();
                match input.byte() % 4 {
                    0 => {
                        let length = self.endpoint.acknowledge(&mut to, &mut out);
                        assert_eq!(length, if owed { 4 } else { 0 });
                    }
                    1 => assert_eq!(self.endpoint.reject(&to, &mut out), 4),
                    2 => assert_eq!(self.endpoint.accept(&to, &mut out), if owed { 4 } else { 0 }),
                    _ => {
                        let reply = |writer: &mut MessageWriter<'_>| {
                            writer.payload(&payload);
                        };
                        let _ = self.endpoint.reply(&to, Code::CONTENT, &token, &mut out, reply);
                    }
                }
            }
            7 => {
                let ids: Vec<ExchangeId> = self.open.keys().copied().collect();
                if let Some(id) = ids.get(input.below(4)) {
                    if input.bool() {
                        assert!(self.endpoint.redirect(*id, peer));
                        self.open.entry(*id).and_modify(|open| open.0 = peer);
                        self.redirected = true;
                        return;
                    }
                    assert!(self.endpoint.cancel(*id));
                    assert!(!self.endpoint.cancel(*id));
                    self.end(*id);
                }
            }
            8 if input.byte() > 200 => {
                let mut cancelled = Vec::new();
                self.endpoint.forget_peer(peer, |id| cancelled.push(id));
                for id in cancelled {
                    assert_eq!(self.open.get(&id).map(|open| open.0), Some(peer));
                    self.end(id);
                }
                assert!(self.open.values().all(|open| open.0 != peer));
            }
            9 => {
                if let Some(next) = self.endpoint.next_timeout() {
                    self.pass(next.max(self.now));
                }
            }
            _ => {
                let now = step(self.now, input);
                self.pass(now);
            }
        }
    }

    fn end(&mut self, id: ExchangeId) {
        assert!(self.open.remove(&id).is_some(), "ended without having begun");
        assert!(self.ended.insert(id), "ended twice");
    }

    /// A message that often has to do with what is open.
    fn message(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let ty = input.choose(&[
            Type::Confirmable,
            Type::NonConfirmable,
            Type::Acknowledgement,
            Type::Reset,
        ]);
        let known = self.open.values().nth(input.below(EXCHANGES));
        let message_id = match (known, input.byte() % 4) {
            (Some(known), 0..=2) => known.1,
            _ => u16::from(input.byte() % 8),
        };
        let token: Vec<u8> = match (known, input.byte() % 4) {
            (Some(known), 0..=2) => known.2.as_bytes().to_vec(),
            _ => {
                let length = input.below(10);
                input.slice(length).to_vec()
            }
        };
        let code = match input.byte() {
            0..40 => Code::EMPTY,
            40..80 => Code::POST,
            80..120 => Code::CONTENT,
            120..150 => Code::GET,
            other => Code(other),
        };
        let mut buffer = [0; 256];
        let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id, &token);
        match input.byte() {
            0..40 => writer.option(OptionNumber(9), b"critical"),
            40..80 => writer.option(OptionNumber(input.u16()), &[1, 2]),
            80..90 => writer.option(OptionNumber::PROXY_URI, b"coap://x"),
            _ => writer.option(OptionNumber::URI_PATH, b"3"),
        };
        let length = input.below(20);
        writer.payload(input.slice(length));
        let length = writer.finish().unwrap_or(0);
        buffer[..length].to_vec()
    }

    fn receive(&mut self, peer: u8, datagram: &[u8]) {
        let mut out = [0; 256];
        let handled = self.endpoint.handle(self.now, peer, datagram, &mut out);
        let reply = handled.reply;
        if reply > 0 {
            let answer = Message::parse(&out[..reply]).expect("a well-formed answer");
            let question = &datagram[2..4];
            assert_eq!(answer.message_id.to_be_bytes(), question);
            assert!(matches!(answer.ty, Type::Acknowledgement | Type::Reset));
            assert_eq!(datagram[0] >> 4 & 3, 0, "only a CON is answered at once");
            if !matches!(handled.incoming, Incoming::Answered(Answered::Repeated)) {
                assert!(reply <= datagram.len() + 100, "amplifies");
            }
        }
        match handled.incoming {
            Incoming::Request { message, reply_to } => {
                assert!(message.code.is_request() && reply == 0);
                assert_eq!(reply_to.peer(), peer);
                self.answers.push((reply_to, message.token.to_vec()));
            }
            Incoming::Unmatched { message, reply_to } => {
                assert!(message.code.is_response());
                self.answers.push((reply_to, message.token.to_vec()));
            }
            Incoming::Response { exchange, token, message, piggybacked } => {
                let open = self.open[&exchange];
                assert_eq!((open.0, open.2), (peer, token));
                assert_eq!(token.as_bytes(), message.token);
                assert!(!piggybacked || open.1 == message.message_id);
                self.end(exchange);
            }
            Incoming::Acknowledged { exchange, finished } => {
                assert_eq!(self.open[&exchange].0, peer);
                if finished {
                    self.end(exchange);
                }
            }
            Incoming::Reset { message_id, exchange } => {
                if let Some(exchange) = exchange {
                    let open = self.open[&exchange];
                    assert_eq!((open.0, open.1), (peer, message_id));
                    self.end(exchange);
                }
            }
            Incoming::Answered(_) => assert!(reply > 0),
            Incoming::Dropped(_) => assert_eq!(reply, 0),
        }
        if self.answers.len() > 20 {
            self.answers.remove(0);
        }
    }

    fn send(&mut self, peer: u8, input: &mut Input<'_>) {
        let payload = vec![2; input.below(256)];
        let write = |writer: &mut MessageWriter<'_>| {
            writer.payload(&payload);
        };
        let (now, dice) = (self.now, &mut self.dice);
        let sent = match input.byte() % 8 {
            0 => self.endpoint.ping(now, dice, peer),
            1 => {
                let token = vec![3; input.below(20)];
                self.endpoint.send_confirmable(now, dice, peer, Code::CONTENT, &token, write)
            }
            2 => {
                let mut out = [0; 256];
                let endpoint = &mut self.endpoint;
                let _ = endpoint.send_non_confirmable(peer, Code::CONTENT, &[1], &mut out, write);
                return;
            }
            kind => {
                let mut request = if kind & 1 == 1 {
                    Outgoing::confirmable(Code::GET)
                } else {
                    Outgoing::non_confirmable(Code::POST)
                };
                if input.bool() {
                    request.token = Token::new(&[9, input.byte() % 4]);
                }
                if input.bool() {
                    request = request.timeout(Duration::from_secs(u64::from(input.byte())));
                }
                self.endpoint.request(now, dice, peer, request, write)
            }
        };
        let Ok(sent) = sent else { return };
        let message = Message::parse(sent.bytes).expect("was written");
        assert_eq!(message.message_id, sent.message_id);
        let unique = self.open.values().all(|open| open.0 != peer || open.1 != sent.message_id);
        assert!(unique || self.redirected);
        assert!(self.open.len() < EXCHANGES);
        let before = self.open.insert(sent.exchange, (peer, sent.message_id, sent.token));
        assert!(before.is_none() && !self.ended.contains(&sent.exchange));
    }

    /// Lets time pass. At one moment an exchange is repeated once or fails once.
    fn pass(&mut self, until: Instant) {
        while let Some(next) = self.endpoint.next_timeout()
            && next <= until
        {
            let now = next.max(self.now);
            assert!(now == next || self.now > next);
            self.now = now;
            let mut actions = 0;
            loop {
                let ended = match self.endpoint.handle_timeout(now) {
                    None => break,
                    Some(Action::Transmit { bytes, .. }) => {
                        let message = Message::parse(bytes).expect("was written");
                        assert_eq!(message.ty, Type::Confirmable);
                        let copies = self.transmitted.entry(message.message_id).or_default();
                        *copies += 1;
                        None
                    }
                    Some(Action::ExchangeFailed { exchange, peer, .. }) => {
                        assert_eq!(self.open[&exchange].0, peer);
                        Some(exchange)
                    }
                };
                if let Some(id) = ended {
                    self.end(id);
                }
                actions += 1;
                assert!(actions <= EXCHANGES, "goes round in circles");
            }
            assert!(self.endpoint.next_timeout().is_none_or(|later| later > now));
        }
        self.now = self.now.max(until);
    }
}
