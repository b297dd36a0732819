//! The client: its settings, its inputs, and the outputs it is drained of.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::block::{Block1Receiver, BlockLimits};
use dunlin_coap::{Code, ExchangeId, FixedEndpoint, Instant, Rng, Stats, TransmissionParameters};
use dunlin_lwm2m::{Path, Version};
use heapless::{Deque, String, Vec};

use crate::blocks::Rendered;
use crate::notify::Observation;
use crate::object::{Object, Objects, Single};
use crate::objects::{Security, Server, text};
use crate::registration::{Registration, RegistrationState, Then};
use crate::report::AttributeTable;

/// Open exchanges at a time: one registration request, or one confirmable notification, and a
/// spare.
const EXCHANGES: usize = 2;
/// Messages of the server remembered to recognize repetitions.
const SEEN: usize = 16;
/// Events that wait to be fetched.
const EVENTS: usize = 8;

/// Settings of a [`Client`] that no server changes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Endpoint Client Name, at most 128 bytes; unique at the server.
    pub endpoint: String<128>,
    /// The version to register with first. A server that refuses it (4.12) gets the next lower
    /// one.
    pub version: Version,
    /// Whether the device asks for queue mode: it sleeps, and is reachable only for
    /// MAX_TRANSMIT_WAIT after its last message.
    pub queue_mode: bool,
    /// Whether notifications are Confirmable where neither `con` nor anything else says so.
    pub confirmable_notifications: bool,
    /// Retransmission timing.
    pub parameters: TransmissionParameters,
}

impl Config {
    /// Settings for a device of this name: version 1.2, no queue mode, notifications NON.
    pub fn new(endpoint: &str) -> Self {
        Self {
            endpoint: text(endpoint),
            version: Version::V1_2,
            queue_mode: false,
            confirmable_notifications: false,
            parameters: TransmissionParameters::default(),
        }
    }
}

/// What happens to a client.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// Who sent it. Datagrams of anybody but the server are dropped and counted.
        from: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The time [`Client::next_timeout`] told has come, or the application changed something.
    Timer,
}

/// What a client wants done, or tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output<'a> {
    /// Send a datagram.
    Transmit {
        /// To whom.
        to: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Something happened.
    Event(Event),
}

/// What a client tells its application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The server accepted the registration; see [`Client::location`].
    Registered {
        /// The version agreed on.
        version: Version,
    },
    /// A Register failed.
    RegistrationFailed {
        /// The server's answer; `None` when there was none.
        code: Option<Code>,
        /// When the next attempt follows; `None` when there is none.
        retry_at: Option<Instant>,
    },
    /// The server accepted an Update.
    Updated,
    /// An Update failed; a new Register follows.
    UpdateFailed {
        /// The server's answer; `None` when there was none.
        code: Option<Code>,
    },
    /// The device has left the server, or did not get an answer to saying so.
    Deregistered,
    /// A request of the server was answered.
    Request {
        /// The name the standard gives the operation; "Request" for what is none.
        operation: &'static str,
        /// Where.
        path: Path,
        /// The answer.
        code: Code,
    },
    /// A notification was sent.
    Notified {
        /// What is observed.
        path: Path,
        /// 2.05, or the error that ends the observation.
        code: Code,
        /// Whether it asks for an acknowledgement.
        confirmable: bool,
    },
    /// An observation ended without a word from this device: the server rejected a notification
    /// or did not acknowledge it.
    ObservationLost {
        /// What was observed.
        path: Path,
    },
    /// `/3/0/4` was executed and answered: reboot, then begin anew with [`Client::connect`].
    Reboot,
    /// `/3/0/5` was executed and answered.
    FactoryReset,
}

/// What was dropped above the message layer; see also [`Client::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Datagrams from others than the server.
    pub foreign: u32,
    /// Datagrams while there was no server, or offline.
    pub offline: u32,
    /// Requests before the answer to Register (Core 1.2 §6.2.1), or after a De-register.
    pub unregistered: u32,
    /// Events that nobody fetched in time.
    pub events: u32,
}

/// The objects of the client itself and those of the application.
#[derive(Debug)]
pub(crate) struct Tree<O> {
    pub(crate) security: Single<Security>,
    pub(crate) server: Single<Server>,
    pub(crate) objects: O,
}

impl<O: Objects> Objects for Tree<O> {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        match position {
            0 => Some(&self.security),
            1 => Some(&self.server),
            position => self.objects.object(position - 2),
        }
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        match position {
            0 => Some(&mut self.security),
            1 => Some(&mut self.server),
            position => self.objects.object_mut(position - 2),
        }
    }
}

/// An LwM2M device: one server, UDP without security, the objects `O` besides Security and Server.
///
/// Nothing in it opens a socket, reads a clock or allocates. Every input gives a guard that is
/// drained of outputs:
///
/// ```
/// use dunlin_client::objects::Device;
/// use dunlin_client::{Client, Config, Input, Instant, Output, Rng, Single};
/// # struct Dice(u32);
/// # impl Rng for Dice {
/// #     fn next_u32(&mut self) -> u32 { self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1); self.0 }
/// # }
/// # let mut rng = Dice(1);
/// let objects = (Single::new(Device::default()),);
/// let mut client: Client<_> = Client::new(Config::new("dev-1"), objects, &mut rng);
/// let server = "127.0.0.1:5683".parse().unwrap();
/// let now = Instant::ZERO;
///
/// client.connect(now, server);
/// let mut outputs = client.handle(now, &mut rng, Input::Timer);
/// let Some(Output::Transmit { to, bytes }) = outputs.next() else { panic!() };
/// assert_eq!((to, &bytes[1..2]), (server, &[0x02][..]));    // POST: Register
/// assert_eq!(outputs.next(), None);
/// assert!(client.next_timeout().unwrap() > now);            // sleep until then
/// ```
///
/// | Capacity | Meaning, and what happens at its limit |
/// |---|---|
/// | `OBSERVATIONS` | observations; a further Observe is answered as a Read, without the Observe option |
/// | `ATTRIBUTES` | paths with attached attributes; a further Write-Attributes is answered with 5.00 |
/// | `BODY` | bytes of a payload, in blocks or whole: 4.13 for what is written, 5.00 for what is read |
/// | `DATAGRAM` | bytes of a datagram sent; larger answers go in blocks; the object list has to fit |
#[derive(Debug)]
pub struct Client<
    O,
    const OBSERVATIONS: usize = 8,
    const ATTRIBUTES: usize = 8,
    const BODY: usize = 1024,
    const DATAGRAM: usize = 1152,
> {
    pub(crate) config: Config,
    pub(crate) tree: Tree<O>,
    pub(crate) coap: FixedEndpoint<SocketAddr, EXCHANGES, SEEN, DATAGRAM, DATAGRAM>,
    pub(crate) registration: Registration,
    /// The exchange of the registration request on its way.
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) observations: Vec<Observation, OBSERVATIONS>,
    pub(crate) attributes: AttributeTable<ATTRIBUTES>,
    pub(crate) server_address: Option<SocketAddr>,
    pub(crate) is_offline: bool,
    pub(crate) events: Deque<Event, EVENTS>,
    pub(crate) dropped: Dropped,
    /// The latest moment that an input told.
    pub(crate) now: Instant,
    /// When the last message was sent or received.
    pub(crate) last_traffic: Option<Instant>,
    /// Gathers the blocks of a request.
    pub(crate) receiver: Block1Receiver,
    pub(crate) body: [u8; BODY],
    /// The last payload rendered, for the blocks that follow; scratch memory in between.
    pub(crate) payload: [u8; BODY],
    pub(crate) rendered: Option<Rendered>,
    /// The datagram to send next.
    pub(crate) out: [u8; DATAGRAM],
    pub(crate) out_length: usize,
}

impl<
    O: Objects,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> Client<O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>
{
    /// A client that does nothing yet; [`Client::connect`] begins.
    pub fn new(config: Config, objects: O, rng: &mut dyn Rng) -> Self {
        let mut coap = FixedEndpoint::fixed(config.parameters, rng);
        // Answers lie in little memory. A Write whose copy comes late, behind another Write, would
        // bring the old value back if it were processed again, idempotent or not.
        coap.set_repeatable(|code| matches!(code, Code::GET | Code::FETCH));
        let registration = Registration::new(config.version);
        let mut server = Server::default();
        if config.queue_mode && config.version == Version::V1_0 {
            server.binding = text("UQ");
        }
        Self {
            config,
            tree: Tree {
                security: Single::new(Security::default()),
                server: Single::new(server),
                objects,
            },
            coap,
            registration,
            exchange: None,
            observations: Vec::new(),
            attributes: AttributeTable::new(),
            server_address: None,
            is_offline: false,
            events: Deque::new(),
            dropped: Dropped::default(),
            now: Instant::ZERO,
            last_traffic: None,
            receiver: Block1Receiver::new(BlockLimits::body(BODY)),
            body: [0; BODY],
            payload: [0; BODY],
            rendered: None,
            out: [0; DATAGRAM],
            out_length: 0,
        }
    }

    /// Registers with the server at this address, from the first attempt on. Whatever was going on
    /// before is forgotten, attributes excepted.
    pub fn connect(&mut self, now: Instant, server: SocketAddr) {
        self.forget_exchanges();
        self.observations.clear();
        self.server_address = Some(server);
        self.is_offline = false;
        self.registration.start(now);
    }

    /// De-registers, and then does nothing until [`Client::connect`].
    pub fn deregister(&mut self) {
        self.registration.deregister_soon(Then::Stop);
    }

    /// Sends an Update as soon as possible.
    pub fn update(&mut self, now: Instant) {
        self.registration.update_soon(now);
    }

    /// Stops talking and listening, as if the network were gone. The registration and the
    /// observations stay.
    pub fn offline(&mut self) {
        self.is_offline = true;
        self.out_length = 0;
        self.forget_exchanges();
    }

    /// Talks again: with an Update while the registration lives, otherwise with a Register. What
    /// fell due while offline is reported now, unless `/1/x/6` says to drop it.
    pub fn online(&mut self, now: Instant) {
        if !core::mem::take(&mut self.is_offline) {
            return;
        }
        match self.registration.state() {
            RegistrationState::Registered | RegistrationState::Updating => {
                self.registration.resume(now);
            }
            RegistrationState::Registering | RegistrationState::Waiting => {
                self.registration.start(now);
            }
            RegistrationState::Deregistering => self.registration.stop(),
            RegistrationState::Idle | RegistrationState::Failed => {}
        }
        if !self.tree.server.notification_storing {
            self.drop_missed_notifications(now);
        }
    }

    fn forget_exchanges(&mut self) {
        if let Some(server) = self.server_address {
            self.coap.forget_peer(server, |_| {});
        }
        self.exchange = None;
        for observation in &mut self.observations {
            observation.exchange = None;
        }
    }

    /// The application's objects.
    pub const fn objects(&self) -> &O {
        &self.tree.objects
    }

    /// The application's objects, to be changed. What changed is found by the objects themselves;
    /// handle [`Input::Timer`] afterwards ([`Client::next_timeout`] says so).
    pub const fn objects_mut(&mut self) -> &mut O {
        &mut self.tree.objects
    }

    /// The Server object: lifetime, default periods, retries.
    pub fn server(&self) -> &Server {
        &self.tree.server
    }

    /// The Server object, to be changed; as [`Client::objects_mut`].
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.tree.server
    }

    /// The Security object.
    pub fn security_mut(&mut self) -> &mut Security {
        &mut self.tree.security
    }

    /// All objects: Security, Server, and those of the application.
    pub const fn all_objects(&self) -> &dyn Objects
    where
        O: 'static,
    {
        &self.tree
    }

    /// All objects, to be changed.
    pub const fn all_objects_mut(&mut self) -> &mut dyn Objects
    where
        O: 'static,
    {
        &mut self.tree
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Where the registration stands.
    pub fn state(&self) -> RegistrationState {
        self.registration.state()
    }

    /// Whether [`Client::offline`] is in force.
    pub const fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// The version in use.
    pub fn version(&self) -> Version {
        self.registration.version()
    }

    /// The server's address.
    pub const fn server_address(&self) -> Option<SocketAddr> {
        self.server_address
    }

    /// When the server will have forgotten the registration; `None` for never, or without one.
    pub fn expires(&self) -> Option<Instant> {
        self.registration.expires()
    }

    /// The path the server gave the registration, as in `/rd/5a3f`.
    pub const fn location(&self) -> impl fmt::Display {
        DisplayLocation(&self.registration)
    }

    /// The paths observed.
    pub fn observed(&self) -> impl Iterator<Item = Path> {
        self.observations.iter().map(|observation| observation.path)
    }

    /// Counters of the message layer.
    pub fn stats(&self) -> &Stats {
        self.coap.stats()
    }

    /// What was dropped above the message layer.
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// With queue mode: until when the device has to listen before it may sleep (Transport 1.2
    /// §6.5).
    pub fn awake_until(&self) -> Option<Instant> {
        self.last_traffic
            .map(|last| last + self.config.parameters.max_transmit_wait())
    }

    /// Takes an input. Drain the outputs.
    pub fn handle<'c>(
        &'c mut self,
        now: Instant,
        rng: &'c mut dyn Rng,
        input: Input<'_>,
    ) -> Outputs<'c, O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM> {
        self.now = now;
        if let Input::Datagram { from, bytes } = input {
            self.datagram(now, from, bytes);
        }
        Outputs {
            client: self,
            now,
            rng,
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        if self.events.is_full() {
            self.events.pop_front();
            self.dropped.events += 1;
        }
        let _has_room = self.events.push_back(event);
    }
}

/// The outputs of one input; drain them with [`Outputs::next`].
///
/// What is not fetched stays with the client, but a datagram that is not fetched before the next
/// input may be lost.
#[must_use = "the client has sent nothing yet: fetch its outputs"]
pub struct Outputs<
    'c,
    O,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> {
    client: &'c mut Client<O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>,
    now: Instant,
    rng: &'c mut dyn Rng,
}

/// One step of draining.
pub(crate) enum Step {
    /// The datagram in `out`.
    Transmit(SocketAddr),
    Event(Event),
}

impl<
    O: Objects,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> Outputs<'_, O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>
{
    /// The next output; `None` when all is done for now.
    #[expect(
        clippy::should_implement_trait,
        reason = "the output lends the client's memory, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Option<Output<'_>> {
        match self.client.step(self.now, self.rng)? {
            Step::Event(event) => Some(Output::Event(event)),
            Step::Transmit(to) => {
                let length = core::mem::take(&mut self.client.out_length);
                let bytes = self.client.out.get(..length)?;
                Some(Output::Transmit { to, bytes })
            }
        }
    }
}

struct DisplayLocation<'a>(&'a Registration);

impl fmt::Display for DisplayLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in self.0.location.segments() {
            f.write_str("/")?;
            for chunk in segment.utf8_chunks() {
                f.write_str(chunk.valid())?;
            }
        }
        Ok(())
    }
}

/// How long a confirmable notification may be put off: one a day tells whether the server is
/// still there (RFC 7641 §4.5), a little earlier in case it must be repeated.
pub(crate) const CONFIRM_WITHIN: Duration = Duration::from_secs(24 * 3600 - 93);
