//! The registration interface (Core 1.2 §6.2): Register, Update, De-register, expiry, and the
//! replies that wait for the store.
//!
//! ```text
//! Register ──> claim in the directory ──> record ──> Persist ──(held)──> 2.01 ──> observations
//!                 └─ another shard had it: Evict
//! Update   ──> only time: 2.04 at once │ else: Persist ──(held)──> 2.04
//! De-register, expiry, removal ──> operations end, wishes go back, Persist ──(held)──> 2.02
//! ```
//!
//! Two endpoints may register from one address: they are told apart by location path and token.
//! In NoSec the location path is all that an Update or De-register shows; 32 random bits in it
//! keep others from guessing it. So an Update from another address is accepted (an address
//! translator may have moved the device) and moves the registration; observations are then made
//! again, since notifications that were rejected meanwhile ended them.

use dunlin_coap::block::Block;
use dunlin_coap::{Code, Instant, Message, OptionNumber, ReplyTo, Rng, Token};
use dunlin_lwm2m::Version;
use dunlin_lwm2m::registration::{
    ObjectList, ProfileIds, RegisterParameters, RegistrationError, UpdateParameters,
};
use std::sync::Arc;

use super::activity::{Activity, Need, Observation, Task};
use super::fleet::{self, DeviceObjects, ParameterSet};
use super::ids::Location;
use super::interner::Interned;
use super::io::{Persist, Reply, StoredRegistration};
use super::receive::{Asker, Response};
use super::registry::{ASLEEP, HELD, NEVER, New, OVERTOOK, Registration};
use super::wheel::NONE;
use super::{Shard, lifetime_end, tick};
use crate::api::{Device, EventKind, OperateError, WishState};
use crate::peer::Peer;

/// A reply that waits until what it promises is on disk.
#[derive(Debug)]
pub(super) struct Held {
    sequence: u64,
    reply_to: ReplyTo<Peer>,
    token: HeldToken,
    code: Code,
    location: Option<Location>,
    block: Option<Block>,
}

#[derive(Debug)]
enum HeldToken {
    Short(Token),
    Long(Box<[u8]>),
}

impl HeldToken {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(token) => token.as_bytes(),
            Self::Long(token) => token,
        }
    }
}

/// Why a registration ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The device registered anew here.
    Replaced,
    /// The device registered anew with another shard.
    Evicted,
    /// De-register.
    Deregistered,
    /// The lifetime ran out.
    Expired,
    /// Somebody removed it.
    Removed,
}

/// Why a request is refused.
pub(super) enum Refusal {
    Registration(RegistrationError),
    NoEndpoint,
    TooLongEndpoint,
    TooLongParameters,
    Full,
    Crowded,
    /// The store is behind.
    Behind,
    /// What was proven does not stand for the name, or there is nothing that stands for it.
    Mismatch,
    /// The name has a credential, and the request came without security.
    Secured,
    /// The registration was made with another identity.
    NotTheirs,
}

/// The standard knows seven parameters (Core 1.2 §6.2.1); devices add a few. Merging those of an
/// Update takes time by their number squared.
const MAX_PARAMETERS: usize = 32;

fn has_many_parameters(message: &Message<'_>) -> bool {
    message
        .values(OptionNumber::URI_QUERY)
        .nth(MAX_PARAMETERS)
        .is_some()
}

impl From<RegistrationError> for Refusal {
    fn from(error: RegistrationError) -> Self {
        Self::Registration(error)
    }
}

impl Shard {
    pub(super) fn register(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &Asker<'_>,
        body: &[u8],
        rng: &mut dyn Rng,
    ) {
        match self.try_register(now, message, asker, body, rng) {
            Ok(slot) => {
                self.counters.registrations += 1;
                let name = self.registry.name(slot);
                self.queue.trace.follow(name, asker.reply_to.peer());
                let location = self.location(slot);
                self.promise(asker, Code::CREATED, location);
                if self.config.durable {
                    if let Some(registration) = self.registry.get_mut(slot) {
                        registration.flags |= HELD;
                    }
                } else {
                    self.open(now, slot, rng);
                }
            }
            Err(refusal) => self.refuse(asker, &refusal),
        }
    }

    fn try_register(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &Asker<'_>,
        body: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<u32, Refusal> {
        if self.is_behind() {
            return Err(Refusal::Behind);
        }
        if has_many_parameters(message) {
            return Err(Refusal::TooLongParameters);
        }
        let parameters = RegisterParameters::parse_with_body(message, body)?;
        let peer = asker.reply_to.peer();
        let proven = self.identified(peer, parameters.endpoint)?;
        let endpoint = &*proven;
        if endpoint.len() > self.config.limits.endpoint_bytes.min(255) {
            return Err(Refusal::TooLongEndpoint);
        }
        let profiles = parameters.profile_id.and_then(ProfileIds::parse);
        let (list, lesson) = self.resolve(profiles, body)?;
        let place = self.place(peer).ok_or(Refusal::Mismatch)?;
        let old = self.registry.find(endpoint);
        if old.is_none() && self.registry.len() >= self.config.limits.registrations as usize {
            return Err(Refusal::Full);
        }
        let found = old.and_then(|slot| self.registry.get(slot));
        let found_peer = found.map(|registration| registration.peer());
        let was_there = found.is_some_and(|registration| registration.is_at(&peer));
        // One device that registers over and over gets no more than a few changes into each commit.
        let overtook = found
            .map_or(Some(0), Registration::overtaken)
            .ok_or(Refusal::Behind)?;
        if !was_there && self.is_crowded(peer) {
            return Err(Refusal::Crowded);
        }
        let before = found.map_or(0, |found| self.lists.get(found.links).text.len());
        let links = self.intern_links(&list, parameters.version, before)?;
        fleet::join_queries(message, &mut self.text);
        let (text, room) = (&self.text, self.room(self.text.len()));
        let interned = self.parameters.intern(parameters.faults.bits(), text, || {
            room.map(|()| ParameterSet::new(text, &parameters, message))
        });
        let interned = interned.inspect_err(|_| self.lists.release(links))?;

        if let Some(old) = old {
            self.counters.replaced += 1;
            self.end(now, old, End::Replaced, rng);
        }
        let claim = self
            .config
            .directory
            .claim(endpoint, self.config.index, peer.is_secure());
        let slot = self.registry.insert(&New {
            name: endpoint,
            place,
            links,
            parameters: interned,
            registered: self.unix(now) as u32,
            now: tick(now),
            deadline: lifetime_end(now, parameters.lifetime),
            nonce: rng.next_u32(),
        });
        let Some(slot) = slot else {
            self.release(links, interned);
            self.config.directory.release(endpoint, self.config.index);
            return Err(Refusal::Full);
        };
        if let Some(registration) = self.registry.get_mut(slot) {
            registration.flags |= overtook;
        }
        if let Some(shard) = claim.previous {
            self.queue.evict(shard, endpoint.to_owned(), claim.epoch);
        }
        if let Some(before) = found_peer {
            self.left(now, before, rng);
        }
        self.adopt_wishes(slot, claim.wishes);
        self.adopt_queue(now, slot, rng);
        self.learn_profile(lesson, &list);
        self.persist_registration(now, slot, claim.epoch);
        if let Some(device) = self.device(now, slot) {
            let kind = EventKind::Registration(device);
            self.queue.event(self.unix(now), endpoint.to_owned(), kind);
        }
        Ok(slot)
    }

    /// The object list of a device that has had one of `before` bytes.
    pub(super) fn intern_links(
        &mut self,
        body: &[u8],
        version: Version,
        before: usize,
    ) -> Result<Interned, Refusal> {
        let limits = self.config.limits;
        let Ok(text) = str::from_utf8(body) else {
            // The parser says where.
            return match ObjectList::parse(body, version, limits.links) {
                Err(error) => Err(RegistrationError::ObjectList(error).into()),
                Ok(_) => Err(RegistrationError::NotUtf8.into()),
            };
        };
        let more = text.len().saturating_sub(before);
        if more > 0 && self.lists.named_bytes() + more > limits.listed_bytes {
            return Err(Refusal::Full);
        }
        let has_room = self.shared_bytes() + text.len() <= limits.shared_bytes;
        self.lists.intern(version as u32, text, || {
            if !has_room {
                return Err(Refusal::Full);
            }
            Ok(DeviceObjects::parse(text, version, limits.links)?)
        })
    }

    /// Whether a peer has so many registrations that looking through them would cost others their
    /// time.
    fn is_crowded(&self, peer: Peer) -> bool {
        let limit = self.config.limits.registrations_per_address;
        self.registry.has_at(peer, limit)
    }

    /// Whether there is room for parameters of so many bytes that no device has yet.
    fn room(&self, bytes: usize) -> Result<(), Refusal> {
        let limits = self.config.limits;
        if bytes > limits.parameter_bytes {
            Err(Refusal::TooLongParameters)
        } else if self.shared_bytes() + bytes > limits.shared_bytes {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    fn shared_bytes(&self) -> usize {
        self.lists.bytes() + self.parameters.bytes()
    }

    /// Whether the store is so far behind that nothing more can be promised.
    pub(super) fn is_behind(&self) -> bool {
        let held = self.held.len() + self.promises.len();
        self.config.durable && held >= self.config.limits.held
    }

    pub(super) fn update(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &Asker<'_>,
        slot: u32,
        body: &[u8],
        rng: &mut dyn Rng,
    ) {
        match self.try_update(now, message, asker, slot, body, rng) {
            Ok(changed) => {
                self.counters.updates += 1;
                if changed {
                    self.promise(asker, Code::CHANGED, None);
                } else {
                    self.respond(asker, Code::CHANGED, &Response::default());
                }
                self.retry_observations(now, slot);
                self.wake(now, slot, rng);
            }
            Err(refusal) => self.refuse(asker, &refusal),
        }
    }

    /// Returns whether anything but the time changed.
    fn try_update(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &Asker<'_>,
        slot: u32,
        body: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<bool, Refusal> {
        let from = asker.reply_to.peer();
        let place = self
            .place(from)
            .filter(|_| self.may_speak_for(from, slot))
            .ok_or(Refusal::NotTheirs)?;
        let Some(registration) = self.registry.get(slot).copied() else {
            return Ok(false);
        };
        let old = self.parameters.get(registration.parameters);
        let (version, mut lifetime) = (old.version, old.lifetime);
        let old_faults = old.faults;
        if has_many_parameters(message) {
            return Err(Refusal::TooLongParameters);
        }
        let parameters = UpdateParameters::parse_with_body(message, body, version)?;
        let moved = registration.peer() != from;
        if moved && self.is_crowded(from) {
            return Err(Refusal::Crowded);
        }
        let profiles = parameters.profile_id.and_then(ProfileIds::parse);
        let (list, lesson) = self.resolve(profiles, body)?;
        let relists = !list.is_empty();
        let plain = !relists && fleet::has_no_query(message);
        if !plain && self.is_behind() {
            return Err(Refusal::Behind);
        }
        let mut links = registration.links;
        let mut interned = registration.parameters;
        if relists {
            let before = self.lists.get(links).text.len();
            links = self.intern_links(&list, version, before)?;
        }
        let faults = old_faults.union(parameters.faults);
        if faults != old_faults || !fleet::has_no_query(message) {
            let old = self.parameters.get(registration.parameters);
            fleet::merge_queries(&old.text, message, &mut self.text);
            let merged = if *self.text == *old.text && faults == old_faults {
                Ok(None)
            } else {
                let (text, room) = (&self.text, self.room(self.text.len()));
                let merged = self.parameters.intern(faults.bits(), text, || {
                    room?;
                    Ok(fleet::read_parameters(text, faults)?)
                });
                merged.map(Some)
            };
            match merged {
                Ok(None) => {}
                Ok(Some(merged)) => {
                    interned = merged;
                    lifetime = self.parameters.get(merged).lifetime;
                }
                Err(error) => {
                    if relists {
                        self.lists.release(links);
                    }
                    return Err(error);
                }
            }
        }
        let relisted = links != registration.links;
        let changed = moved || relisted || interned != registration.parameters;
        if relists {
            // One count too many when it is the same list, the old one otherwise.
            self.lists.release(registration.links);
        }
        if interned != registration.parameters {
            self.parameters.release(registration.parameters);
        }
        self.learn_profile(lesson, &list);
        let deadline = lifetime_end(now, lifetime);
        self.registry.set_deadline(slot, deadline);
        if let Some(registration) = self.registry.get_mut(slot) {
            registration.links = links;
            registration.parameters = interned;
            registration.updated = tick(now);
            registration.heard = tick(now);
            registration.flags &= !ASLEEP;
        }
        if moved {
            self.go_to(now, slot, place, rng);
        }
        if changed {
            let endpoint = self.registry.name(slot).to_owned();
            if let Some(epoch) = self.config.directory.epoch(&endpoint, self.config.index) {
                self.persist_registration(now, slot, epoch);
            }
        }
        if (changed || self.watched)
            && let Some(device) = self.device(now, slot)
        {
            let endpoint = device.endpoint.clone();
            self.queue
                .event(self.unix(now), endpoint, EventKind::Update(device));
        }
        Ok(changed)
    }

    pub(super) fn deregister(
        &mut self,
        now: Instant,
        asker: &Asker<'_>,
        slot: u32,
        rng: &mut dyn Rng,
    ) {
        if !self.may_speak_for(asker.reply_to.peer(), slot) {
            return self.refuse(asker, &Refusal::NotTheirs);
        }
        if self.is_behind() {
            return self.refuse(asker, &Refusal::Behind);
        }
        self.counters.deregistrations += 1;
        self.end(now, slot, End::Deregistered, rng);
        self.promise(asker, Code::DELETED, None);
    }

    pub(super) fn expire(&mut self, now: Instant, slot: u32, rng: &mut dyn Rng) {
        self.counters.expiries += 1;
        self.end(now, slot, End::Expired, rng);
    }

    fn refuse(&mut self, asker: &Asker<'_>, refusal: &Refusal) {
        let (code, text) = match refusal {
            Refusal::Registration(error) => (error.code(), error.to_string()),
            Refusal::NoEndpoint => (
                Code::BAD_REQUEST,
                "ep is missing, and without security nothing stands for it".to_owned(),
            ),
            Refusal::TooLongEndpoint => (Code::BAD_REQUEST, "ep is too long".to_owned()),
            Refusal::TooLongParameters => {
                (Code::BAD_REQUEST, "the parameters are too long".to_owned())
            }
            Refusal::Full => (
                Code::SERVICE_UNAVAILABLE,
                "too many devices are registered".to_owned(),
            ),
            Refusal::Crowded => (
                Code::SERVICE_UNAVAILABLE,
                "too many devices are registered from this address and port".to_owned(),
            ),
            Refusal::Behind => (
                Code::SERVICE_UNAVAILABLE,
                "the store is behind; try again later".to_owned(),
            ),
            Refusal::Mismatch => (
                Code::BAD_REQUEST,
                "ep is not the name of the identity that was proven".to_owned(),
            ),
            Refusal::Secured => (
                Code::FORBIDDEN,
                "this ep has credentials: register over coaps".to_owned(),
            ),
            Refusal::NotTheirs => (
                Code::BAD_REQUEST,
                "the registration was made with another identity".to_owned(),
            ),
        };
        let counter = match refusal {
            Refusal::Full | Refusal::Crowded => &mut self.counters.full,
            Refusal::Behind => &mut self.counters.behind,
            Refusal::Mismatch | Refusal::Secured | Refusal::NotTheirs => {
                &mut self.counters.refused_identities
            }
            _ => &mut self.counters.refused_registrations,
        };
        *counter += 1;
        let response = Response {
            payload: text.as_bytes(),
            ..Response::default()
        };
        self.respond(asker, code, &response);
    }

    /// Answers once everything persisted so far is on disk.
    pub(super) fn promise(&mut self, asker: &Asker<'_>, code: Code, location: Option<Location>) {
        if !self.config.durable || self.durable >= self.sequence {
            let response = Response {
                location,
                ..Response::default()
            };
            return self.respond(asker, code, &response);
        }
        let token = match Token::new(asker.token) {
            Some(token) => HeldToken::Short(token),
            None => HeldToken::Long(asker.token.into()),
        };
        self.held.push_back(Held {
            sequence: self.sequence,
            reply_to: asker.reply_to,
            token,
            code,
            location,
            block: asker.block,
        });
    }

    pub(super) fn durable(&mut self, now: Instant, through: u64, rng: &mut dyn Rng) {
        self.durable = self.durable.max(through.min(self.sequence));
        self.unstored.stored(self.durable);
        self.claims_stored(self.durable);
        self.keep_promises(now, rng);
        while let Some(held) = self.held.pop_front() {
            if held.sequence > self.durable {
                self.held.push_front(held);
                return;
            }
            let slot = held.location.map(|location| location.slot);
            if let Some(location) = held.location
                && self.locate(Some(location), b"").is_none()
            {
                // The registration has ended meanwhile; its location must not be told any more.
                continue;
            }
            let asker = Asker {
                reply_to: held.reply_to,
                token: held.token.as_bytes(),
                block: held.block,
            };
            let response = Response {
                location: held.location,
                ..Response::default()
            };
            self.respond(&asker, held.code, &response);
            if let Some(slot) = slot {
                self.open(now, slot, rng);
            }
        }
    }

    /// The device has its 2.01: requests may follow (Core 1.2 §6.2.1).
    fn open(&mut self, now: Instant, slot: u32, rng: &mut dyn Rng) {
        if let Some(registration) = self.registry.get_mut(slot) {
            registration.flags &= !(HELD | OVERTOOK);
        }
        self.wake(now, slot, rng);
    }

    /// Goes on with whatever waits for the device.
    pub(super) fn wake(&mut self, now: Instant, slot: u32, rng: &mut dyn Rng) {
        if let Some(registration) = self.registry.get(slot) {
            self.advance(now, registration.device, rng);
        }
    }

    /// The live registration of a location.
    pub(super) fn locate(&self, location: Option<Location>, id: &[u8]) -> Option<u32> {
        if let Some(location) = location
            && let Some(registration) = self.registry.get(location.slot)
            && registration.nonce == location.nonce
        {
            return Some(location.slot);
        }
        if self.aliases.is_empty() {
            return None;
        }
        let id = str::from_utf8(id).ok()?;
        self.aliases.get(id).copied()
    }

    pub(super) fn location(&self, slot: u32) -> Option<Location> {
        let registration = self.registry.get(slot)?;
        Some(Location {
            shard: self.config.index,
            slot,
            nonce: registration.nonce,
        })
    }

    /// The last segment of the location path.
    pub(super) fn registration_id(&self, slot: u32) -> String {
        if let Some(id) = self.alias_ids.get(&slot) {
            return id.to_string();
        }
        self.location(slot)
            .map_or(String::new(), |location| location.to_string())
    }

    /// Ends a registration: operations end, observations are forgotten, wishes stay.
    pub(super) fn end(&mut self, now: Instant, slot: u32, end: End, rng: &mut dyn Rng) {
        let Some(registration) = self.registry.get(slot).copied() else {
            return;
        };
        let endpoint = self.registry.name(slot).to_owned();
        if let Some(activity) = self.activities.remove(registration.device) {
            self.end_activity(now, &endpoint, *activity, rng);
        }
        if let Some(id) = self.alias_ids.remove(&slot) {
            self.aliases.remove(&id);
        }
        self.registry.remove(slot);
        self.forget_left(registration.peer());
        self.release(registration.links, registration.parameters);
        let kind = match end {
            End::Replaced | End::Evicted => return,
            End::Expired => EventKind::Expiry,
            End::Deregistered | End::Removed => EventKind::Deregistration,
        };
        let released = self.config.directory.release(&endpoint, self.config.index);
        if let Some(epoch) = released {
            self.persist(Persist::RemoveRegistration {
                endpoint: endpoint.clone(),
                epoch,
            });
            self.queue.event(self.unix(now), endpoint, kind);
        }
    }

    fn end_activity(
        &mut self,
        now: Instant,
        endpoint: &str,
        activity: Activity,
        rng: &mut dyn Rng,
    ) {
        self.waiting -= activity.waiting.len();
        let waiting = activity.waiting.into_iter().map(|job| job.id);
        let mut current = None;
        if let Some(request) = activity.current {
            if let Some(exchange) = request.exchange {
                self.endpoint.cancel(exchange);
                self.owners[exchange.index()] = NONE;
            }
            if request.task.is_own() {
                self.paced -= 1;
            }
            match request.task {
                Task::Operate(id) => current = Some(id),
                Task::Queued(id, attempt) => {
                    let sent = !request.is_unsent();
                    self.queued_interrupted(now, endpoint, (id, attempt), sent, rng);
                }
                _ => {}
            }
        }
        for id in current.into_iter().chain(waiting) {
            self.counters.ended += 1;
            let reply = Reply::Operated(Err(OperateError::RegistrationEnded));
            self.queue.reply(id, reply);
        }
        for observation in activity.observations {
            if let Some(updated_at) = observation.updated_at {
                self.config.directory.keep_values(
                    endpoint,
                    observation.wish,
                    observation.records,
                    updated_at,
                );
            }
        }
    }

    fn release(&mut self, links: Interned, parameters: Interned) {
        self.lists.release(links);
        self.parameters.release(parameters);
    }

    fn adopt_wishes(&mut self, slot: u32, wishes: Vec<crate::directory::KeptWish>) {
        if wishes.is_empty() {
            return;
        }
        let observations = wishes.into_iter().map(|wish| Observation {
            records: wish.records,
            updated_at: wish.updated_at,
            ..Observation::new(wish.id, wish.observed)
        });
        if let Some(activity) = self.activity(slot) {
            activity.observations.extend(observations);
        }
    }

    /// What is going on with a device; made when nothing was.
    pub(super) fn activity(&mut self, slot: u32) -> Option<&mut Activity> {
        let registration = self.registry.get(slot)?;
        if registration.device == NONE {
            let awake_time = self.awake_time(slot);
            let index = self.activities.add(slot, awake_time);
            self.registry.get_mut(slot)?.device = index;
        }
        let registration = self.registry.get(slot)?;
        self.activities.get_mut(registration.device)
    }

    /// An Update is a sign of life: what was not answered is asked again, and so is what has been
    /// silent for so long that the device must have dropped it (a CON notification of which
    /// nothing arrived ends an observation there, RFC 7641 §4.5).
    fn retry_observations(&mut self, now: Instant, slot: u32) {
        let grace = self.config.transmission.exchange_lifetime();
        self.each_observation(slot, |observation| {
            let silent = now.saturating_since(observation.reported);
            let lost = observation.state == WishState::Active
                && observation.need == Need::Nothing
                && silent > observation.longest_silence() + grace;
            if observation.retry || lost {
                observation.restart();
            }
        });
    }

    fn each_observation(&mut self, slot: u32, change: impl FnMut(&mut Observation)) {
        let device = self.registry.get(slot).map_or(NONE, |found| found.device);
        if let Some(activity) = self.activities.get_mut(device) {
            activity.observations.iter_mut().for_each(change);
        }
    }

    pub(super) fn persist_registration(&mut self, now: Instant, slot: u32, epoch: u64) {
        if !self.config.stored {
            return;
        }
        let Some(registration) = self.registry.get(slot).copied() else {
            return;
        };
        let stored = StoredRegistration {
            endpoint: self.registry.name(slot).to_owned(),
            epoch,
            shard: self.config.index,
            registration_id: self.registration_id(slot),
            address: self.address_of(slot),
            session: registration.peer().session(),
            credential: registration.credential(),
            parameters: self
                .parameters
                .get(registration.parameters)
                .text
                .to_string(),
            links: self.lists.get(registration.links).text.to_string(),
            registered_at: f64::from(registration.registered),
            updated_at: self.unix(now),
        };
        self.persist(Persist::Registration(stored));
    }

    /// The device as the control plane sees it.
    pub(super) fn device(&self, now: Instant, slot: u32) -> Option<Device> {
        let registration = self.registry.get(slot)?;
        let parameters = self.parameters.get(registration.parameters);
        let list = self.lists.get(registration.links);
        let faults = parameters.faults.union(list.faults);
        Some(Device {
            endpoint: self.registry.name(slot).to_owned(),
            registration_id: self.registration_id(slot),
            version: parameters.version,
            lifetime: parameters.lifetime,
            binding: parameters.binding.to_string(),
            queue_mode: parameters.queue_mode,
            sms: parameters.sms.as_deref().map(str::to_owned),
            address: self.address_of(slot),
            security: self.security_of(slot),
            root: list.root.to_string(),
            content_formats: list.formats.to_vec(),
            registered_at: f64::from(registration.registered),
            // Ticks and seconds are both rounded down, and not to the same grid.
            awake: !self.sleeps(slot, now),
            awake_until: self.awake_until(slot, now),
            awake_time: self.awake_time(slot),
            queued: self
                .config
                .directory
                .operations()
                .queued(self.registry.name(slot)),
            updated_at: self
                .unix_of_tick(registration.updated)
                .max(f64::from(registration.registered)),
            expires_at: (registration.deadline != NEVER)
                .then(|| self.unix_of_tick(registration.deadline)),
            objects: Arc::clone(&list.objects),
            attributes: parameters
                .extra
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            faults: faults.iter().map(|fault| fault.to_string()).collect(),
        })
    }
}
