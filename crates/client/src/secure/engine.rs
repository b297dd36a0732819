//! What the secure client needs of the engine, whatever its capacities.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::{Instant, Rng};
use dunlin_lwm2m::Value;

use crate::client::{Client, Event, Input, Step};
use crate::connection::{Connection, ConnectionFault, Context};
use crate::keys::Keys;
use crate::object::{Field, Objects};
use crate::registration::RegistrationState;

/// An account, as the secure client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub(super) id: u16,
    pub(super) address: SocketAddr,
    pub(super) connection: Connection,
    /// Whether the device is registered: then what comes may be a request.
    pub(super) is_registered: bool,
}

/// What the Security object says of an account. No text shows it.
#[derive(Clone, Copy)]
pub struct AccountKeys<'a> {
    pub(super) uri: &'a str,
    pub(super) mode: u8,
    pub(super) identity: &'a [u8],
    pub(super) server_key: &'a [u8],
    pub(super) secret: &'a [u8],
    pub(super) matching: Option<u8>,
    pub(super) usage: Option<u8>,
    pub(super) sni: Option<&'a str>,
    pub(super) extensions: Option<u16>,
    suites: &'a dyn Field,
}

impl fmt::Debug for AccountKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountKeys")
            .field("uri", &self.uri)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl AccountKeys<'_> {
    /// `/0/x/16`, in order.
    pub(super) fn suites(&self) -> impl Iterator<Item = u64> {
        (0..)
            .map_while(|position| self.suites.get(position))
            .filter_map(|(_, value)| match value {
                Value::Unsigned(number) => Some(number),
                _ => None,
            })
    }
}

/// One thing that the engine has done.
#[derive(Clone, Copy, Debug)]
pub enum Done {
    /// A datagram goes there.
    Transmit(SocketAddr),
    /// Something is told.
    Event(Event),
}

/// A [`Client`]: nothing else is one.
pub trait Engine: sealed::Sealed {
    #[doc(hidden)]
    fn begin(&mut self, now: Instant);
    #[doc(hidden)]
    fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]);
    #[doc(hidden)]
    fn step(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Done>;
    #[doc(hidden)]
    fn out(&mut self) -> &[u8];
    #[doc(hidden)]
    fn next_timeout(&self) -> Option<Instant>;
    #[doc(hidden)]
    fn peer(&self, index: usize) -> Option<Peer>;
    #[doc(hidden)]
    fn keys(&self, id: u16) -> Option<AccountKeys<'_>>;
    #[doc(hidden)]
    fn connected(&mut self, now: Instant, id: u16, context: Context);
    #[doc(hidden)]
    fn connection_failed(&mut self, now: Instant, id: u16, fault: ConnectionFault);
    #[doc(hidden)]
    fn connection_closed(&mut self, now: Instant, id: u16, fault: ConnectionFault);
    #[doc(hidden)]
    fn suspend(&mut self, now: Instant, id: u16);
    #[doc(hidden)]
    fn rebind(&mut self, now: Instant);
    #[doc(hidden)]
    fn is_offline(&self) -> bool;
    /// Seconds since 1970, where the client knows them.
    #[doc(hidden)]
    fn unix_seconds(&self, now: Instant) -> Option<u64>;
}

mod sealed {
    /// Keeps [`Engine`](super::Engine) closed.
    pub trait Sealed {}
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
> sealed::Sealed for Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
{
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
> Engine for Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
{
    fn begin(&mut self, now: Instant) {
        self.shared.now = now;
    }

    fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.take_input(now, Input::Datagram { from, bytes });
    }

    fn step(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Done> {
        Some(match Self::step(self, now, rng)? {
            Step::Transmit(to) => Done::Transmit(to),
            Step::Event(event) => Done::Event(event),
        })
    }

    fn out(&mut self) -> &[u8] {
        self.take_out()
    }

    fn next_timeout(&self) -> Option<Instant> {
        Self::next_timeout(self)
    }

    fn peer(&self, index: usize) -> Option<Peer> {
        let session = self.sessions.get(index)?;
        // An account that was never connected to has no address, and nothing to say.
        let address = session.address.unwrap_or(UNSPECIFIED);
        Some(Peer {
            id: session.id(&self.shared),
            address,
            connection: session.connection,
            is_registered: session.registration.is_registered()
                || session.registration.state() == RegistrationState::Deregistering,
        })
    }

    fn keys(&self, id: u16) -> Option<AccountKeys<'_>> {
        let (_, account) = self
            .security
            .iter()
            .find(|(_, account)| !account.is_bootstrap && account.short_server_id == Some(id))?;
        let sni = match account.sni.get(0) {
            Some((_, Value::String(name))) => Some(name),
            _ => None,
        };
        Some(AccountKeys {
            uri: account.server_uri.as_ref(),
            mode: account.security_mode,
            identity: account.identity.as_ref(),
            server_key: account.server_public_key.as_ref(),
            secret: account.secret_key.as_ref(),
            matching: account.matching_type,
            usage: account.certificate_usage,
            sni,
            extensions: account.tls_extensions,
            suites: &account.ciphersuites,
        })
    }

    fn connected(&mut self, now: Instant, id: u16, context: Context) {
        // The account was there a moment ago.
        let _ = Self::connected(self, now, id, context);
    }

    fn connection_failed(&mut self, now: Instant, id: u16, fault: ConnectionFault) {
        let _ = Self::connection_failed(self, now, id, fault);
    }

    fn connection_closed(&mut self, now: Instant, id: u16, fault: ConnectionFault) {
        let _ = Self::connection_closed(self, now, id, fault);
    }

    fn suspend(&mut self, now: Instant, id: u16) {
        if let Some(index) = self.position(id)
            && let Some(session) = self.sessions.get_mut(index)
            && session.connection == Connection::Up
        {
            session.interrupt(&mut self.shared, now);
        }
    }

    fn rebind(&mut self, now: Instant) {
        Self::rebind(self, now);
    }

    fn is_offline(&self) -> bool {
        Self::is_offline(self)
    }

    fn unix_seconds(&self, now: Instant) -> Option<u64> {
        Some((self.clock? + Duration::from_micros(now.as_micros())).as_secs())
    }
}

/// No address.
const UNSPECIFIED: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
