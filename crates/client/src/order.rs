//! The order in which servers are registered with (Core 1.2 §6.2.1.1).

use core::time::Duration;

use dunlin_coap::Instant;

use crate::client::Client;
use crate::keys::Keys;
use crate::object::Objects;
use crate::registration::RegistrationState;

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
    /// The place of a server in the order; `None` for one that is independent. Servers of the same
    /// priority follow as their accounts do.
    fn place(&self, index: usize) -> Option<(u32, usize)> {
        let session = self.sessions.get(index)?;
        let priority = self.shared.account(session.instance)?.priority?;
        Some((priority, index))
    }

    /// Whether a server that waits for its turn may begin: those before it have succeeded, or
    /// failed without blocking the rest (`/1/x/15`).
    pub(crate) fn is_turn_of(&self, index: usize) -> bool {
        let waits = self
            .sessions
            .get(index)
            .is_some_and(|session| session.registration.awaits_turn());
        if !waits {
            return false;
        }
        let Some(place) = self.place(index) else {
            return true;
        };
        self.sessions.iter().enumerate().all(|(other, session)| {
            let is_before = self.place(other).is_some_and(|other| other < place);
            let has_failed = session.registration.state() == RegistrationState::Failed;
            let blocks = has_failed
                && self
                    .shared
                    .account(session.instance)
                    .and_then(|account| account.failure_block)
                    .unwrap_or(false);
            !is_before || (session.registration.is_settled() && !blocks)
        })
    }

    /// Lets those begin whose turn it is, after their initial delay (`/1/x/14`).
    pub(crate) fn take_turns(&mut self, now: Instant) {
        for index in 0..self.sessions.len() {
            if !self.is_turn_of(index) {
                continue;
            }
            if let Some(session) = self.sessions.get_mut(index) {
                let delay = self
                    .shared
                    .account(session.instance)
                    .and_then(|account| account.initial_delay)
                    .filter(|_| !session.registration.has_succeeded())
                    .unwrap_or(0);
                session
                    .registration
                    .begin(now, Duration::from_secs(u64::from(delay)));
            }
        }
    }
}
