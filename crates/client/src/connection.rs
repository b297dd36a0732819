//! What the engine and a security layer below it agree on: when an association is wanted, when
//! there is one, and what the registration makes of it (Core 1.2 §6.2.1).

use dunlin_coap::Instant;
use dunlin_lwm2m::Version;

use crate::client::{Client, Event};
use crate::keys::Keys;
use crate::log::Log;
use crate::object::Objects;
use crate::objects::{Security, Server};
use crate::registration::{Failure, RegistrationState, Retry};
use crate::servers::AccountError;
use crate::session::{Session, Shared};

/// How a server is reached; see [`Account::connection`](crate::Account::connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Connection {
    /// Without security (`/0/x/2` is 3): nothing has to be set up.
    #[default]
    Plain,
    /// There is no association, and none is wanted: one that is left is to be closed.
    Down,
    /// There is something to say: an association is to be set up. [`Client::connected`] or
    /// [`Client::connection_failed`] tells the end of that.
    Wanted,
    /// The association stands.
    Up,
}

/// How an association came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// By a full handshake: a new security context. The device registers anew, unless the server
    /// is known to be of 1.2.1 or later, where an Update suffices.
    New,
    /// By a handshake that resumed a session: the context is the one of before. An Update tells the
    /// server where the device is.
    Resumed,
    /// By none: it was kept while the device slept.
    Kept,
}

/// Why there is no association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Nobody answered, or something happened to the association that may not happen again.
    Silent,
    /// The server sent this alert (RFC 5246 §7.2); `/1/x/11` keeps it.
    Alert(u8),
    /// The device refused the server, or cannot use its own credentials.
    Refused,
}

impl ConnectionFault {
    /// Whether trying again without other credentials is in vain: the alerts of the class "Fail"
    /// (Transport 1.2 §5.2.8).
    pub const fn is_lasting(self) -> bool {
        match self {
            Self::Silent => false,
            Self::Alert(number) => matches!(number, 42..=46 | 48 | 49 | 112..=115),
            Self::Refused => true,
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
    /// The security layer has set up the association that an account [wants](Connection::Wanted).
    /// Handle [`Input::Timer`](crate::Input::Timer) afterwards.
    pub fn connected(
        &mut self,
        now: Instant,
        id: u16,
        context: Context,
    ) -> Result<(), AccountError> {
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        let Some(session) = self.sessions.get_mut(index) else {
            return Err(AccountError::Unknown);
        };
        session.connection = Connection::Up;
        // A handshake shows that the server is there.
        session.is_fresh = context != Context::Kept;
        let version = session.version();
        let needs_register = context == Context::New
            && !self
                .shared
                .account(session.instance)
                .is_some_and(|account| outlives_context(account, version));
        if needs_register {
            session.registration.new_context(now);
        } else if context != Context::Kept {
            session.registration.update_soon(now);
        }
        self.shared.event(Event::Connected {
            server: id,
            context,
        });
        Ok(())
    }

    /// The association that an account wants could not be set up. The retry resources say when it
    /// is tried again (`/1/x/17` to `/1/x/20`): with [`Event::ConnectionFailed`] the account does
    /// not want it any more, and later it does.
    pub fn connection_failed(
        &mut self,
        now: Instant,
        id: u16,
        fault: ConnectionFault,
    ) -> Result<(), AccountError> {
        self.note_alert(id, fault)?;
        let session = self.session_mut(id)?;
        session.connection = Connection::Down;
        let instance = session.instance;
        let account = self.shared.account(instance);
        let retry = account.map_or_else(Retry::default, Server::retry);
        let may_bootstrap = account
            .and_then(|account| account.bootstrap_on_failure)
            .unwrap_or(true);
        let session = self.session_mut(id)?;
        let leaves = session.registration.is_leaving();
        let failure = session.registration.connection_failed(now, retry);
        let is_over = session.registration.state() == RegistrationState::Failed;
        if leaves {
            session.observations.clear();
            self.shared.event(Event::Deregistered { server: id });
            return Ok(());
        }
        self.shared.event(Event::ConnectionFailed {
            server: id,
            fault,
            retry_at: match failure {
                Failure::RetryAt(at) => Some(at),
                Failure::Again | Failure::Final => None,
            },
            bootstrap: may_bootstrap && (is_over || fault.is_lasting()),
        });
        Ok(())
    }

    /// The association is no more: the server closed it, or nothing that came was of it any more.
    /// What was on its way is repeated over the next one, which a device without queue mode wants
    /// at once.
    pub fn connection_closed(
        &mut self,
        now: Instant,
        id: u16,
        fault: ConnectionFault,
    ) -> Result<(), AccountError> {
        self.note_alert(id, fault)?;
        let is_sleepy = self.shared.config.queue_mode;
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        let Some(session) = self.sessions.get_mut(index) else {
            return Err(AccountError::Unknown);
        };
        if session.connection != Connection::Up {
            return Ok(());
        }
        session.interrupt(&mut self.shared, now);
        if !is_sleepy {
            session.registration.update_soon(now);
        }
        self.shared
            .event(Event::ConnectionClosed { server: id, fault });
        Ok(())
    }

    /// Keeps the last alert of a server in `/1/x/11`.
    fn note_alert(&mut self, id: u16, fault: ConnectionFault) -> Result<(), AccountError> {
        let account = self.server_of_mut_if(id, fault)?;
        if let (Some(account), ConnectionFault::Alert(number)) = (account, fault) {
            account.tls_alert_code = Some(number);
        }
        Ok(())
    }

    /// The account to be changed, where an alert is to be kept in it.
    fn server_of_mut_if(
        &mut self,
        id: u16,
        fault: ConnectionFault,
    ) -> Result<Option<&mut Server>, AccountError> {
        let index = self.position(id).ok_or(AccountError::Unknown)?;
        if !matches!(fault, ConnectionFault::Alert(_)) {
            return Ok(None);
        }
        let instance = self.sessions.get(index).map(|session| session.instance);
        Ok(instance.and_then(|instance| self.shared.tree.server.get_mut(instance)))
    }

    /// How the Security object says that a server is reached.
    pub(crate) fn connection_of(&self, id: u16) -> Connection {
        let account = self
            .security
            .iter()
            .find(|(_, account)| !account.is_bootstrap && account.short_server_id == Some(id));
        match account {
            Some((_, account)) if account.security_mode != Security::NO_SEC => Connection::Down,
            _ => Connection::Plain,
        }
    }
}

/// Whether a registration outlives a new security context: since 1.2.1 the standard asks for a
/// Register no more (CoAP; Core 1.2.1 §6.2.1). Only `/1/x/25` tells a patch level.
fn outlives_context(account: &Server, version: Version) -> bool {
    version >= Version::V1_2
        && account.supported_versions.as_ref().is_some_and(|versions| {
            versions.iter().any(|(_, text)| {
                let mut digits = text.split('.').map(|part| part.parse::<u8>().unwrap_or(0));
                let (major, minor) = (digits.next(), digits.next());
                let patch = digits.next().unwrap_or(0);
                (major, minor) == (Some(1), Some(2)) && patch >= 1
            })
        })
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Whether something can be sent to the server.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.connection, Connection::Plain | Connection::Up)
    }

    /// When nobody answers: unless a handshake was the last that was heard, the association may be
    /// gone at the server. A new one is tried before the message counts as lost.
    pub(crate) fn is_suspect(&self) -> bool {
        self.connection == Connection::Up
            && !self.is_fresh
            && self.registration.state() != RegistrationState::Deregistering
    }

    /// The association is gone, and what was on its way with it.
    pub(crate) fn interrupt<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        self.connection = Connection::Down;
        self.forget_fetching(shared);
        self.forget_exchanges();
        self.registration.interrupted(now);
    }

    /// Nobody answers on the association: what it was about is begun anew over the next one, with an
    /// Update where nothing else is to be said.
    pub(crate) fn abandon<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
    ) {
        self.interrupt(shared, now);
        self.registration.update_soon(now);
        let server = self.id(shared);
        shared.event(Event::ConnectionClosed {
            server,
            fault: ConnectionFault::Silent,
        });
    }

    /// Without an association: whether one is wanted from now on, because something is due.
    pub(crate) fn begin_to_want<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &Log<[u8]>,
        now: Instant,
    ) -> bool {
        if self.connection != Connection::Down {
            return false;
        }
        let mut is_due = self.registration.due(now).is_some();
        if self.registration.is_registered() && !is_due {
            self.evaluate(shared, now);
            let sends = self.next_send(shared, log);
            let notifies = self.next_notification(shared, log);
            is_due = sends.into_iter().chain(notifies).any(|at| at <= now);
        }
        if is_due {
            self.connection = Connection::Wanted;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_patch_level_shows_that_a_registration_outlives_a_context() {
        let account = |versions: &[&str]| Server {
            supported_versions: Some(
                (0..)
                    .zip(versions.iter().map(|text| crate::objects::text(text)))
                    .collect(),
            ),
            ..Server::default()
        };
        for (versions, version, outlives) in [
            (&["1.2.1"][..], Version::V1_2, true),
            (&["1.1", "1.2.2"], Version::V1_2, true),
            (&["1.2.1"], Version::V1_1, false),
            (&["1.2.0"], Version::V1_2, false),
            (&["1.2"], Version::V1_2, false),
            (&["1.1.1"], Version::V1_2, false),
            (&[], Version::V1_2, false),
        ] {
            assert_eq!(
                outlives_context(&account(versions), version),
                outlives,
                "{versions:?} {version}"
            );
        }
        assert!(!outlives_context(&Server::default(), Version::V1_2));
    }

    #[test]
    fn alerts_that_last() {
        let lasting: heapless::Vec<u8, 32> = (0..=u8::MAX)
            .filter(|number| ConnectionFault::Alert(*number).is_lasting())
            .collect();
        assert_eq!(lasting, [42, 43, 44, 45, 46, 48, 49, 112, 113, 114, 115]);
    }
}
