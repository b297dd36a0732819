//! Register, Update and De-register of one server: when they are sent, with what, and what the
//! answers mean (Core 1.2 §6.2).

use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::block::Block1Sent;
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Outgoing, Rng};
use dunlin_lwm2m::Version;
use dunlin_lwm2m::registration::{Binding, Faults, RegisterParameters, UpdateParameters};

use crate::blocks::block_size;
use crate::client::Event;
use crate::connection::Connection;
use crate::digest::Digest;
use crate::links;
use crate::object::Objects;
use crate::objects::{Server, Trigger, text};
use crate::registration::{
    Announced, DEFAULT_MAX_AGE, Due, Failure, Listing, Location, RegistrationState, Retry,
    retry_after,
};
use crate::session::{Session, Shared};
use crate::tree;

/// Silence after Disable when `/1/x/5` is absent.
const DISABLE_TIMEOUT: u32 = 86_400;

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Update and Disable follow the answer that promised them.
    pub(crate) fn take_trigger<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        let Some(account) = shared.tree.server.unmarked(self.instance) else {
            return;
        };
        match account.trigger.take() {
            None => {}
            Some(Trigger::Update) => self.registration.triggered(now),
            Some(Trigger::Disable) => {
                let silence = account.disable_timeout.unwrap_or(DISABLE_TIMEOUT);
                let silence = Duration::from_secs(u64::from(silence));
                self.registration.disable(now, silence);
            }
        }
    }

    /// What the server would be told now.
    pub(crate) fn offer<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> Announced {
        let Some(account) = shared.account(self.instance) else {
            return Announced::default();
        };
        let mut list = Digest::new();
        for object in tree::all(&shared.tree) {
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
        binding.bytes(account.binding.as_bytes());
        Announced {
            lifetime: account.lifetime,
            binding: binding.finish(),
            list: list.finish(),
        }
    }

    /// `/1/x/7` in the words of the version: before 1.1 queue mode is part of it.
    fn spell_binding<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
    ) {
        let version = self.version();
        let queue_mode = shared.config.queue_mode;
        let Some(account) = shared.account(self.instance) else {
            return;
        };
        let has_sms = account.binding.contains('S');
        let is_queue = queue_mode && version == Version::V1_0;
        let spelled = match (version, is_queue, has_sms) {
            (Version::V1_0, true, true) => "UQS",
            (Version::V1_0, true, false) => "UQ",
            (Version::V1_0, false, true) => "US",
            (Version::V1_0, false, false) => "U",
            _ if account.binding.contains('Q') => {
                if has_sms {
                    "US"
                } else {
                    "U"
                }
            }
            _ => return,
        };
        if account.binding != spelled
            && let Some(account) = shared.tree.server.get_mut(self.instance)
        {
            account.binding = text(spelled);
        }
    }

    pub(crate) fn send_registration<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        rng: &mut dyn Rng,
        server: SocketAddr,
        due: Due,
    ) {
        if due == Due::Register {
            let highest = shared.config.version;
            let best = shared
                .account(self.instance)
                .map_or(highest, |account| account.best_version(highest));
            self.registration.prefer(best);
            self.spell_binding(shared);
        }
        let version = self.version();
        let listing = self.registration.listing();
        let offered = self.offer(shared);
        let before = self.registration.announced;
        let goes_on = self.registration.has_next_block();
        let is_changed = goes_on && offered != self.registration.offered;
        if goes_on {
            self.registration.offered_anew(offered);
        } else {
            self.registration.sent(due, offered);
        }
        shared.rendered = None;
        let Shared {
            config,
            tree,
            payload,
            ..
        } = shared;
        let binding = tree
            .server
            .get(self.instance)
            .and_then(|account| Binding::parse(&account.binding, version).ok())
            .unwrap_or_default();
        let has_list = (due == Due::Register && listing != Listing::Profile)
            || (due == Due::Update && offered.list != before.list);
        let list = if has_list {
            links::write_objects(tree, version, payload)
                .ok()
                .and_then(|length| payload.get(..length))
        } else {
            Some(&[][..])
        };
        let Some(list) = list else {
            // More instances than the payload memory can list.
            self.registration_failed(shared, now, Some(Code::REQUEST_ENTITY_TOO_LARGE), None);
            return;
        };
        let size = block_size(DATAGRAM);
        let Some(sender) = self.registration.transfer(list.len(), size, is_changed) else {
            self.registration_failed(shared, now, Some(Code::REQUEST_ENTITY_INCOMPLETE), None);
            return;
        };
        let method = if due == Due::Deregister {
            Code::DELETE
        } else {
            Code::POST
        };
        let mut options = Ok(());
        let registration = &self.registration;
        let write = |writer: &mut MessageWriter<'_>| {
            if due == Due::Register {
                options = RegisterParameters {
                    version,
                    endpoint: Some(&config.endpoint),
                    lifetime: offered.lifetime,
                    binding,
                    queue_mode: config.queue_mode,
                    sms: None,
                    profile_id: config
                        .profile
                        .as_ref()
                        .filter(|_| listing != Listing::List)
                        .map(|profile| profile.id.as_str()),
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
            sender.write(list, writer);
        };
        match self
            .coap
            .request(now, rng, server, Outgoing::confirmable(method), write)
        {
            Ok(sent) if options.is_err() => {
                let exchange = sent.exchange;
                self.coap.cancel(exchange);
                self.registration_failed(shared, now, Some(Code::BAD_REQUEST), None);
            }
            Ok(sent) => {
                let length = sent.bytes.len();
                if let Some(out) = shared.out.get_mut(..length) {
                    out.copy_from_slice(sent.bytes);
                    shared.out_length = length;
                }
                self.exchange = Some(sent.exchange);
            }
            Err(_) => {
                self.registration_failed(shared, now, Some(Code::REQUEST_ENTITY_TOO_LARGE), None);
            }
        }
    }

    pub(crate) fn registration_answered<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
    ) {
        let sent = self
            .registration
            .transfer_mut()
            .map_or(Block1Sent::Done, |sender| sender.on_response(message));
        match sent {
            Block1Sent::Next => return self.registration.block_taken(),
            Block1Sent::Done => {}
            // The server mixes blocks up, or loses them again and again.
            Block1Sent::Failed(_) => {
                let code = Some(Code::REQUEST_ENTITY_INCOMPLETE);
                return self.registration_failed(shared, now, code, None);
            }
        }
        let code = message.code;
        let server = self.id(shared);
        match self.registration.state() {
            RegistrationState::Registering if code == Code::CREATED => {
                let location = Location::new(message.values(OptionNumber::LOCATION_PATH))
                    .filter(|location| !location.is_empty());
                match location {
                    Some(location) => {
                        // A new registration voids what was observed under the old one; until
                        // then there may be something to store.
                        self.observations.clear();
                        self.registration.registered(now, location);
                        shared.event(Event::Registered {
                            server,
                            version: self.registration.version(),
                        });
                    }
                    // 2.01 without a location cannot be updated.
                    None => self.registration_failed(shared, now, Some(code), None),
                }
            }
            RegistrationState::Updating if code == Code::CHANGED => {
                self.registration.confirmed(now);
                shared.event(Event::Updated { server });
            }
            RegistrationState::Deregistering => self.deregistered(shared, now),
            _ => self.registration_failed(shared, now, Some(code), retry_after(message)),
        }
    }

    fn deregistered<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        self.registration.deregistered(now);
        // The association is closed with it (Core 1.2 §E.2, Disable).
        if self.connection != Connection::Plain {
            self.connection = Connection::Down;
        }
        // While disabled, what was observed is stored (`/1/x/6`).
        if !self.registration.is_disabled() {
            self.observations.clear();
        }
        let server = self.id(shared);
        shared.event(Event::Deregistered { server });
    }

    pub(crate) fn registration_failed<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        code: Option<Code>,
        retry_after: Option<Duration>,
    ) {
        let retry = shared
            .account(self.instance)
            .map_or_else(Retry::default, Server::retry);
        let server = self.id(shared);
        match self.registration.state() {
            RegistrationState::Deregistering => self.deregistered(shared, now),
            RegistrationState::Updating => {
                let is_busy = code == Some(Code::SERVICE_UNAVAILABLE);
                let after = retry_after.unwrap_or(DEFAULT_MAX_AGE);
                if !is_busy || !self.registration.update_postponed(now, after) {
                    self.registration.update_failed(now, code, retry);
                }
                shared.event(Event::UpdateFailed { server, code });
            }
            _ => {
                let failure = self
                    .registration
                    .register_failed(now, code, retry_after, retry);
                let is_over = match failure {
                    Failure::Again => false,
                    Failure::RetryAt(_) => code.is_some_and(|code| code.class() == 4),
                    Failure::Final => self.registration.state() == RegistrationState::Failed,
                };
                let bootstrap = is_over
                    && shared
                        .account(self.instance)
                        .and_then(|account| account.bootstrap_on_failure)
                        .unwrap_or(true);
                let retry_at = match failure {
                    Failure::Again => Some(now),
                    Failure::RetryAt(at) => Some(at),
                    Failure::Final => None,
                };
                shared.event(Event::RegistrationFailed {
                    server,
                    code,
                    retry_at,
                    bootstrap,
                });
            }
        }
    }
}
