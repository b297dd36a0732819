//! Observations: who is told what, when (Core 1.2 §6.4; RFC 7641).

use core::net::SocketAddr;

use dunlin_coap::{Code, ExchangeId, Instant, MessageWriter, Rng, Sequence};
use dunlin_lwm2m::{Attributes, ContentFormat, Path};
use heapless::Vec;

use crate::access::{self, Right};
use crate::client::{CONFIRM_WITHIN, Client, Config, Event};
use crate::object::Objects;
use crate::report::{self, Snapshot};
use crate::session::{Session, Shared};
use crate::tree;

/// One observation of the server.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) token: Vec<u8, 8>,
    pub(crate) path: Path,
    /// As asked for, to find the rest of a large notification.
    pub(crate) accept: Option<ContentFormat>,
    /// Of the first response, and so of all (RFC 7641 §4.2).
    pub(crate) format: ContentFormat,
    pub(crate) sequence: Sequence,
    /// What was sent last, and when.
    pub(crate) sent: Snapshot,
    pub(crate) sent_at: Instant,
    /// When the server last showed that it is there.
    pub(crate) confirmed_at: Instant,
    /// Of the last notification, to recognize a reset.
    pub(crate) message_id: Option<u16>,
    /// Of a confirmable notification on its way.
    pub(crate) exchange: Option<ExchangeId>,
    /// Something may have changed since `changed` was found out.
    pub(crate) is_stale: bool,
    /// A change waits to be told.
    pub(crate) is_changed: bool,
    /// The value has gone: the observation ends with this code.
    pub(crate) ends: Option<Code>,
}

impl<
    O: Objects,
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>
{
    /// Marks the observations of changed objects, and asks for an Update when a server has to
    /// know of a change (Core 1.2 §6.2.2).
    pub(crate) fn look_for_changes(&mut self, now: Instant) {
        let Self {
            shared, sessions, ..
        } = self;
        let mut position = 0;
        while let Some(object) = shared.tree.object(position) {
            position += 1;
            if object.changes().instances {
                let id = object.definition().id;
                access::forget_missing(&mut shared.tree, id);
            }
        }
        position = 0;
        let mut has_news = false;
        while let Some(object) = shared.tree.object_mut(position) {
            position += 1;
            let changes = object.changes();
            if !changes.values && !changes.instances {
                continue;
            }
            object.clear_changes();
            let id = object.definition().id;
            has_news |= changes.instances || id == 1;
            for session in sessions.iter_mut() {
                for observation in &mut session.observations {
                    // Rights come and go with the Access Control object.
                    observation.is_stale |= id == 2 || observation.path.object_id() == Some(id);
                }
            }
        }
        for session in sessions.iter_mut().filter(|_| has_news) {
            if session.registration.is_registered()
                && session.offer(shared) != session.registration.announced
            {
                session.registration.update_soon(now);
            }
        }
    }
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// What is in force at a path, the server's defaults included (`/1/x/2`, `/1/x/3`).
    pub(crate) fn attributes_at<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        path: &Path,
    ) -> Attributes {
        let account = shared.account(self.instance);
        let defaults = Attributes {
            pmin: account.and_then(|account| account.default_pmin),
            pmax: account.and_then(|account| account.default_pmax),
            ..Attributes::NONE
        };
        self.attributes.inherited(path).inherit(&defaults)
    }

    /// Nothing that happened up to now is reported any more.
    pub(crate) fn drop_missed_notifications<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        let requester = self.requester(shared);
        for observation in &mut self.observations {
            observation.sent = Snapshot::take(requester, &shared.tree, &observation.path);
            observation.sent_at = now;
            observation.is_stale = false;
            observation.is_changed = false;
        }
    }

    /// Whether the server has no right to read what it observes: it is told nothing, until it has.
    fn is_muted<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        path: &Path,
    ) -> bool {
        !self.requester(shared).may(&shared.tree, Right::Read, path)
    }

    /// When the next notification falls due, `now` at the earliest when one has to be looked at.
    pub(crate) fn next_notification<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> Option<Instant> {
        let is_busy = self.is_busy(shared);
        self.observations
            .iter()
            .filter_map(|observation| {
                if observation.exchange.is_some() || self.is_muted(shared, &observation.path) {
                    return None;
                }
                let attributes = self.attributes_at(shared, &observation.path);
                let due = if observation.is_stale || observation.ends.is_some() {
                    Instant::ZERO
                } else {
                    report::due(&attributes, observation.sent_at, observation.is_changed)?
                };
                // One interaction at a time (NSTART): its end brings the next look.
                // Whether it asks for an acknowledgement is decided when it is sent, which is not
                // before now.
                let sent = due.max(shared.now);
                let waits =
                    is_busy && is_confirmable(&shared.config, observation, &attributes, sent);
                (!waits || observation.is_stale).then_some(due)
            })
            .min()
    }

    /// Sends one notification that is due; `false` when none is.
    pub(crate) fn notify<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        rng: &mut dyn Rng,
        server: SocketAddr,
    ) -> bool {
        let mut index = 0;
        while let Some(observation) = self.observations.get(index) {
            if observation.exchange.is_none() && !self.is_muted(shared, &observation.path) {
                if observation.is_stale {
                    self.evaluate(shared, index);
                }
                if self.notify_one(shared, now, rng, server, index).is_some() {
                    return true;
                }
            }
            index += 1;
        }
        false
    }

    fn evaluate<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        index: usize,
    ) {
        let Some(path) = self.observations.get(index).map(|entry| entry.path) else {
            return;
        };
        let attributes = self.attributes_at(shared, &path);
        let ends = tree::check_readable(&shared.tree, &path).err();
        let requester = self.requester(shared);
        let snapshot = Snapshot::take(requester, &shared.tree, &path);
        if let Some(observation) = self.observations.get_mut(index) {
            observation.is_stale = false;
            observation.ends = ends;
            observation.is_changed = snapshot.meets(&attributes, &observation.sent);
        }
    }

    fn notify_one<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        rng: &mut dyn Rng,
        server: SocketAddr,
        index: usize,
    ) -> Option<()> {
        let observation = self.observations.get(index)?;
        let path = observation.path;
        let attributes = self.attributes_at(shared, &path);
        let ends = observation.ends;
        if ends.is_none() {
            let due = report::due(&attributes, observation.sent_at, observation.is_changed)?;
            if due > now {
                return None;
            }
        }
        let confirmable = is_confirmable(&shared.config, observation, &attributes, now);
        if confirmable && self.is_busy(shared) {
            return None;
        }
        let (format, accept) = (observation.format, observation.accept);
        let token = observation.token.clone();
        let requester = self.requester(shared);
        let code = match ends {
            Some(code) => code,
            None => match shared.render(now, requester, &path, accept, format) {
                Ok(()) => Code::CONTENT,
                // The representation of the first response is no longer possible.
                Err(code) => code,
            },
        };
        let is_last = !code.is_success();
        let snapshot = Snapshot::take(requester, &shared.tree, &path);
        let observation = self.observations.get_mut(index)?;
        let sequence = observation.sequence.advance();
        observation.sent = snapshot;
        observation.sent_at = now;
        observation.is_changed = false;

        let Shared {
            out,
            rendered,
            payload,
            ..
        } = shared;
        let write = |writer: &mut MessageWriter<'_>| {
            if is_last {
                return;
            }
            if let Some(rendered) = rendered {
                rendered.write(payload, Some(sequence), &rendered.first(DATAGRAM), writer);
            }
        };
        let (message_id, exchange) = if confirmable {
            let sent = self
                .coap
                .send_confirmable(now, rng, server, code, &token, write)
                .ok()?;
            let length = sent.bytes.len();
            out.get_mut(..length)?.copy_from_slice(sent.bytes);
            shared.out_length = length;
            (sent.message_id, Some(sent.exchange))
        } else {
            let (message_id, length) = self
                .coap
                .send_non_confirmable(server, code, &token, out, write)
                .ok()?;
            shared.out_length = length;
            (message_id, None)
        };
        if is_last {
            // Retransmissions go on; nothing is left to remove when they fail.
            self.observations.remove(index);
        } else if let Some(observation) = self.observations.get_mut(index) {
            observation.message_id = Some(message_id);
            observation.exchange = exchange;
        }
        let event = Event::Notified {
            server: self.id(shared),
            path,
            code,
            confirmable,
        };
        shared.event(event);
        Some(())
    }

    /// A confirmable notification has reached the server.
    pub(crate) fn notification_confirmed(&mut self, now: Instant, exchange: ExchangeId) {
        for observation in &mut self.observations {
            if observation.exchange == Some(exchange) {
                observation.exchange = None;
                observation.confirmed_at = now;
            }
        }
    }

    /// The server does not want, or does not receive, notifications of an observation any more.
    pub(crate) fn observation_lost<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        exchange: Option<ExchangeId>,
        message_id: Option<u16>,
    ) {
        let lost = self.observations.iter().position(|observation| {
            (exchange.is_some() && observation.exchange == exchange)
                || (message_id.is_some() && observation.message_id == message_id)
        });
        if let Some(index) = lost {
            let observation = self.observations.remove(index);
            let event = Event::ObservationLost {
                server: self.id(shared),
                path: observation.path,
            };
            shared.event(event);
        }
    }
}

fn is_confirmable(
    config: &Config,
    observation: &Observation,
    attributes: &Attributes,
    at: Instant,
) -> bool {
    observation.ends.is_some()
        || attributes.con.unwrap_or(config.confirmable_notifications)
        || at.saturating_since(observation.confirmed_at) >= CONFIRM_WITHIN
}
