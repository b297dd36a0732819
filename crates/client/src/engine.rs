//! The engine: what arrives is dispatched, what is due is done, one thing at a time.

use core::net::SocketAddr;

use dunlin_coap::{Action, Incoming, Instant, Message, Rng};

use crate::client::{Client, Event, Step};
use crate::connection::Connection;
use crate::keys::Keys;
use crate::log::Log;
use crate::object::Objects;
use crate::serve::Body;
use crate::session::{Session, Shared};
use crate::tree;

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
    /// The moment of the next [`Input::Timer`](crate::Input::Timer); `None` when only a datagram
    /// or the application can bring something new. Exact; a moment that has passed means at once.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.shared.out_length > 0 || !self.shared.events.is_empty() {
            return Some(Instant::ZERO);
        }
        let is_observed = |session: &Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>| {
            !session.observations.all().is_empty()
        };
        if self.log().find(|head| !head.is_waiting()).is_some() {
            return Some(Instant::ZERO);
        }
        if self.shared.is_offline {
            if self.shared.has_changes() && self.sessions.iter().any(is_observed) {
                return Some(Instant::ZERO);
            }
            let sessions = self.sessions.iter();
            return sessions
                .filter_map(|session| session.next_stored(&self.shared))
                .chain(self.shared.next_tick())
                .min();
        }
        if (0..self.sessions.len()).any(|index| self.is_turn_of(index)) {
            return Some(Instant::ZERO);
        }
        let has_changes = self.shared.has_changes();
        self.sessions
            .iter()
            .filter_map(|session| session.next_timeout(&self.shared, self.log(), has_changes))
            .chain(self.shared.next_tick())
            .chain(self.next_fetch())
            .chain(self.sleeps_at())
            .min()
    }

    pub(crate) fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.shared.tick(now);
        if self.repository_datagram(now, from, bytes) {
            return;
        }
        let Self {
            shared,
            sessions,
            body,
            body_of,
            log,
            ..
        } = self;
        shared.tell_disabled(sessions);
        let session = sessions
            .iter_mut()
            .find(|session| session.address == Some(from));
        let Some(session) = session else {
            shared.dropped.foreign += 1;
            return;
        };
        if shared.is_offline {
            shared.dropped.offline += 1;
            return;
        }
        self.out_to = Some(from);
        let mut body = Body {
            bytes: body,
            account: body_of,
        };
        session.datagram(shared, log.as_slice_mut(), &mut body, now, from, bytes);
        self.is_awake = true;
        if let Some(path) = shared.deleted.take() {
            for session in sessions {
                session.attributes.remove_below(&path);
            }
        }
    }

    /// Does the next thing that is due.
    pub(crate) fn step(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Step> {
        loop {
            if self.shared.out_length > 0 {
                return self.out_to.map(Step::Transmit);
            }
            if let Some(event) = self.shared.events.pop_front() {
                return Some(Step::Event(event));
            }
            self.shared.tick(now);
            if !self.shared.events.is_empty() {
                continue;
            }
            if self.shared.tell_settled(self.log.as_slice_mut()) {
                continue;
            }
            self.look_for_changes(now);
            if self.shared.is_offline {
                if self.step_offline(now) {
                    continue;
                }
                return None;
            }
            self.take_turns(now);
            let Self {
                shared,
                sessions,
                log,
                ..
            } = self;
            let log = log.as_slice_mut();
            let busy = sessions
                .iter_mut()
                .find_map(|session| session.step(shared, log, now, rng));
            match busy {
                Some(to) => {
                    self.out_to = Some(to);
                    self.is_awake |= self.shared.out_length > 0;
                }
                None => {
                    let busy = self.busy_sessions();
                    if self.step_fetch(now, rng) || self.busy_sessions() < busy {
                        // A fetch that gave its place up lets a session go on.
                        continue;
                    }
                    if self.sleeps_at().is_none_or(|at| at > now) {
                        return None;
                    }
                    self.is_awake = false;
                    self.shared.event(Event::MaySleep);
                }
            }
        }
    }
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
    /// What is due while offline.
    fn step_offline(&mut self, now: Instant) -> bool {
        let Self {
            shared,
            sessions,
            log,
            ..
        } = self;
        let log = log.as_slice_mut();
        sessions
            .iter_mut()
            .any(|session| session.land_lost(shared, log) || session.store_due(shared, log, now))
    }

    /// Sessions that wait for an answer before they say something else (NSTART 1).
    fn busy_sessions(&self) -> usize {
        let sessions = self.sessions.iter();
        sessions
            .filter(|session| session.is_busy(&self.shared))
            .count()
    }

    /// With queue mode: when the device may sleep, if it has not been told so.
    fn sleeps_at(&self) -> Option<Instant> {
        let is_waiting = self
            .sessions
            .iter()
            .any(|session| session.coap.open_exchanges() > 0);
        let is_waiting = is_waiting || self.shared.fetching.is_some();
        if !self.shared.config.queue_mode || !self.is_awake || is_waiting {
            return None;
        }
        self.awake_until()
    }
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    /// What each Server instance has to know to refuse an Update while it is disabled.
    fn tell_disabled<const OBSERVATIONS: usize, const ATTRIBUTES: usize>(
        &mut self,
        sessions: &[Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>],
    ) {
        for session in sessions {
            if let Some(account) = self.tree.server.unmarked(session.instance) {
                account.is_disabled = session.registration.is_disabled();
            }
        }
    }

    /// Whether an object was changed and nobody has looked yet.
    pub(crate) fn has_changes(&self) -> bool {
        tree::all(&self.tree).any(|object| {
            let changes = object.changes();
            changes.values || changes.instances
        })
    }
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    fn next_timeout<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &Log<[u8]>,
        has_changes: bool,
    ) -> Option<Instant> {
        self.address?;
        if self.connection == Connection::Wanted {
            // Its end brings the next step.
            let stored = (!self.registration.is_registered())
                .then(|| self.next_stored(shared))
                .flatten();
            let changes =
                (has_changes && !self.observations.all().is_empty()).then_some(Instant::ZERO);
            return [self.coap.next_timeout(), stored, changes]
                .into_iter()
                .flatten()
                .min();
        }
        let is_triggered = shared
            .account(self.instance)
            .is_some_and(|account| account.trigger.is_some());
        let looks_for_changes =
            self.registration.is_registered() || !self.observations.all().is_empty();
        let sends = self.next_send(shared, log);
        let sends = sends.filter(|_| self.registration.is_registered());
        if is_triggered || (has_changes && looks_for_changes) {
            return Some(Instant::ZERO);
        }
        let registration = self
            .registration
            .next_timeout()
            .filter(|_| !self.is_busy(shared));
        let notification = if self.registration.is_registered() {
            self.next_notification(shared, log)
        } else {
            self.next_stored(shared)
        };
        [self.coap.next_timeout(), registration, notification, sends]
            .into_iter()
            .flatten()
            .min()
    }

    fn datagram<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        body: &mut Body<'_>,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let is_request = Message::parse(bytes).is_ok_and(|message| message.code.is_request());
        if is_request && !self.registration.is_registered() {
            // Not even handed to the message layer: a repetition that arrives after the answer to
            // Register is then new, and served.
            shared.dropped.unregistered += 1;
            return;
        }
        self.last_traffic = Some(now);
        self.is_fresh = false;
        let handled = self.coap.handle(now, from, bytes, &mut shared.out);
        shared.out_length = handled.reply;
        match handled.incoming {
            Incoming::Request { message, reply_to } => {
                self.serve(shared, body, now, &message, &reply_to);
            }
            Incoming::Response {
                exchange, message, ..
            } => {
                if self.exchange == Some(exchange) {
                    self.exchange = None;
                    self.registration_answered(shared, now, &message);
                } else if shared.ends_fetching(self.instance, exchange) {
                    shared.fetch_answered(now, &message);
                } else if self.is_flying(exchange) {
                    self.send_answered(shared, log, now, &message);
                }
            }
            Incoming::Unmatched { message, reply_to } => {
                if message.ty == dunlin_coap::Type::Confirmable {
                    shared.out_length = self.coap.reject(&reply_to, &mut shared.out);
                }
            }
            Incoming::Acknowledged { exchange, finished } => {
                if finished {
                    self.notification_confirmed(shared, log, now, exchange);
                }
            }
            Incoming::Reset {
                message_id,
                exchange,
            } => {
                if exchange.is_some() && exchange == self.exchange {
                    self.exchange = None;
                    self.registration_failed(shared, now, None, None);
                } else if exchange
                    .is_some_and(|exchange| shared.ends_fetching(self.instance, exchange))
                {
                    shared.fetch_silent(now);
                } else {
                    self.report_lost(shared, log, exchange, Some(message_id));
                }
            }
            Incoming::Answered(_) | Incoming::Dropped(_) => {}
        }
    }

    /// Does one thing that is due with this server, and tells where a datagram goes if there is
    /// one; `None` when nothing is due.
    fn step<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<SocketAddr> {
        self.take_trigger(shared, now);
        let server = self.address?;
        match self.coap.handle_timeout(now) {
            Some(Action::Transmit { peer, bytes }) => {
                let length = bytes.len();
                if let Some(out) = shared.out.get_mut(..length) {
                    out.copy_from_slice(bytes);
                    shared.out_length = length;
                }
                self.last_traffic = Some(now);
                return Some(peer);
            }
            Some(Action::ExchangeFailed { exchange, .. }) => {
                if self.exchange == Some(exchange) {
                    self.exchange = None;
                    if self.is_suspect() {
                        self.abandon(shared, now);
                    } else {
                        self.registration_failed(shared, now, None, None);
                    }
                } else if shared.ends_fetching(self.instance, exchange) {
                    shared.fetch_silent(now);
                } else if self.is_suspect() {
                    self.abandon(shared, now);
                } else {
                    self.report_lost(shared, log, Some(exchange), None);
                }
                self.is_fresh = false;
                return Some(server);
            }
            None => {}
        }
        if self.land_lost(shared, log) {
            return Some(server);
        }
        if !self.is_open() {
            let wants = self.begin_to_want(shared, log, now);
            let stores = !self.registration.is_registered() && self.store_due(shared, log, now);
            return (wants || stores).then_some(server);
        }
        // One interaction at a time (NSTART 1).
        if !self.is_busy(shared)
            && let Some(due) = self.registration.due(now)
        {
            self.send_registration(shared, now, rng, server, due);
            if shared.out_length > 0 {
                self.last_traffic = Some(now);
            }
            return Some(server);
        }
        if !self.registration.is_registered() {
            return self.store_due(shared, log, now).then_some(server);
        }
        let is_reported = self.notify(shared, log, now, rng, server)
            || self.send_due(shared, log, now, rng, server).is_some();
        if is_reported {
            self.last_traffic = Some(now);
        }
        is_reported.then_some(server)
    }
}
