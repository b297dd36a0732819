//! What datagrams mean: whose they are, and where they go.

use std::net::SocketAddr;

use dunlin_coap::block::{Block, Block2Server};
use dunlin_coap::{
    Action, Code, Incoming, Instant, Message, MessageWriter, OptionNumber, ReplyTo, Rng, path,
};

use super::ids::{Location, shard_of_token};
use super::registry::ASLEEP;
use super::trace::Ends;
use super::uploads::Progress;
use super::wheel::NONE;
use super::{Shard, tick};
use crate::peer::{Peer, Socket};
use crate::trace::Direction;

/// Who asks, and how to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'m> {
    pub(super) reply_to: ReplyTo<Peer>,
    pub(super) token: &'m [u8],
    /// The last block of the request's body.
    pub(super) block: Option<Block>,
}

/// A response in the registration interface.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Response<'a> {
    pub(super) etag: Option<[u8; 8]>,
    pub(super) location: Option<Location>,
    pub(super) format: Option<u16>,
    pub(super) size1: Option<u32>,
    pub(super) block2: Option<Block>,
    pub(super) size2: Option<u32>,
    pub(super) payload: &'a [u8],
}

impl Response<'_> {
    fn write(&self, writer: &mut MessageWriter<'_>, block: Option<Block>) {
        if let Some(etag) = self.etag {
            writer.option(OptionNumber::ETAG, &etag);
        }
        if let Some(location) = self.location {
            writer.option(OptionNumber::LOCATION_PATH, b"rd");
            writer.option(OptionNumber::LOCATION_PATH, &location.encode());
        }
        if let Some(format) = self.format {
            writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
        }
        if let Some(block) = self.block2 {
            writer.uint(OptionNumber::BLOCK2, block.value());
        }
        if let Some(block) = block {
            writer.uint(OptionNumber::BLOCK1, block.value());
        }
        if let Some(size2) = self.size2 {
            writer.uint(OptionNumber::SIZE2, size2);
        }
        if let Some(size1) = self.size1 {
            writer.uint(OptionNumber::SIZE1, size1);
        }
        writer.payload(self.payload);
    }
}

/// The resources of the server.
enum Resource {
    Register,
    Location(Option<Location>),
    Send,
    WellKnown,
    File,
    Unknown,
}

fn resource<'m>(message: &Message<'m>) -> (Resource, &'m [u8]) {
    let mut segments = message.values(OptionNumber::URI_PATH);
    let (first, second, third) = (segments.next(), segments.next(), segments.next());
    let resource = match (first, second, third) {
        (Some(b"rd"), None, _) => Resource::Register,
        (Some(b"rd"), Some(id), None) => Resource::Location(Location::decode(id)),
        (Some(b"dp"), None, _) => Resource::Send,
        (Some(b".well-known"), Some(b"core"), None) => Resource::WellKnown,
        (Some(b"fw"), Some(_), Some(_)) if segments.next().is_none() => Resource::File,
        _ => Resource::Unknown,
    };
    (resource, second.unwrap_or_default())
}

/// Whether a request is a Send.
pub(super) fn is_send(message: &Message<'_>) -> bool {
    matches!(resource(message).0, Resource::Send)
}

impl Shard {
    /// A datagram of the `coap` socket.
    pub(super) fn datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        hops: u16,
        rng: &mut dyn Rng,
    ) {
        if self.config.shards > 1
            && let Some(shard) = self.owner_elsewhere(from.into(), bytes, hops)
        {
            self.counters.handovers += 1;
            self.queue
                .handover(shard, Socket::Coap, from, bytes, hops + 1);
            return;
        }
        self.message(now, Ends::udp(from), bytes, rng);
    }

    /// A message, as it came or out of a DTLS record.
    pub(super) fn message(&mut self, now: Instant, ends: Ends, bytes: &[u8], rng: &mut dyn Rng) {
        self.queue.trace.record(Direction::In, ends, bytes);
        let from = ends.peer;
        let handled = self.endpoint.handle(now, from, bytes, &mut self.out);
        if handled.reply > 0 {
            let reply = &self.out[..handled.reply];
            self.queue
                .transmit(from, |buffer| buffer.extend_from_slice(reply));
        }
        match handled.incoming {
            Incoming::Request { message, reply_to } => {
                self.request(now, &message, reply_to, rng);
            }
            Incoming::Response {
                exchange, message, ..
            } => self.answered(now, exchange, &message, rng),
            Incoming::Unmatched { message, reply_to } => {
                self.unmatched(now, &message, reply_to, rng);
            }
            Incoming::Reset {
                exchange: Some(exchange),
                ..
            } => self.reset(now, exchange, rng),
            Incoming::Acknowledged { .. } => {}
            Incoming::Reset { exchange: None, .. }
            | Incoming::Answered(_)
            | Incoming::Dropped(_) => return,
        }
        self.heard_from(now, from, rng);
    }

    /// The shard that a datagram belongs to, when it is not this one: its location path or its
    /// token names it, or it is a Send from an address that no registration here has: that goes
    /// from shard to shard until it has been at each. Asked before the datagram leaves a trace here.
    fn owner_elsewhere(&self, from: Peer, bytes: &[u8], hops: u16) -> Option<u16> {
        let message = Message::parse(bytes).ok()?;
        let shard = if message.code.is_request() {
            match resource(&message).0 {
                Resource::Location(Some(location)) => location.shard % self.config.shards,
                Resource::Send if hops + 1 < self.config.shards => {
                    if self.registry.at(from).next().is_some() {
                        return None;
                    }
                    (self.config.index + 1) % self.config.shards
                }
                _ => return None,
            }
        } else if message.code.is_response() {
            shard_of_token(message.token).filter(|shard| *shard < self.config.shards)?
        } else {
            return None;
        };
        (shard != self.config.index).then_some(shard)
    }

    /// The devices of this peer are awake.
    fn heard_from(&mut self, now: Instant, from: Peer, rng: &mut dyn Rng) {
        let tick = tick(now);
        // Endpoints that share an address are rare; of many, the first few are woken.
        let mut slots = [NONE; 4];
        for (place, slot) in slots.iter_mut().zip(self.registry.at(from)) {
            *place = slot;
        }
        for slot in slots {
            if let Some(registration) = self.registry.get_mut(slot) {
                registration.heard = tick;
                registration.flags &= !ASLEEP;
                let activity = registration.device;
                self.advance(now, activity, rng);
            }
        }
    }

    fn request(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        reply_to: ReplyTo<Peer>,
        rng: &mut dyn Rng,
    ) {
        let mut asker = Asker {
            reply_to,
            token: message.token,
            block: None,
        };
        let (resource, id) = resource(message);
        match (resource, message.code) {
            (Resource::Register, Code::POST) => {
                self.with_body(now, message, &mut asker, |shard, asker, body| {
                    shard.register(now, message, asker, body, rng);
                });
            }
            (Resource::Location(location), Code::POST) => {
                // Nobody uploads bodies to places that do not exist.
                let Some(slot) = self.locate(location, id) else {
                    return self.not_found(&asker);
                };
                self.with_body(now, message, &mut asker, |shard, asker, body| {
                    shard.update(now, message, asker, slot, body, rng);
                });
            }
            (Resource::Location(location), Code::DELETE) => match self.locate(location, id) {
                Some(slot) => self.deregister(now, &asker, slot, rng),
                None => self.not_found(&asker),
            },
            (Resource::Send, Code::POST) => {
                self.with_body(now, message, &mut asker, |shard, asker, body| {
                    shard.sent(now, message, asker, body, rng);
                });
            }
            (Resource::WellKnown, Code::GET) => {
                self.well_known(message, &asker);
            }
            (Resource::File, Code::GET) => self.file(message, &asker),
            (Resource::Unknown, _) => {
                self.counters.unknown_path += 1;
                self.respond(&asker, Code::NOT_FOUND, &Response::default());
            }
            _ => {
                self.counters.bad_method += 1;
                self.respond(&asker, Code::METHOD_NOT_ALLOWED, &Response::default());
            }
        }
    }

    /// Goes on with the whole body of a request, at once or when its last block has come.
    fn with_body(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &mut Asker<'_>,
        go_on: impl FnOnce(&mut Self, &Asker<'_>, &[u8]),
    ) {
        let Some(value) = message.value(OptionNumber::BLOCK1) else {
            if message.payload.len() > self.config.limits.body_bytes {
                return self.too_large(asker);
            }
            return go_on(self, asker, message.payload);
        };
        let Some(block) = Block::from_value(value) else {
            self.counters.bad_block += 1;
            let response = Response {
                payload: b"Block1 has a reserved size",
                ..Response::default()
            };
            return self.respond(asker, Code::BAD_REQUEST, &response);
        };
        let from = asker.reply_to.peer();
        match self.uploads.take(now, from, message, block) {
            Progress::Complete(body) => {
                asker.block = Some(block);
                go_on(self, asker, &body);
            }
            Progress::Continue => {
                asker.block = Some(block);
                self.respond(asker, Code::CONTINUE, &Response::default());
            }
            Progress::Refuse(Code::REQUEST_ENTITY_TOO_LARGE, _) => self.too_large(asker),
            Progress::Refuse(code, why) => {
                self.counters.bad_block += 1;
                let response = Response {
                    payload: why.as_bytes(),
                    ..Response::default()
                };
                self.respond(asker, code, &response);
            }
        }
    }

    /// Tells where to register (RFC 6690 §4), in blocks if the asker wants it so.
    fn well_known(&mut self, message: &Message<'_>, asker: &Asker<'_>) {
        const LINKS: &[u8] = b"</rd>;rt=\"oma.lwm2m.rd\"";
        if message.accept().is_some_and(|accept| accept != 40) {
            return self.respond(asker, Code::NOT_ACCEPTABLE, &Response::default());
        }
        match Block2Server::default().answer(message, LINKS.len()) {
            Ok(answer) => {
                let response = Response {
                    format: Some(40),
                    block2: answer.block,
                    size2: answer.size2,
                    payload: LINKS.get(answer.range).unwrap_or_default(),
                    ..Response::default()
                };
                self.respond(asker, Code::CONTENT, &response);
            }
            Err(refusal) => {
                self.counters.bad_block += 1;
                let response = Response {
                    payload: refusal.diagnostic.as_bytes(),
                    ..Response::default()
                };
                self.respond(asker, refusal.code, &response);
            }
        }
    }

    fn too_large(&mut self, asker: &Asker<'_>) {
        self.counters.bad_block += 1;
        let response = Response {
            // The largest body acceptable (RFC 7959 §2.9.3).
            size1: u32::try_from(self.config.limits.body_bytes).ok(),
            ..Response::default()
        };
        self.respond(asker, Code::REQUEST_ENTITY_TOO_LARGE, &response);
    }

    fn not_found(&mut self, asker: &Asker<'_>) {
        self.counters.unknown_location += 1;
        self.respond(asker, Code::NOT_FOUND, &Response::default());
    }

    /// Answers now.
    pub(super) fn respond(&mut self, asker: &Asker<'_>, code: Code, response: &Response<'_>) {
        let written = self.endpoint.reply(
            &asker.reply_to,
            code,
            asker.token,
            &mut self.out,
            |writer| {
                response.write(writer, asker.block);
            },
        );
        // Only a token of more than a thousand bytes (RFC 8974) makes it too long.
        if let Ok(length) = written {
            let reply = &self.out[..length];
            self.queue.transmit(asker.reply_to.peer(), |buffer| {
                buffer.extend_from_slice(reply);
            });
        }
    }

    pub(super) fn exchange_timeouts(&mut self, now: Instant, rng: &mut dyn Rng) {
        while let Some(action) = self.endpoint.handle_timeout(now) {
            match action {
                Action::Transmit { peer, bytes } => {
                    self.queue
                        .transmit(peer, |buffer| buffer.extend_from_slice(bytes));
                }
                Action::ExchangeFailed { exchange, .. } => {
                    self.unanswered(now, exchange, rng);
                }
            }
        }
    }
}

/// The path of a Location-Path below a root, for the answer to a Create.
pub(super) fn created_path(message: &Message<'_>, root: &str) -> Option<dunlin_lwm2m::Path> {
    message.value(OptionNumber::LOCATION_PATH)?;
    let mut buffer = [0; 512];
    let text = path::read(message, OptionNumber::LOCATION_PATH, &mut buffer).ok()?;
    let text = text
        .strip_prefix(root.trim_end_matches('/'))
        .unwrap_or(text);
    text.parse().ok()
}
