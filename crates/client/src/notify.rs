//! Notifications: who is told what, when, and whether it has arrived (Core 1.2 §6.4; RFC 7641).

use core::net::SocketAddr;

use dunlin_coap::block::Block1Sender;
use dunlin_coap::{Code, ExchangeId, Instant, MessageWriter, Rng};
use dunlin_lwm2m::{Attributes, Path, Version};

use crate::access::{self, Right};
use crate::client::{CONFIRM_WITHIN, Client, Event, Outcome, ReportId};
use crate::keys::Keys;
use crate::log::{Head, Log, State};
use crate::object::Objects;
use crate::observations::Observation;
use crate::session::{Session, Shared};
use crate::tree;
use crate::watch::Snapshot;

/// How far a report on its way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// Its message waits to be acknowledged, or answered.
    Waiting(ExchangeId),
    /// A Send in blocks: the next one is due.
    Next,
    /// The exchange was given up.
    Lost,
}

/// The report on its way that somebody answers; one at a time (NSTART).
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) leg: Leg,
    /// Of its first message, by which its observation knows it.
    pub(crate) message_id: u16,
    /// The id of a notification; 0 when what flies is marked in the log.
    pub(crate) report: u32,
    pub(crate) is_confirmable: bool,
    /// When it began.
    pub(crate) began: Instant,
    /// A Send: the transfer of its payload.
    pub(crate) sender: Option<Block1Sender>,
}

impl<
    O: Objects,
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
    const STORE: usize,
    K: Keys,
> Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
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
                for watch in session.observations.all_mut() {
                    // Rights come and go with the Access Control object.
                    if id == 2 || watch.path.object_id().is_none_or(|object| object == id) {
                        watch.mark();
                    }
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
    /// What is in force for a path of an observation: its own parameters in place of what is
    /// attached or inherited, and the defaults of the account (`/1/x/2`, `/1/x/3`, `/1/x/26`). In a
    /// composite the parameters are about the whole; the thresholds of its members stay.
    pub(crate) fn attributes_for<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        observation: &Observation,
        path: &Path,
    ) -> Attributes {
        let attached = self.attributes.inherited(path);
        let in_force = if observation.parameters.is_empty() {
            attached
        } else if observation.is_composite() {
            Attributes {
                gt: attached.gt,
                lt: attached.lt,
                st: attached.st,
                edge: attached.edge,
                ..observation.parameters.into()
            }
        } else {
            observation.parameters.into()
        };
        let account = shared.account(self.instance);
        let mode = account
            .and_then(|account| account.notification_mode)
            .filter(|_| self.version() >= Version::V1_2);
        in_force.inherit(&Attributes {
            pmin: account.and_then(|account| account.default_pmin),
            pmax: account.and_then(|account| account.default_pmax),
            con: mode.map(|mode| mode == 1),
            ..Attributes::NONE
        })
    }

    /// The observer knows what is there now, or does not have to.
    pub(crate) fn told<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        index: usize,
    ) {
        let requester = self.requester(shared);
        for place in self.observations.places(index) {
            if let Some(watch) = self.observations.watch_mut(place) {
                let snapshot = Snapshot::take(requester, &shared.tree, &watch.path);
                watch.tell(snapshot);
            }
        }
        if let Some(observation) = self.observations.get_mut(index) {
            observation.sent_at = now;
        }
    }

    /// When something has to be looked at, or a notification falls due.
    pub(crate) fn next_notification<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &Log<[u8]>,
    ) -> Option<Instant> {
        let is_busy = self.is_busy(shared);
        let looks = self.next_look(shared);
        let observations = self.observations.iter().enumerate();
        let sends = observations.filter_map(|(index, observation)| {
            // What is older goes first.
            if let Some(confirmable) = self.history(shared, log, index) {
                return (!is_busy || !confirmable).then_some(Instant::ZERO);
            }
            let due = self.due(shared, observation)?;
            // One interaction at a time (NSTART): its end brings the next look. Whether it asks
            // for an acknowledgement is decided when it is sent, which is not before now.
            let sent = due.max(shared.now);
            let waits = is_busy && self.is_confirmable(shared, observation, sent);
            (!waits).then_some(due)
        });
        sends.chain(looks).min()
    }

    /// When the next value has to be looked at.
    fn next_look<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> Option<Instant> {
        let looks = self.observations.iter().filter_map(|observation| {
            self.observations
                .watches(observation)
                .filter_map(|watch| {
                    let attributes = self.attributes_for(shared, observation, &watch.path);
                    watch.next_evaluation(&attributes)
                })
                .min()
        });
        looks.min()
    }

    /// When a notification is to be stored, because the server cannot be told.
    pub(crate) fn next_stored<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> Option<Instant> {
        let observations = self.observations.iter();
        observations
            .filter(|observation| observation.ends.is_none())
            .filter_map(|observation| self.due(shared, observation))
            .chain(self.next_look(shared))
            .min()
    }

    /// When an observation's next notification falls due. A server that has lost the right to read
    /// what it observes is told nothing, until it has it again.
    pub(crate) fn due<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        observation: &Observation,
    ) -> Option<Instant> {
        let requester = self.requester(shared);
        if !requester.may(&shared.tree, Right::Read, &observation.path) {
            return None;
        }
        if observation.ends.is_some() {
            return Some(Instant::ZERO);
        }
        self.observations
            .watches(observation)
            .filter_map(|watch| {
                let attributes = self.attributes_for(shared, observation, &watch.path);
                watch.due(&attributes, self.version(), observation.sent_at)
            })
            .min()
    }

    /// Any member with `con=1` makes a notification confirmable; so does the daily question
    /// whether the server is still there.
    fn is_confirmable<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        observation: &Observation,
        at: Instant,
    ) -> bool {
        let asked = |watch: &crate::watch::Watch| {
            self.attributes_for(shared, observation, &watch.path)
                .con
                .unwrap_or(shared.config.confirmable_notifications)
        };
        observation.ends.is_some()
            || self.observations.watches(observation).any(asked)
            || at.saturating_since(observation.confirmed_at) >= CONFIRM_WITHIN
    }

    /// Compares what is due to be compared.
    pub(crate) fn evaluate<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        let mut index = 0;
        while let Some((watch, of)) = self.observations.watch(index) {
            let path = watch.path;
            let Some(observation) = self.observations.get(of) else {
                return;
            };
            let attributes = self.attributes_for(shared, observation, &path);
            if watch
                .next_evaluation(&attributes)
                .is_some_and(|at| at <= now)
            {
                let requester = self.requester(shared);
                let snapshot = Snapshot::take(requester, &shared.tree, &path);
                // A composite lives on without its members.
                let ends = if observation.is_composite() {
                    None
                } else {
                    tree::check_readable(&shared.tree, &path).err()
                };
                if let Some(watch) = self.observations.watch_mut(index) {
                    watch.evaluate(now, &attributes, &snapshot);
                }
                if let Some(observation) = self.observations.get_mut(of) {
                    observation.ends = ends;
                }
            }
            index += 1;
        }
    }

    /// Sends one notification that is due; `false` when none is.
    pub(crate) fn notify<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        rng: &mut dyn Rng,
        server: SocketAddr,
    ) -> bool {
        self.evaluate(shared, now);
        let mut index = 0;
        while self.observations.get(index).is_some() {
            let sent = if self.history(shared, log, index).is_some() {
                self.send_history(shared, log, now, rng, server, index)
            } else {
                self.notify_one(shared, now, rng, server, index)
            };
            if sent.is_some() {
                return true;
            }
            index += 1;
        }
        false
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
        if self.due(shared, observation)? > now {
            return None;
        }
        let confirmable = self.is_confirmable(shared, observation, now);
        if confirmable && self.is_busy(shared) {
            return None;
        }
        let rendered = match observation.ends {
            Some(code) => Err(code),
            None => self.render_observed(shared, now, index),
        };
        // An error is also that the representation of the first response is no longer possible.
        let code = rendered.err().unwrap_or(Code::CONTENT);
        self.told(shared, now, index);
        self.send_notification(shared, now, rng, server, index, code, confirmable)?;
        let report = shared.next_report();
        let path = self.observations.get(index)?.path;
        if confirmable && let Some(flight) = &mut self.flight {
            flight.report = report;
        }
        if !code.is_success() {
            // Retransmissions go on; nothing is left to remove when they fail.
            self.observations.remove(index);
        }
        let server = self.id(shared);
        shared.event(Event::Notified {
            server,
            id: ReportId(report),
            path,
            code,
            confirmable,
        });
        if !confirmable {
            shared.settled(server, report, Outcome::Sent);
        }
        Some(())
    }

    /// Writes what an observation is about into the payload memory.
    fn render_observed<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        index: usize,
    ) -> Result<(), Code> {
        let observation = self
            .observations
            .get(index)
            .ok_or(Code::INTERNAL_SERVER_ERROR)?;
        let (format, accept) = (observation.format, observation.accept());
        if observation.is_composite() {
            let paths = self.observations.paths(index);
            shared.render_composite(now, self.requester(shared), &paths, accept, format)
        } else {
            shared.render(
                now,
                self.requester(shared),
                &observation.path,
                accept,
                format,
            )
        }
    }

    /// Sends the payload memory, or an error, to an observer.
    #[expect(
        clippy::too_many_arguments,
        reason = "the engine's state is in three parts"
    )]
    pub(crate) fn send_notification<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        rng: &mut dyn Rng,
        server: SocketAddr,
        index: usize,
        code: Code,
        confirmable: bool,
    ) -> Option<()> {
        let observation = self.observations.get_mut(index)?;
        let sequence = observation.sequence.advance();
        let Shared {
            out,
            rendered,
            payload,
            ..
        } = shared;
        let write = |writer: &mut MessageWriter<'_>| {
            if !code.is_success() {
                return;
            }
            if let Some(rendered) = rendered {
                rendered.write(payload, Some(sequence), &rendered.first(DATAGRAM), writer);
            }
        };
        let token = observation.token.as_bytes();
        let message_id = if confirmable {
            let sent = self
                .coap
                .send_confirmable(now, rng, server, code, token, write)
                .ok()?;
            let length = sent.bytes.len();
            out.get_mut(..length)?.copy_from_slice(sent.bytes);
            shared.out_length = length;
            self.flight = Some(Flight {
                leg: Leg::Waiting(sent.exchange),
                message_id: sent.message_id,
                report: 0,
                is_confirmable: true,
                began: now,
                sender: None,
            });
            sent.message_id
        } else {
            let (message_id, length) = self
                .coap
                .send_non_confirmable(server, code, token, out, write)
                .ok()?;
            shared.out_length = length;
            message_id
        };
        observation.message_id = Some(message_id);
        Some(())
    }

    /// A confirmable notification has reached the server.
    pub(crate) fn notification_confirmed<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        exchange: ExchangeId,
    ) {
        let Some(flight) = self.land(shared, log, Some(exchange), State::Delivered) else {
            return;
        };
        if let Some(index) = self.observed_by(flight.message_id)
            && let Some(observation) = self.observations.get_mut(index)
        {
            observation.confirmed_at = now;
        }
    }

    /// The server does not want notifications of an observation any more (`message_id` names the one
    /// it rejected), or does not receive them, or has not answered a Send.
    pub(crate) fn report_lost<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        exchange: Option<ExchangeId>,
        message_id: Option<u16>,
    ) {
        // What came back was not wanted; what nobody took can be told later.
        let state = if message_id.is_some() {
            State::Failed
        } else {
            State::Waiting
        };
        let flight = self.land(shared, log, exchange, state);
        let lost = flight.map(|flight| flight.message_id).or(message_id);
        if let Some(index) = lost.and_then(|lost| self.observed_by(lost)) {
            let observation = self.observations.remove(index);
            let event = Event::ObservationLost {
                server: self.id(shared),
                path: observation.path,
            };
            shared.event(event);
        }
    }

    /// Whether the report on its way waits for this exchange.
    pub(crate) fn is_flying(&self, exchange: ExchangeId) -> bool {
        let leg = Leg::Waiting(exchange);
        self.flight.as_ref().is_some_and(|flight| flight.leg == leg)
    }

    fn observed_by(&self, message_id: u16) -> Option<usize> {
        self.observations
            .position(|observation| observation.message_id == Some(message_id))
    }

    /// The report of an exchange has come to its end. A stored notification for which that is
    /// [`State::Waiting`] stays.
    fn land<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        exchange: Option<ExchangeId>,
        state: State,
    ) -> Option<Flight> {
        let leg = exchange.map(Leg::Waiting);
        let flight = self.flight.take_if(|flight| Some(flight.leg) == leg)?;
        self.landed(shared, log, &flight, state);
        Some(flight)
    }

    fn landed<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        flight: &Flight,
        state: State,
    ) {
        let server = self.id(shared);
        if flight.report != 0 {
            let outcome = match state {
                State::Delivered => Outcome::Delivered,
                _ => Outcome::Failed { code: None },
            };
            shared.settled(server, flight.report, outcome);
            return;
        }
        // Whether a Send has failed, nobody knows of a NON.
        let of_send = match state {
            State::Delivered => State::Delivered,
            _ if flight.is_confirmable => State::Failed,
            _ => State::Sent,
        };
        let is_flying = |head: &Head| head.server == server && head.is_flying;
        log.for_each(is_flying, |log, at| {
            let is_send = log.entry(at).is_some_and(|entry| entry.head.kind.is_send());
            match (is_send, state) {
                (true, _) => log.settle(at, of_send, 0),
                (false, State::Waiting) => log.set_flying(at, false),
                (false, state) => log.settle(at, state, 0),
            }
        });
    }

    /// Takes care of a report whose exchange was given up: a notification has not arrived, as far
    /// as anybody knows, and what is in the log goes again.
    pub(crate) fn land_lost<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
    ) -> bool {
        let Some(flight) = self.flight.take_if(|flight| flight.leg == Leg::Lost) else {
            return false;
        };
        let server = self.id(shared);
        if flight.report != 0 {
            self.landed(shared, log, &flight, State::Failed);
        } else {
            let is_flying = |head: &Head| head.server == server && head.is_flying;
            log.for_each(is_flying, |log, at| log.set_flying(at, false));
        }
        true
    }
}
