//! The accounts of several servers: each an instance of the Security and of the Server object with
//! the same Short Server ID.

use core::fmt;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};

use crate::access;
use crate::account::Account;
use crate::client::Client;
use crate::keys::Keys;
use crate::log::State;
use crate::object::Objects;
use crate::objects::{Security, Server};
use crate::outbox::settle_first;
use crate::session::Session;

/// Why a server cannot be added or connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// Every one of the `SERVERS` places is taken.
    Full,
    /// A Short Server ID is 1 to 65534, and each account has one of its own.
    Id,
    /// There is no account with this Short Server ID.
    Unknown,
    /// The last account stays: a client without a server is one to be made anew.
    Last,
    /// Another account is connected to this address. Without security nothing but the address tells
    /// whose request a datagram is.
    Address,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "all places for servers are taken",
            Self::Id => "a Short Server ID is 1 to 65534, and each server has one of its own",
            Self::Last => "the last server cannot be removed",
            Self::Unknown => "there is no server with this Short Server ID",
            Self::Address => "another server has this address",
        })
    }
}

impl core::error::Error for AccountError {}

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
    /// Adds the account of a further server: an instance of the Server object, and one of the
    /// Security object with the same Short Server ID. [`Client::connect_to`] begins.
    pub fn add_server(&mut self, server: Server, rng: &mut dyn Rng) -> Result<(), AccountError> {
        let id = server.short_server_id;
        if !(1..u16::MAX).contains(&id) || self.account(id).is_some() {
            return Err(AccountError::Id);
        }
        let security = Security {
            short_server_id: Some(id),
            ..Security::default()
        };
        let tree = &mut self.shared.tree;
        let (instance, security_instance) = (tree.server.free_id(), self.security.free_id());
        let session = Session::new(instance, &self.shared.config, BODY, rng);
        self.sessions
            .push(session)
            .map_err(|_| AccountError::Full)?;
        let _has_room = tree.server.insert(instance, server);
        let _has_room = self.security.insert(security_instance, security);
        Ok(())
    }

    /// Removes an account, without a word to the server: its instances of the Security and Server
    /// objects, its observations and attributes, its entries in the Access Control object, and the
    /// instances that it alone could access (Transport 1.2 §5.2.5). What it owned and others may
    /// access gets a new owner. Call [`Client::deregister_from`] before, to take leave.
    pub fn remove_server(&mut self, id: u16) -> Result<(), AccountError> {
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        if self.sessions.len() == 1 {
            return Err(AccountError::Last);
        }
        let session = self.sessions.remove(index);
        let tree = &mut self.shared.tree;
        tree.server.remove(session.instance);
        let security = self
            .security
            .iter()
            .find(|(_, security)| !security.is_bootstrap && security.short_server_id == Some(id))
            .map(|(instance, _)| instance);
        if let Some(instance) = security {
            self.security.remove(instance);
        }
        access::forget_server(tree, id);
        let log = self.log.as_slice_mut();
        settle_first(
            log,
            usize::MAX,
            &|head| head.server == id,
            State::Dropped,
            0,
        );
        if self.out_to == session.address {
            self.shared.out_length = 0;
        }
        // Another account may get these ids.
        self.shared.rendered = None;
        self.body_of = u16::MAX;
        Ok(())
    }

    /// The same for any account. Two accounts cannot have the same address.
    ///
    /// Unless the Security object says NoSec nothing is sent before a security layer has told
    /// [`Client::connected`]; [`Account::connection`] tells when it is wanted.
    pub fn connect_to(
        &mut self,
        now: Instant,
        id: u16,
        server: SocketAddr,
    ) -> Result<(), AccountError> {
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        let is_taken = self
            .sessions
            .iter()
            .enumerate()
            .any(|(other, session)| other != index && session.address == Some(server));
        if is_taken {
            return Err(AccountError::Address);
        }
        self.shared.is_offline = false;
        let connection = self.connection_of(id);
        if let Some(session) = self.sessions.get_mut(index) {
            session.forget_fetching(&mut self.shared);
            session.connect(now, server, connection);
        }
        Ok(())
    }

    /// De-registers from one server.
    pub fn deregister_from(&mut self, id: u16) -> Result<(), AccountError> {
        let session = self.session_mut(id)?;
        session.registration.deregister_soon();
        Ok(())
    }

    /// Sends an Update to one server.
    pub fn update_at(&mut self, now: Instant, id: u16) -> Result<(), AccountError> {
        self.session_mut(id)?.registration.update_soon(now);
        Ok(())
    }

    /// An account's instance of the Server object, to be changed. The Short Server ID stays as it
    /// is: it also stands in the Security object.
    pub fn server_of_mut(&mut self, id: u16) -> Option<&mut Server> {
        let instance = self.sessions.get(self.position(id)?)?.instance;
        self.shared.tree.server.get_mut(instance)
    }

    /// An account's instance of the Security object.
    pub fn security_of_mut(&mut self, id: u16) -> Option<&mut Security<K>> {
        let instance = self
            .security
            .iter()
            .find(|(_, security)| !security.is_bootstrap && security.short_server_id == Some(id))
            .map(|(instance, _)| instance)?;
        self.security.get_mut(instance)
    }

    /// Puts what the factory knows of a server into its account: URI, security mode, keys.
    pub fn provision(&mut self, id: u16, security: Security<K>) -> Result<(), AccountError> {
        let account = self.security_of_mut(id).ok_or(AccountError::Unknown)?;
        *account = Security {
            short_server_id: Some(id),
            is_bootstrap: false,
            ..security
        };
        Ok(())
    }

    /// How things stand with a server; `None` for an unknown Short Server ID.
    pub fn account(&self, id: u16) -> Option<Account<'_>> {
        self.accounts()
            .find(|account| account.short_server_id() == id)
    }

    /// How things stand with each server.
    pub fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.sessions.iter().filter_map(|session| {
            Some(Account {
                server: self.shared.account(session.instance)?,
                address: session.address,
                connection: session.connection,
                registration: &session.registration,
                watches: session.observations.all(),
            })
        })
    }

    /// The place of a server's session.
    pub(crate) fn position(&self, id: u16) -> Option<usize> {
        self.sessions
            .iter()
            .position(|session| session.id(&self.shared) == id)
    }

    pub(crate) fn session_mut(
        &mut self,
        id: u16,
    ) -> Result<&mut Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>, AccountError> {
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        self.sessions.get_mut(index).ok_or(AccountError::Unknown)
    }
}
