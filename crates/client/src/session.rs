//! What belongs to one server, and what all servers share.

use core::net::SocketAddr;

use dunlin_coap::block::{Block1Receiver, BlockLimits};
use dunlin_coap::{ExchangeId, FixedEndpoint, Instant, Rng};
use dunlin_lwm2m::{Path, Version};
use heapless::Deque;

use crate::access::Requester;
use crate::blocks::Rendered;
use crate::client::{Config, Dropped, Event, Outcome, ReportId};
use crate::connection::Connection;
use crate::fetching::Fetching;
use crate::notify::{Flight, Leg};
use crate::object::{Instances, Object, Objects};
use crate::objects::Server;
use crate::observations::Observations;
use crate::registration::Registration;
use crate::report::AttributeTable;

/// Open exchanges at a time: one registration request, or one confirmable notification, and a
/// spare.
const EXCHANGES: usize = 2;
/// Messages of the server remembered to recognize repetitions.
const SEEN: usize = 16;
/// Events that wait to be fetched.
const EVENTS: usize = 8;

/// The objects that servers reach: the client's own, and those of the application. Object 0 is not
/// among them.
#[derive(Debug)]
pub(crate) struct Tree<O, const SERVERS: usize> {
    pub(crate) server: Instances<Server, SERVERS>,
    pub(crate) objects: O,
}

impl<O: Objects, const SERVERS: usize> Objects for Tree<O, SERVERS> {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        match position.checked_sub(1) {
            None => Some(&self.server),
            Some(position) => self.objects.object(position),
        }
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        match position.checked_sub(1) {
            None => Some(&mut self.server),
            Some(position) => self.objects.object_mut(position),
        }
    }
}

/// Object 0, and those that servers reach: for the application.
pub(crate) struct All<'a, S, T> {
    pub(crate) security: &'a S,
    pub(crate) tree: &'a T,
}

impl<S: Object, T: Objects> Objects for All<'_, S, T> {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        match position.checked_sub(1) {
            None => Some(self.security),
            Some(position) => self.tree.object(position),
        }
    }

    /// Nothing is lent to be changed.
    fn object_mut(&mut self, _position: usize) -> Option<&mut dyn Object> {
        None
    }
}

/// The same, to be changed.
pub(crate) struct AllMut<'a, S, T> {
    pub(crate) security: &'a mut S,
    pub(crate) tree: &'a mut T,
}

impl<S: Object, T: Objects> Objects for AllMut<'_, S, T> {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        match position.checked_sub(1) {
            None => Some(self.security),
            Some(position) => self.tree.object(position),
        }
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        match position.checked_sub(1) {
            None => Some(self.security),
            Some(position) => self.tree.object_mut(position),
        }
    }
}

/// No moment: takes half the memory of an `Option`.
pub(crate) const NEVER: Instant = Instant::from_micros(u64::MAX);

/// What all servers share: settings, data, memory.
#[derive(Debug)]
pub(crate) struct Shared<O, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize> {
    pub(crate) config: Config,
    pub(crate) tree: Tree<O, SERVERS>,
    pub(crate) is_offline: bool,
    pub(crate) events: Deque<Event, EVENTS>,
    pub(crate) dropped: Dropped,
    /// The latest moment that an input told.
    pub(crate) now: Instant,
    /// The last payload rendered, for the blocks that follow; scratch memory in between.
    pub(crate) payload: [u8; BODY],
    pub(crate) rendered: Option<Rendered>,
    /// The datagram to send next.
    pub(crate) out: [u8; DATAGRAM],
    pub(crate) out_length: usize,
    /// A path that was deleted, and with it all that servers attached there.
    pub(crate) deleted: Option<Path>,
    pub(crate) fetching: Option<Fetching>,
    /// When the next block of a fetch is to be asked for, or [`NEVER`]; as of the last step, like
    /// the two below.
    pub(crate) fetch_due: Instant,
    /// The account with an open exchange that the next block waits for.
    pub(crate) fetch_waits: Option<u16>,
    /// When time alone changes something in an object, or [`NEVER`].
    pub(crate) next_tick: Instant,
    /// The id of the last notification or Send.
    pub(crate) last_report: u32,
}

impl<O, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    pub(crate) fn event(&mut self, event: Event) {
        if self.events.is_full() {
            self.events.pop_front();
            self.dropped.events += 1;
        }
        let _has_room = self.events.push_back(event);
    }

    /// An id for a notification or Send; 0 stands for none.
    pub(crate) fn next_report(&mut self) -> u32 {
        self.last_report = self.last_report.wrapping_add(1).max(1);
        self.last_report
    }

    /// A notification or Send has ended.
    pub(crate) fn settled(&mut self, server: u16, report: u32, outcome: Outcome) {
        self.event(Event::Delivery {
            server,
            id: ReportId(report),
            outcome,
        });
    }

    /// The account of a session.
    pub(crate) fn account(&self, instance: u16) -> Option<&Server> {
        self.tree.server.get(instance)
    }
}

/// One server: its address, its message layer, its registration, what it observes and attached.
#[derive(Debug)]
pub(crate) struct Session<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
{
    /// The `/1` instance that is its account.
    pub(crate) instance: u16,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) connection: Connection,
    /// Whether nothing but its handshake was heard or missed of the association.
    pub(crate) is_fresh: bool,
    pub(crate) coap: FixedEndpoint<SocketAddr, EXCHANGES, SEEN, DATAGRAM, DATAGRAM>,
    pub(crate) registration: Registration,
    /// The exchange of the registration request on its way.
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) observations: Observations<OBSERVATIONS>,
    /// The confirmable report on its way.
    pub(crate) flight: Option<Flight>,
    /// No Send goes out before, because the server was overloaded; and how often it has said so.
    pub(crate) send_after: Instant,
    pub(crate) send_refusals: u8,
    pub(crate) attributes: AttributeTable<ATTRIBUTES>,
    /// When the last message was sent or received.
    pub(crate) last_traffic: Option<Instant>,
    /// Gathers the blocks of a request.
    pub(crate) receiver: Block1Receiver,
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    pub(crate) fn new(instance: u16, config: &Config, body: usize, rng: &mut dyn Rng) -> Self {
        let mut coap = FixedEndpoint::fixed(config.parameters, rng);
        // Answers lie in little memory. A Write whose copy comes late, behind another Write, would
        // bring the old value back if it were processed again, idempotent or not.
        coap.set_repeatable(|message| {
            matches!(
                message.code,
                dunlin_coap::Code::GET | dunlin_coap::Code::FETCH
            )
        });
        Self {
            instance,
            address: None,
            connection: Connection::Plain,
            is_fresh: false,
            coap,
            registration: Registration::new(config.version, config.listing()),
            exchange: None,
            observations: Observations::new(),
            flight: None,
            send_after: Instant::ZERO,
            send_refusals: 0,
            attributes: AttributeTable::new(),
            last_traffic: None,
            receiver: Block1Receiver::new(BlockLimits::body(body)),
        }
    }

    /// Forgets what was on its way, and the observations.
    pub(crate) fn connect(&mut self, now: Instant, address: SocketAddr, connection: Connection) {
        self.forget_exchanges();
        self.observations.clear();
        // An association with the same server goes on.
        if connection == Connection::Plain
            || self.connection == Connection::Plain
            || self.address != Some(address)
        {
            self.connection = connection;
        }
        self.address = Some(address);
        self.registration.enqueue(now);
    }

    pub(crate) fn forget_exchanges(&mut self) {
        if let Some(address) = self.address {
            self.coap.forget_peer(address, |_| {});
        }
        self.exchange = None;
        if let Some(flight) = &mut self.flight {
            flight.leg = Leg::Lost;
        }
    }

    /// The version in use.
    pub(crate) fn version(&self) -> Version {
        self.registration.version()
    }

    /// Who asks when this server asks.
    pub(crate) fn requester<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> Requester {
        Requester {
            server: self.id(shared),
            version: self.version(),
        }
    }

    /// The Short Server ID.
    pub(crate) fn id<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> u16 {
        shared
            .account(self.instance)
            .map_or(0, |account| account.short_server_id)
    }
}
