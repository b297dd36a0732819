//! The engine: what arrives is dispatched, what is due is done, one thing at a time.

use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::{
    Action, Code, Incoming, Instant, Message, MessageWriter, OptionNumber, Outgoing, Rng,
};
use dunlin_lwm2m::Version;
use dunlin_lwm2m::registration::{Binding, Faults, RegisterParameters, UpdateParameters};

use crate::client::{Client, Event, Step};
use crate::digest::Digest;
use crate::links;
use crate::object::Objects;
use crate::objects::{Trigger, text};
use crate::registration::{Announced, Due, Failure, Location, RegistrationState, Retry, Then};
use crate::tree;

/// Silence after Disable when `/1/x/5` is absent.
const DISABLE_TIMEOUT: u32 = 86_400;

impl<
    O: Objects,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> Client<O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>
{
    /// The moment of the next [`Input::Timer`](crate::Input::Timer); `None` when only a datagram
    /// or the application can bring something new. Exact; a moment that has passed means at once.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.out_length > 0 || !self.events.is_empty() {
            return Some(Instant::ZERO);
        }
        if self.is_offline || self.server_address.is_none() {
            return None;
        }
        if self.tree.server.trigger.is_some()
            || (self.registration.is_registered() && self.has_changes())
        {
            return Some(Instant::ZERO);
        }
        let registration = self
            .registration
            .next_timeout()
            .filter(|_| self.coap.open_exchanges() == 0);
        let notification = self
            .registration
            .is_registered()
            .then(|| self.next_notification())
            .flatten();
        [self.coap.next_timeout(), registration, notification]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if self.server_address != Some(from) {
            self.dropped.foreign += 1;
            return;
        }
        if self.is_offline {
            self.dropped.offline += 1;
            return;
        }
        let is_request = Message::parse(bytes).is_ok_and(|message| message.code.is_request());
        if is_request && !self.registration.is_registered() {
            // Not even handed to the message layer: a repetition that arrives after the answer to
            // Register is then new, and served.
            self.dropped.unregistered += 1;
            return;
        }
        self.last_traffic = Some(now);
        let handled = self.coap.handle(now, from, bytes, &mut self.out);
        self.out_length = handled.reply;
        match handled.incoming {
            Incoming::Request { message, reply_to } => self.serve(now, &message, &reply_to),
            Incoming::Response {
                exchange, message, ..
            } => {
                if self.exchange == Some(exchange) {
                    self.exchange = None;
                    self.registration_answered(now, &message);
                }
            }
            Incoming::Unmatched { message, reply_to } => {
                if message.ty == dunlin_coap::Type::Confirmable {
                    self.out_length = self.coap.reject(&reply_to, &mut self.out);
                }
            }
            Incoming::Acknowledged { exchange, finished } => {
                if finished {
                    self.notification_confirmed(now, exchange);
                }
            }
            Incoming::Reset {
                message_id,
                exchange,
            } => {
                if exchange.is_some() && exchange == self.exchange {
                    self.exchange = None;
                    self.registration_failed(now, None);
                } else {
                    self.observation_lost(exchange, Some(message_id));
                }
            }
            Incoming::Answered(_) | Incoming::Dropped(_) => {}
        }
    }

    /// Does the next thing that is due.
    pub(crate) fn step(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Step> {
        loop {
            if self.out_length > 0 {
                return self.server_address.map(Step::Transmit);
            }
            if let Some(event) = self.events.pop_front() {
                return Some(Step::Event(event));
            }
            if self.is_offline {
                return None;
            }
            let server = self.server_address?;
            match self.coap.handle_timeout(now) {
                Some(Action::Transmit { bytes, .. }) => {
                    let length = bytes.len();
                    if let Some(out) = self.out.get_mut(..length) {
                        out.copy_from_slice(bytes);
                        self.out_length = length;
                    }
                    continue;
                }
                Some(Action::ExchangeFailed { exchange, .. }) => {
                    if self.exchange == Some(exchange) {
                        self.exchange = None;
                        self.registration_failed(now, None);
                    } else {
                        self.observation_lost(Some(exchange), None);
                    }
                    continue;
                }
                None => {}
            }
            self.take_trigger(now);
            self.look_for_changes(now);
            // One interaction at a time (NSTART 1).
            if self.coap.open_exchanges() == 0
                && let Some(due) = self.registration.due(now)
            {
                self.send_registration(now, rng, server, due);
                if self.out_length > 0 {
                    self.last_traffic = Some(now);
                }
                continue;
            }
            if self.registration.state() == RegistrationState::Registered
                || self.registration.state() == RegistrationState::Updating
            {
                let step = self.notify(now, rng, server);
                if step.is_some() {
                    self.last_traffic = Some(now);
                    return step;
                }
            }
            if self.events.is_empty() {
                return None;
            }
        }
    }

    /// Update and Disable follow the answer that promised them.
    fn take_trigger(&mut self, now: Instant) {
        match self.tree.server.unmarked().trigger.take() {
            None => {}
            Some(Trigger::Update) => self.registration.update_soon(now),
            Some(Trigger::Disable) => {
                let silence = self.tree.server.disable_timeout.unwrap_or(DISABLE_TIMEOUT);
                let silence = Duration::from_secs(u64::from(silence));
                self.registration
                    .deregister_soon(Then::ComeBackAfter(silence));
            }
        }
    }

    fn retry(&self) -> Retry {
        let server = &self.tree.server;
        let default = Retry::default();
        Retry {
            count: server.retry_count.unwrap_or(default.count),
            timer: server.retry_timer.unwrap_or(default.timer),
            sequence_delay: server.sequence_delay.unwrap_or(default.sequence_delay),
            sequence_count: server.sequence_count.unwrap_or(default.sequence_count),
        }
    }

    /// What the server would be told now.
    pub(crate) fn offer(&self) -> Announced {
        let mut list = Digest::new();
        for object in tree::all(&self.tree) {
            let definition = object.definition();
            if tree::is_hidden(definition.id) {
                continue;
            }
            list.bytes(&definition.id.to_be_bytes());
            for id in tree::instance_ids(object) {
                list.bytes(&id.to_be_bytes());
            }
            list.bytes(b"/");
        }
        let mut binding = Digest::new();
        binding.bytes(self.tree.server.binding.as_bytes());
        Announced {
            lifetime: self.tree.server.lifetime,
            binding: binding.finish(),
            list: list.finish(),
        }
    }

    /// `/1/x/7` in the words of the version: before 1.1 queue mode is part of it.
    fn spell_binding(&mut self, version: Version) {
        let server = &self.tree.server;
        let has_sms = server.binding.contains('S');
        let is_queue = self.config.queue_mode && version == Version::V1_0;
        let spelled = match (version, is_queue, has_sms) {
            (Version::V1_0, true, true) => "UQS",
            (Version::V1_0, true, false) => "UQ",
            (Version::V1_0, false, true) => "US",
            (Version::V1_0, false, false) => "U",
            _ if server.binding.contains('Q') => {
                if has_sms {
                    "US"
                } else {
                    "U"
                }
            }
            _ => return,
        };
        if server.binding != spelled {
            self.tree.server.binding = text(spelled);
        }
    }

    fn send_registration(&mut self, now: Instant, rng: &mut dyn Rng, server: SocketAddr, due: Due) {
        let version = self.version();
        if due == Due::Register {
            // A new registration voids what was observed under the old one.
            self.observations.clear();
            self.spell_binding(version);
        }
        let offered = self.offer();
        let before = self.registration.announced;
        self.registration.sent(due, offered);
        self.rendered = None;
        let Self {
            config,
            tree,
            coap,
            registration,
            payload,
            ..
        } = self;
        let binding = Binding::parse(&tree.server.binding, version).unwrap_or_default();
        let has_list = due == Due::Register || (due == Due::Update && offered.list != before.list);
        let list = if has_list {
            links::write_objects(tree, version, payload)
                .ok()
                .and_then(|length| payload.get(..length))
        } else {
            Some(&[][..])
        };
        let Some(list) = list else {
            // More instances than the payload memory can list.
            self.registration_failed(now, Some(Code::REQUEST_ENTITY_TOO_LARGE));
            return;
        };
        let method = if due == Due::Deregister {
            Code::DELETE
        } else {
            Code::POST
        };
        let mut options = Ok(());
        let write = |writer: &mut MessageWriter<'_>| {
            if due == Due::Register {
                options = RegisterParameters {
                    version,
                    endpoint: Some(&config.endpoint),
                    lifetime: offered.lifetime,
                    binding,
                    queue_mode: config.queue_mode,
                    sms: None,
                    profile_id: None,
                    faults: Faults::NONE,
                }
                .write_options(writer);
            } else {
                for segment in registration.location.segments() {
                    writer.option(OptionNumber::URI_PATH, segment);
                }
            }
            if due == Due::Update {
                let has_binding = offered.binding != before.binding;
                options = UpdateParameters {
                    lifetime: (offered.lifetime != before.lifetime).then_some(offered.lifetime),
                    binding: has_binding.then_some(binding),
                    queue_mode: has_binding && config.queue_mode,
                    has_object_list: has_list,
                    ..UpdateParameters::default()
                }
                .write_options(writer, version);
            }
            writer.payload(list);
        };
        match coap.request(now, rng, server, Outgoing::confirmable(method), write) {
            Ok(sent) if options.is_err() => {
                let exchange = sent.exchange;
                coap.cancel(exchange);
                self.registration_failed(now, Some(Code::BAD_REQUEST));
            }
            Ok(sent) => {
                let length = sent.bytes.len();
                if let Some(out) = self.out.get_mut(..length) {
                    out.copy_from_slice(sent.bytes);
                    self.out_length = length;
                }
                self.exchange = Some(sent.exchange);
            }
            Err(_) => self.registration_failed(now, Some(Code::REQUEST_ENTITY_TOO_LARGE)),
        }
    }

    fn registration_answered(&mut self, now: Instant, message: &Message<'_>) {
        let code = message.code;
        match self.registration.state() {
            RegistrationState::Registering if code == Code::CREATED => {
                let location = Location::new(message.values(OptionNumber::LOCATION_PATH))
                    .filter(|location| !location.is_empty());
                match location {
                    Some(location) => {
                        self.registration.registered(now, location);
                        self.event(Event::Registered {
                            version: self.registration.version(),
                        });
                    }
                    // 2.01 without a location cannot be updated.
                    None => self.registration_failed(now, Some(code)),
                }
            }
            RegistrationState::Updating if code == Code::CHANGED => {
                self.registration.confirmed(now);
                self.event(Event::Updated);
            }
            RegistrationState::Deregistering => self.deregistered(now),
            _ => self.registration_failed(now, Some(code)),
        }
    }

    fn deregistered(&mut self, now: Instant) {
        self.observations.clear();
        self.registration.deregistered(now);
        self.event(Event::Deregistered);
    }

    fn registration_failed(&mut self, now: Instant, code: Option<Code>) {
        let retry = self.retry();
        match self.registration.state() {
            RegistrationState::Deregistering => self.deregistered(now),
            RegistrationState::Updating => {
                self.registration.update_failed(now, code, retry);
                self.event(Event::UpdateFailed { code });
            }
            _ => {
                let retry_at = match self.registration.register_failed(now, code, retry) {
                    Failure::LowerVersion => Some(now),
                    Failure::RetryAt(at) => Some(at),
                    Failure::Final => None,
                };
                self.event(Event::RegistrationFailed { code, retry_at });
            }
        }
    }
}
