//! The client: its settings, its inputs, and the outputs it is drained of.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::{Instant, Rng, Stats, TransmissionParameters};
use dunlin_lwm2m::{ContentFormat, Path, Version};
use heapless::{Deque, String, Vec};

use crate::account::Account;
use crate::connection::Connection;
pub(crate) use crate::event::{Dropped, Event, Outcome, ReportId};
use crate::keys::Keys;
use crate::log::Log;
use crate::object::{Instances, Objects};
use crate::objects::{Security, Server, text};
use crate::registration::{Listing, RegistrationState};
use crate::session::{All, AllMut, NEVER, Session, Shared, Tree};

/// Settings of a [`Client`] that no server changes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Endpoint Client Name, at most 128 bytes; unique at the server.
    pub endpoint: String<128>,
    /// The version to register with first. A server that refuses it (4.12) gets the next lower
    /// one.
    pub version: Version,
    /// A Profile ID for servers of version 1.2, instead of the object list or beside it.
    pub profile: Option<Profile>,
    /// Whether the device asks for queue mode: it sleeps, and is reachable only for
    /// `awake_time` after its last message.
    pub queue_mode: bool,
    /// With queue mode: how long the device listens after its last message, sent or received;
    /// `None` for MAX_TRANSMIT_WAIT, which the standard recommends (Transport 1.2 §6.5).
    pub awake_time: Option<Duration>,
    /// Whether notifications are Confirmable where neither `con` nor anything else says so.
    pub confirmable_notifications: bool,
    /// The formats of answers for which the server asks for none.
    pub formats: Formats,
    /// Whether Read-, Write- and Observe-Composite are served, which a client may leave out
    /// (Core 1.2 §6.3.8): 5.01 otherwise.
    pub composites: bool,
    /// Retransmission timing.
    pub parameters: TransmissionParameters,
}

impl Config {
    /// Settings for a device of this name: version 1.2, no queue mode, notifications NON.
    pub fn new(endpoint: &str) -> Self {
        Self {
            endpoint: text(endpoint),
            version: Version::V1_2,
            profile: None,
            queue_mode: false,
            awake_time: None,
            confirmable_notifications: false,
            formats: Formats::default(),
            composites: true,
            parameters: TransmissionParameters::default(),
        }
    }

    pub(crate) fn listing(&self) -> Listing {
        match &self.profile {
            None => Listing::List,
            Some(profile) if profile.with_list => Listing::Both,
            Some(_) => Listing::Profile,
        }
    }
}

/// A name for a set of objects that a server knows, or learns from a Register that carries both
/// (Core 1.2 §6.2.1). A server that answers 4.09 gets the list at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The value of `pid`: one id, as in `6:27354b9a` or `v:meter`, or several in quotes with
    /// commas between them. At most 72 bytes: an id with a whole SHA-256, or several short ones.
    pub id: String<72>,
    /// Whether the first Register carries the object list as well.
    pub with_list: bool,
}

/// The formats of answers and notifications for which the server asks for none, and of Send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// With a server of version 1.0: TLV, the one format that every client of 1.0 has.
    pub v1_0: ContentFormat,
    /// With a server of version 1.1: SenML CBOR; SenML JSON and TLV are the others.
    pub v1_1: ContentFormat,
    /// With a server of version 1.2: SenML CBOR; LwM2M CBOR is the shortest.
    pub v1_2: ContentFormat,
    /// Whether one value goes as text, or as the bytes it is, since 1.1.
    pub plain_values: bool,
}

impl Formats {
    /// The format for several values.
    pub const fn of(&self, version: Version) -> ContentFormat {
        match version {
            Version::V1_0 => self.v1_0,
            Version::V1_1 => self.v1_1,
            Version::V1_2 => self.v1_2,
        }
    }
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            v1_0: ContentFormat::TLV,
            v1_1: ContentFormat::SENML_CBOR,
            v1_2: ContentFormat::SENML_CBOR,
            plain_values: true,
        }
    }
}

/// What happens to a client.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// Who sent it. Datagrams of anybody but the servers are dropped and counted.
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

/// An LwM2M device, without a security layer of its own: up to `SERVERS` servers, the objects `O` besides Security
/// and Server.
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
/// | `SERVERS` | server accounts; [`Client::add_server`] refuses a further one |
/// | `OBSERVATIONS` | paths observed by each server, those of composites one by one; a further Observe is answered as a Read, without the Observe option |
/// | `ATTRIBUTES` | paths with attached attributes, for each server; a further Write-Attributes is answered with 5.00 |
/// | `BODY` | bytes of a payload, in blocks or whole: 4.13 for what is written, 5.00 for what is read |
/// | `DATAGRAM` | bytes of a datagram sent; larger answers go in blocks; the object list has to fit |
/// | `STORE` | bytes of what waits to be reported: notifications of the time offline, samples, Sends; the oldest goes first |
/// | `K` | what the Security object holds of keys, see [`Keys`]: nothing by default; larger keys are refused |
#[derive(Debug)]
pub struct Client<
    O,
    const SERVERS: usize = 1,
    const OBSERVATIONS: usize = 8,
    const ATTRIBUTES: usize = 8,
    const BODY: usize = 1024,
    const DATAGRAM: usize = 1152,
    const STORE: usize = 512,
    K: Keys = (),
> {
    pub(crate) shared: Shared<O, SERVERS, BODY, DATAGRAM>,
    /// Object 0, beside the tree that servers reach.
    pub(crate) security: Instances<Security<K>, SERVERS>,
    /// In the order of their accounts.
    pub(crate) sessions: Vec<Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>, SERVERS>,
    /// The body of a request that comes in blocks, and the `/1` instance of the server whose
    /// request it is.
    pub(crate) body: [u8; BODY],
    pub(crate) body_of: u16,
    /// Whether there was traffic since [`Event::MaySleep`].
    pub(crate) is_awake: bool,
    /// Where the datagram to send next goes.
    pub(crate) out_to: Option<SocketAddr>,
    /// What waits to be reported.
    pub(crate) log: Log<[u8; STORE]>,
    /// The time since 1970 at the origin of [`Instant`], if it is known.
    pub(crate) clock: Option<Duration>,
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
    /// A client that does nothing yet; [`Client::connect`] begins. It has the account of one
    /// server, with Short Server ID 1.
    pub fn new(config: Config, objects: O, rng: &mut dyn Rng) -> Self {
        const { assert!(SERVERS > 0, "a client has at least one server") };
        let mut server = Server::default();
        if config.queue_mode && config.version == Version::V1_0 {
            server.binding = text("UQ");
        }
        let mut sessions = Vec::new();
        let _has_room = sessions.push(Session::new(0, &config, BODY, rng));
        Self {
            shared: Shared {
                config,
                tree: Tree {
                    server: Instances::new().fixed().with(0, server),
                    objects,
                },
                is_offline: false,
                events: Deque::new(),
                dropped: Dropped::default(),
                now: Instant::ZERO,
                payload: [0; BODY],
                rendered: None,
                out: [0; DATAGRAM],
                out_length: 0,
                deleted: None,
                fetching: None,
                fetch_due: NEVER,
                fetch_waits: None,
                next_tick: NEVER,
                last_report: 0,
            },
            security: Instances::new().fixed().with(0, Security::default()),
            sessions,
            body: [0; BODY],
            body_of: 0,
            is_awake: false,
            out_to: None,
            log: Log::new(),
            clock: None,
        }
    }

    /// Registers with the server at this address, from the first attempt on. Whatever was going on
    /// with it before is forgotten, attributes excepted.
    ///
    /// This is the server of the first account; [`Client::connect_to`] names another.
    pub fn connect(&mut self, now: Instant, server: SocketAddr) {
        self.shared.is_offline = false;
        let connection = self.connection_of(self.server().short_server_id);
        if let Some(session) = self.sessions.first_mut() {
            session.forget_fetching(&mut self.shared);
            session.connect(now, server, connection);
        }
    }

    /// De-registers from every server, and then does nothing until [`Client::connect`].
    pub fn deregister(&mut self) {
        for session in &mut self.sessions {
            session.registration.deregister_soon();
        }
    }

    /// Sends an Update to every server as soon as possible.
    pub fn update(&mut self, now: Instant) {
        for session in &mut self.sessions {
            session.registration.update_soon(now);
        }
    }

    /// Stops talking and listening, as if the network were gone. The registrations and the
    /// observations stay.
    pub fn offline(&mut self) {
        self.shared.is_offline = true;
        self.shared.out_length = 0;
        for session in &mut self.sessions {
            session.forget_fetching(&mut self.shared);
            session.forget_exchanges();
            if session.connection == Connection::Wanted {
                session.connection = Connection::Down;
            }
        }
    }

    /// Talks again: with an Update while the registration lives, otherwise with a Register. What
    /// fell due while offline is reported now, unless `/1/x/6` says to drop it.
    pub fn online(&mut self, now: Instant) {
        if !core::mem::take(&mut self.shared.is_offline) {
            return;
        }
        for session in &mut self.sessions {
            let registration = &mut session.registration;
            match registration.state() {
                RegistrationState::Registered | RegistrationState::Updating => {
                    registration.resume(now);
                }
                RegistrationState::Registering | RegistrationState::Waiting => {
                    registration.retry(now);
                }
                RegistrationState::Deregistering => registration.stop(),
                RegistrationState::Idle | RegistrationState::Failed => {}
            }
        }
    }

    /// The device has another address. Without security only a Register tells the servers so
    /// (Core 1.2 §6.2.1); what was on its way is given up, and observations end with it. Over an
    /// association all goes on, with an Update that tells the server.
    pub fn rebind(&mut self, now: Instant) {
        for session in &mut self.sessions {
            if session.connection != Connection::Plain {
                session.registration.update_soon(now);
                continue;
            }
            if session.registration.state() != RegistrationState::Deregistering {
                session.forget_exchanges();
            }
            session.observations.clear();
            session.registration.rebind(now);
        }
    }

    /// The application's objects.
    pub const fn objects(&self) -> &O {
        &self.shared.tree.objects
    }

    /// The application's objects, to be changed. What changed is found by the objects themselves;
    /// handle [`Input::Timer`] afterwards ([`Client::next_timeout`] says so).
    pub const fn objects_mut(&mut self) -> &mut O {
        &mut self.shared.tree.objects
    }

    /// The first account's instance of the Server object: lifetime, default periods, retries.
    pub fn server(&self) -> &Server {
        self.shared.tree.server.first()
    }

    /// The same, to be changed; as [`Client::objects_mut`].
    pub fn server_mut(&mut self) -> &mut Server {
        self.shared.tree.server.first_mut()
    }

    /// The first account's instance of the Security object.
    pub fn security_mut(&mut self) -> &mut Security<K> {
        self.security.first_mut()
    }

    /// All objects: Security, Server, and those of the application.
    pub const fn all_objects(&self) -> impl Objects {
        All {
            security: &self.security,
            tree: &self.shared.tree,
        }
    }

    /// All objects, to be changed.
    pub const fn all_objects_mut(&mut self) -> impl Objects {
        AllMut {
            security: &mut self.security,
            tree: &mut self.shared.tree,
        }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The first account.
    fn first(&self) -> Option<Account<'_>> {
        self.accounts().next()
    }

    /// Where the registration with the first account's server stands; [`Client::account`] tells
    /// of others.
    pub fn state(&self) -> RegistrationState {
        self.first()
            .map_or(RegistrationState::Idle, |account| account.state())
    }

    /// Whether [`Client::offline`] is in force.
    pub const fn is_offline(&self) -> bool {
        self.shared.is_offline
    }

    /// The version in use with the first account's server.
    pub fn version(&self) -> Version {
        self.first()
            .map_or(self.shared.config.version, |account| account.version())
    }

    /// The address of the first account's server.
    pub fn server_address(&self) -> Option<SocketAddr> {
        self.first()?.address()
    }

    /// When the first account's server will have forgotten the registration; `None` for never, or
    /// without one.
    pub fn expires(&self) -> Option<Instant> {
        self.first()?.expires()
    }

    /// The path the first account's server gave the registration, as in `/rd/5a3f`.
    pub fn location(&self) -> impl fmt::Display {
        DisplayFirst(self.first())
    }

    /// The paths observed, by whichever server.
    pub fn observed(&self) -> impl Iterator<Item = Path> {
        self.accounts().flat_map(|account| account.observed())
    }

    /// Counters of the message layer, of all servers together.
    pub fn stats(&self) -> Stats {
        self.sessions
            .iter()
            .fold(Stats::default(), |sum, session| sum + *session.coap.stats())
    }

    /// What was dropped above the message layer.
    pub const fn dropped(&self) -> Dropped {
        self.shared.dropped
    }

    /// With queue mode: until when the device has to listen before it may sleep, counted from the
    /// last message sent or received, whichever is later (Transport 1.2 §6.5). `None` before the
    /// first.
    pub fn awake_until(&self) -> Option<Instant> {
        let config = &self.shared.config;
        let awake = config
            .awake_time
            .unwrap_or_else(|| config.parameters.max_transmit_wait());
        self.sessions
            .iter()
            .filter_map(|session| session.last_traffic)
            .max()
            .map(|last| last + awake)
    }

    pub(crate) fn take_input(&mut self, now: Instant, input: Input<'_>) {
        self.shared.now = now;
        if let Input::Datagram { from, bytes } = input {
            self.datagram(now, from, bytes);
        }
    }

    /// The datagram of [`Step::Transmit`].
    pub(crate) fn take_out(&mut self) -> &[u8] {
        let length = core::mem::take(&mut self.shared.out_length);
        self.shared.out.get(..length).unwrap_or_default()
    }

    /// Takes an input. Drain the outputs.
    pub fn handle<'c>(
        &'c mut self,
        now: Instant,
        rng: &'c mut dyn Rng,
        input: Input<'_>,
    ) -> Outputs<'c, O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K> {
        self.take_input(now, input);
        Outputs {
            client: self,
            now,
            rng,
        }
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
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
    const STORE: usize,
    K: Keys,
> {
    client: &'c mut Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>,
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
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
    const STORE: usize,
    K: Keys,
> Outputs<'_, O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
{
    /// The next output; `None` when all is done for now.
    #[expect(
        clippy::should_implement_trait,
        reason = "the output lends the client's memory, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Option<Output<'_>> {
        match self.client.step(self.now, self.rng)? {
            Step::Event(event) => Some(Output::Event(event)),
            Step::Transmit(to) => Some(Output::Transmit {
                to,
                bytes: self.client.take_out(),
            }),
        }
    }
}

struct DisplayFirst<'a>(Option<Account<'a>>);

impl fmt::Display for DisplayFirst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |account| account.location().fmt(f))
    }
}

/// How long a confirmable notification may be put off: one a day tells whether the server is
/// still there (RFC 7641 §4.5), a little earlier in case it must be repeated.
pub(crate) const CONFIRM_WITHIN: Duration = Duration::from_secs(24 * 3600 - 93);
