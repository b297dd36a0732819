//! A client whose accounts may be secured: DTLS 1.2 below the engine, in the same form, without
//! I/O or clock (feature `dtls`; needs an allocator).
//!
//! [`SecureClient`] wraps a [`Client`](crate::Client) and has an association with each server whose
//! account is not NoSec. What it does about them is meant for a device that runs on a battery:
//!
//! 1. An association that was stored goes on, without a handshake: after a deep sleep
//!    ([`SecureClient::sleep`]), and after a crash, from numbers that were claimed before.
//! 2. Otherwise the session is resumed by its id: no public-key cryptography, two datagrams less.
//! 3. Otherwise there is a full handshake.
//!
//! It offers a connection id (RFC 9146), so that the association outlives another address or port
//! of the device; without one the session is resumed from there.

mod credentials;
mod engine;
mod link;
mod packets;
mod storage;
mod uri;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};
pub use dunlin_dtls::{Alert, ExtendedMasterSecret, Reason, Retransmission, Suite};
use dunlin_dtls::{ClientInput, WallClock};

pub use self::credentials::CredentialError;
pub use self::engine::{AccountKeys, Done, Engine, Peer};
use self::link::{Link, News, Plan, Stage, Waiting};
use self::packets::Packets;
pub use self::storage::{MemorySessions, SessionStorage};
pub use self::uri::{ServerUri, UriError};
use crate::client::{Input, Output};
use crate::connection::{Connection, ConnectionFault, Context};
use crate::send::StorageError;

/// Settings of a [`SecureClient`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest datagram of a handshake in bytes, at least 200; 1280 by default.
    pub mtu: usize,
    /// How a handshake is repeated that nobody answers.
    pub retransmission: Retransmission,
    /// Whether the server has to know the extended master secret (RFC 7627).
    pub extended_master_secret: ExtendedMasterSecret,
    /// Certificates of authorities, DER or PEM: the trust store of the device, for the certificate
    /// usages 0 and 1.
    pub trust_store: Vec<Box<[u8]>>,
    /// Sequence numbers claimed at a time, 16 at least: the association is stored anew when that
    /// many datagrams were sent. 1024 by default.
    pub claim: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mtu: 1280,
            retransmission: Retransmission::default(),
            extended_master_secret: ExtendedMasterSecret::default(),
            trust_store: Vec::new(),
            claim: 1024,
        }
    }
}

/// How an association stands; see [`SecureClient::session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Whether it stands; otherwise a handshake is under way, or there is none.
    pub is_up: bool,
    /// Whether a handshake is under way.
    pub is_connecting: bool,
    /// How the last one came about.
    pub context: Context,
    /// The cipher suite of one that stands.
    pub suite: Option<Suite>,
    /// Whether it outlives another address of the device.
    pub has_connection_id: bool,
    /// Whether its session can be resumed.
    pub can_resume: bool,
    /// What is wrong with the account, if nothing can be tried.
    pub problem: Option<CredentialError>,
    /// Why the last one ended.
    pub ended: Option<Reason>,
}

/// A [`Client`](crate::Client) with security, in the same form: told something, then drained.
#[derive(Debug)]
pub struct SecureClient<C, S = ()> {
    client: C,
    storage: S,
    settings: Settings,
    links: Vec<Link>,
    waiting: Waiting,
}

impl<C: Engine, S: SessionStorage> SecureClient<C, S> {
    /// Secures a client, whose accounts have been [provisioned](crate::Client::provision).
    pub fn new(client: C, storage: S, settings: Settings) -> Self {
        Self {
            client,
            storage,
            settings: Settings {
                claim: settings.claim.max(16),
                ..settings
            },
            links: Vec::new(),
            waiting: Waiting {
                out: Packets::new(),
                incoming: Packets::new(),
            },
        }
    }

    /// The client. [`Client::handle`](crate::Client::handle) is not for it any more, nor are the
    /// methods for security layers.
    pub const fn client(&self) -> &C {
        &self.client
    }

    /// The client, to be changed; handle [`Input::Timer`] afterwards.
    pub const fn client_mut(&mut self) -> &mut C {
        &mut self.client
    }

    /// The storage of sessions.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// The settings, which count from the next handshake on.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The client and the storage. Associations that stand are dropped without a word; what the
    /// storage holds of them is as after a crash.
    pub fn into_parts(self) -> (C, S) {
        (self.client, self.storage)
    }

    /// How the association with a server stands; `None` where there was none yet.
    pub fn session(&self, id: u16) -> Option<SessionStatus> {
        let link = self.links.iter().find(|link| link.id == id)?;
        Some(SessionStatus {
            is_up: link.stage == Stage::Up,
            is_connecting: link.stage == Stage::Handshake,
            context: link.context,
            suite: link.suite(),
            has_connection_id: link.has_connection_id(),
            can_resume: link.can_resume(),
            problem: link.problem,
            ended: link.ended,
        })
    }

    /// Stores every association exactly as it is, for a sleep in which the memory is lost: made
    /// anew with the same storage, the client goes on without a handshake. Whoever goes on with
    /// this one instead loses nothing.
    pub fn sleep(&mut self, now: Instant) -> Result<(), StorageError> {
        let mut result = Ok(());
        for link in &mut self.links {
            self.client.suspend(now, link.id);
            result = result.and(link.sleep(&mut self.storage));
        }
        result
    }

    /// The device has another address. An association with a connection id goes on, and an Update
    /// tells the server; one without is resumed. Without security see
    /// [`Client::rebind`](crate::Client::rebind).
    pub fn rebind(&mut self, now: Instant) {
        self.client.rebind(now);
        for link in &mut self.links {
            let goes_on = link.stage == Stage::Up && link.has_connection_id();
            if link.stage != Stage::Idle && !goes_on {
                let was_up = link.stage == Stage::Up;
                link.forget_association();
                if was_up {
                    self.client
                        .connection_closed(now, link.id, ConnectionFault::Silent);
                }
            }
        }
    }

    /// The moment of the next [`Input::Timer`]; as [`Client::next_timeout`](crate::Client::next_timeout).
    pub fn next_timeout(&self) -> Option<Instant> {
        if !self.waiting.out.is_empty() || !self.waiting.incoming.is_empty() {
            return Some(Instant::ZERO);
        }
        let has_work = self.peers().any(|peer| self.work(&peer).is_some());
        if has_work || self.orphan().is_some() {
            return Some(Instant::ZERO);
        }
        self.links
            .iter()
            .filter_map(Link::next_timeout)
            .chain(self.client.next_timeout())
            .min()
    }

    /// Takes an input. Drain the outputs.
    pub fn handle<'c>(
        &'c mut self,
        now: Instant,
        rng: &'c mut dyn Rng,
        input: Input<'_>,
    ) -> SecureOutputs<'c, C, S> {
        self.client.begin(now);
        if let Input::Datagram { from, bytes } = input {
            match self.links.iter().position(|link| link.address == from) {
                Some(index) if !self.client.is_offline() => {
                    self.tell(now, rng, index, ClientInput::Datagram(bytes));
                }
                Some(_) => {}
                None if self.is_secured(from) => {}
                None => self.client.datagram(now, from, bytes),
            }
        }
        for index in 0..self.links.len() {
            let is_due = self
                .links
                .get(index)
                .and_then(Link::next_timeout)
                .is_some_and(|at| at <= now);
            if is_due {
                self.tell(now, rng, index, ClientInput::Timer);
            }
        }
        SecureOutputs {
            secure: self,
            now,
            rng,
        }
    }

    /// The accounts that were connected to.
    fn peers(&self) -> impl Iterator<Item = Peer> {
        (0..).map_while(|index| self.client.peer(index))
    }

    /// Whether an account with security has this address.
    fn is_secured(&self, address: SocketAddr) -> bool {
        self.peers()
            .any(|peer| peer.address == address && peer.connection != Connection::Plain)
    }

    fn tell(&mut self, now: Instant, rng: &mut dyn Rng, index: usize, input: ClientInput<'_>) {
        let Some(link) = self.links.get_mut(index) else {
            return;
        };
        let (id, was_up) = (link.id, link.stage == Stage::Up);
        let news = link.handle(
            now,
            rng,
            &mut self.storage,
            &mut self.waiting,
            input,
            self.settings.claim,
        );
        self.report(now, id, was_up, news);
    }

    /// Tells the engine.
    fn report(&mut self, now: Instant, id: u16, was_up: bool, news: Option<News>) {
        match news {
            None => {}
            Some(News::Connected(context)) => self.client.connected(now, id, context),
            Some(News::Ended(fault)) if was_up => self.client.connection_closed(now, id, fault),
            Some(News::Ended(fault)) => self.client.connection_failed(now, id, fault),
        }
    }

    /// What an account needs of the security layer.
    fn work(&self, peer: &Peer) -> Option<Work> {
        let link = self.links.iter().find(|link| link.id == peer.id);
        let stage = link.map_or(Stage::Idle, |link| link.stage);
        let has_moved = link.is_some_and(|link| link.address != peer.address);
        match peer.connection {
            Connection::Wanted if stage != Stage::Handshake || has_moved => Some(Work::Start),
            Connection::Down | Connection::Plain if stage == Stage::Up => Some(Work::Close),
            Connection::Down | Connection::Plain if stage == Stage::Handshake => Some(Work::Forget),
            _ => None,
        }
    }

    /// The place of an association whose account is no more.
    fn orphan(&self) -> Option<usize> {
        self.links
            .iter()
            .position(|link| !self.peers().any(|peer| peer.id == link.id))
    }

    /// Does one thing that an account needs; `false` when none does.
    fn work_off(&mut self, now: Instant, rng: &mut dyn Rng) -> bool {
        if let Some(index) = self.orphan() {
            let mut link = self.links.swap_remove(index);
            link.close(now, rng, &mut self.storage, &mut self.waiting);
            let _is_no_more = self.storage.erase(link.id);
            return true;
        }
        let found = self
            .peers()
            .find_map(|peer| self.work(&peer).map(|work| (peer, work)));
        let Some((peer, work)) = found else {
            return false;
        };
        let index = match self.links.iter().position(|link| link.id == peer.id) {
            Some(index) => index,
            None => {
                self.links.push(Link::new(peer.id, peer.address));
                self.links.len() - 1
            }
        };
        let Some(link) = self.links.get_mut(index) else {
            return false;
        };
        match work {
            Work::Close => link.close(now, rng, &mut self.storage, &mut self.waiting),
            Work::Forget => link.forget_association(),
            Work::Start => {
                link.address = peer.address;
                let Some(keys) = self.client.keys(peer.id) else {
                    return false;
                };
                let clock = self.client.unix_seconds(now).map(|unix_seconds| WallClock {
                    at: now,
                    unix_seconds,
                });
                let settings = &self.settings;
                let plan = Plan {
                    config: &|| credentials::config(&keys, settings, clock),
                    fingerprint: credentials::fingerprint(&keys),
                    is_registered: peer.is_registered,
                    claim: settings.claim,
                };
                let news = link.start(now, rng, &mut self.storage, &mut self.waiting, &plan);
                self.report(now, peer.id, false, news);
            }
        }
        true
    }

    /// Sends a datagram of the engine: sealed, where the account is secured; `false` when it goes as
    /// it is.
    fn seal(&mut self, now: Instant, rng: &mut dyn Rng, to: SocketAddr) -> bool {
        if !self.is_secured(to) {
            return false;
        }
        let index = self
            .links
            .iter()
            .position(|link| link.address == to && link.stage == Stage::Up);
        let Self {
            client,
            links,
            storage,
            waiting,
            settings,
        } = self;
        let bytes = client.out();
        let Some(link) = index.and_then(|index| links.get_mut(index)) else {
            return true;
        };
        let id = link.id;
        let input = ClientInput::Send(bytes);
        let news = link.handle(now, rng, storage, waiting, input, settings.claim);
        self.report(now, id, true, news);
        true
    }
}

/// What an account needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Start,
    Close,
    Forget,
}

/// The outputs of one input; drain them with [`SecureOutputs::next`].
#[must_use = "the client has sent nothing yet: fetch its outputs"]
pub struct SecureOutputs<'c, C, S> {
    secure: &'c mut SecureClient<C, S>,
    now: Instant,
    rng: &'c mut dyn Rng,
}

impl<C, S> fmt::Debug for SecureOutputs<'_, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureOutputs")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<C: Engine, S: SessionStorage> SecureOutputs<'_, C, S> {
    /// The next output; `None` when all is done for now.
    #[expect(
        clippy::should_implement_trait,
        reason = "the output lends the client's memory, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Option<Output<'_>> {
        let (now, rng) = (self.now, &mut *self.rng);
        let secure = &mut *self.secure;
        loop {
            if let Some((to, range)) = secure.waiting.out.pop() {
                return Some(Output::Transmit {
                    to,
                    bytes: secure.waiting.out.get(range),
                });
            }
            match secure.client.step(now, rng) {
                Some(Done::Event(event)) => return Some(Output::Event(event)),
                Some(Done::Transmit(to)) => {
                    if !secure.seal(now, rng, to) {
                        return Some(Output::Transmit {
                            to,
                            bytes: secure.client.out(),
                        });
                    }
                }
                None => {
                    secure.prove();
                    if let Some((from, range)) = secure.waiting.incoming.pop() {
                        let bytes = secure.waiting.incoming.get(range);
                        secure.client.datagram(now, from, bytes);
                    } else if !secure.work_off(now, rng) {
                        return None;
                    }
                }
            }
        }
    }
}

impl<C: Engine, S: SessionStorage> SecureClient<C, S> {
    /// Where the device is registered, its server has answered: the association is no copy.
    fn prove(&mut self) {
        for index in 0.. {
            let Some(peer) = self.client.peer(index) else {
                return;
            };
            if peer.is_registered
                && let Some(link) = self.links.iter_mut().find(|link| link.id == peer.id)
            {
                link.prove();
            }
        }
    }
}
