//! The association with one server: how it begins, goes on, is kept and ends.

use alloc::vec::Vec;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    ClientConfig, ClientInput, ClientOutput, ClientOutputs, Reason, Resumption, Suite,
};
use zeroize::Zeroizing;

use super::credentials::CredentialError;
use super::packets::Packets;
use super::storage::{Record, SessionStorage};
use crate::connection::{ConnectionFault, Context};
use crate::send::StorageError;

/// Records that may be sent before their numbers must have been claimed.
const MARGIN: u32 = 8;

/// Where an association stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Handshake,
    Up,
}

/// What came of an input, besides datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Connected(Context),
    /// The handshake failed, or the association ended.
    Ended(ConnectionFault),
}

/// What waits on both sides of the links.
#[derive(Debug)]
pub(super) struct Waiting {
    /// For the network.
    pub(super) out: Packets<SocketAddr>,
    /// For the engine.
    pub(super) incoming: Packets<SocketAddr>,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u16,
    pub(super) address: SocketAddr,
    pub(super) stage: Stage,
    /// How the association came about.
    pub(super) context: Context,
    pub(super) problem: Option<CredentialError>,
    pub(super) ended: Option<Reason>,
    dtls: Option<dunlin_dtls::Client>,
    resumption: Option<Resumption>,
    fingerprint: Vec<u8>,
    /// Records sent since numbers were claimed.
    sent: u32,
    /// Whether what the server sends cannot be a record of before a crash.
    is_proven: bool,
}

impl Link {
    pub(super) fn new(id: u16, address: SocketAddr) -> Self {
        Self {
            id,
            address,
            stage: Stage::Idle,
            context: Context::New,
            problem: None,
            ended: None,
            dtls: None,
            resumption: None,
            fingerprint: Vec::new(),
            sent: 0,
            is_proven: true,
        }
    }

    /// Begins: with an association that was kept, else by resuming a session, else by a full
    /// handshake.
    pub(super) fn start(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        storage: &mut dyn SessionStorage,
        waiting: &mut Waiting,
        plan: &Plan<'_>,
    ) -> Option<News> {
        let was_up = self.stage == Stage::Up;
        self.forget_association();
        self.problem = None;
        if self.fingerprint != plan.fingerprint {
            self.resumption = None;
            self.fingerprint.clone_from(&plan.fingerprint);
        }
        if !was_up && self.wake(storage, plan) {
            return Some(News::Connected(Context::Kept));
        }
        let config = match (plan.config)() {
            Ok(config) => config,
            Err(problem) => {
                self.problem = Some(problem);
                return Some(News::Ended(ConnectionFault::Refused));
            }
        };
        // An association of before is not to be found after a crash.
        let _is_repeated_later = self.save(storage, &[], true);
        self.is_proven = true;
        self.stage = Stage::Handshake;
        let dtls = self.dtls.insert(dunlin_dtls::Client::new(config));
        let outputs = dtls.connect(now, self.resumption.as_ref(), rng);
        let found = drain(outputs, self.address, waiting);
        self.settle(found, storage, plan.claim)
    }

    /// Goes on with what is stored; `false` when nothing is, or it cannot be used.
    ///
    /// What a crash left does not know which records came last, so they could be played again. Only
    /// a device that is not registered goes on with it: until the answer to its Register the engine
    /// serves nobody (Core 1.2 §6.2.1), and by then the window is closed up to there.
    fn wake(&mut self, storage: &mut dyn SessionStorage, plan: &Plan<'_>) -> bool {
        let stored = storage.load(self.id).ok().flatten().map(Zeroizing::new);
        let record = stored
            .as_ref()
            .and_then(|stored| Record::read(stored))
            .filter(|record| record.fingerprint == self.fingerprint);
        let Some(record) = record else {
            return false;
        };
        if let Ok(resumption) = Resumption::from_bytes(record.resumption) {
            self.resumption = Some(resumption);
        }
        if record.association.is_empty() || (!record.is_exact && plan.is_registered) {
            return false;
        }
        let Ok(config) = (plan.config)() else {
            return false;
        };
        let Ok(dtls) = dunlin_dtls::Client::import(config, record.association) else {
            return false;
        };
        self.dtls = Some(dtls);
        // Nothing is sent before its number is claimed.
        if self.claim(storage, plan.claim).is_err() {
            self.forget_association();
            return false;
        }
        self.is_proven = record.is_exact;
        self.stage = Stage::Up;
        self.context = Context::Kept;
        true
    }

    /// Tells the association what happened.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        storage: &mut dyn SessionStorage,
        waiting: &mut Waiting,
        input: ClientInput<'_>,
        claim: u32,
    ) -> Option<News> {
        if self.stage == Stage::Up
            && self.sent.saturating_add(MARGIN) >= claim
            && self.claim(storage, claim).is_err()
        {
            // Without a claim a crash could use a number twice: other keys are needed.
            self.forget_association();
            return Some(News::Ended(ConnectionFault::Silent));
        }
        let dtls = self.dtls.as_mut()?;
        let found = drain(dtls.handle(now, input, rng), self.address, waiting);
        if !self.is_proven {
            dtls.close_window();
        }
        self.settle(found, storage, claim)
    }

    /// Takes in what came of an input.
    fn settle(
        &mut self,
        found: Found,
        storage: &mut dyn SessionStorage,
        claim: u32,
    ) -> Option<News> {
        self.sent = self.sent.saturating_add(found.sent);
        if let Some(reason) = found.closed {
            self.ended = Some(reason);
            let fault = match reason {
                Reason::AlertReceived(alert) => ConnectionFault::Alert(alert.number()),
                // The server is not the one, or cannot do what is wanted.
                Reason::AlertSent(_) => ConnectionFault::Refused,
                _ => ConnectionFault::Silent,
            };
            if matches!(reason, Reason::AlertReceived(_) | Reason::AlertSent(_)) {
                // A session that ended with a fatal alert is not resumed (RFC 5246 §7.2.2).
                self.resumption = None;
            }
            self.forget_association();
            let _is_repeated_later = self.save(storage, &[], true);
            return Some(News::Ended(fault));
        }
        let resumed = found.connected?;
        let dtls = self.dtls.as_mut()?;
        self.resumption = dtls.resumption();
        self.stage = Stage::Up;
        self.ended = None;
        self.context = if resumed {
            Context::Resumed
        } else {
            Context::New
        };
        // Where it cannot be stored, nothing of these keys is there after a crash either.
        let _is_repeated_later = self.claim(storage, claim);
        Some(News::Connected(self.context))
    }

    /// The device is registered: what answered it is no record of before a crash.
    pub(super) fn prove(&mut self) {
        self.is_proven = true;
    }

    /// Stores the association as it will stand `claim` records later, so that after a crash it goes
    /// on with numbers that were not used.
    fn claim(&mut self, storage: &mut dyn SessionStorage, claim: u32) -> Result<(), StorageError> {
        let Some(dtls) = self.dtls.as_mut() else {
            return Ok(());
        };
        let association = dtls.reserve(claim).map(Zeroizing::new);
        self.sent = 0;
        let association = association.as_ref().map_or(&[][..], |bytes| bytes);
        self.save(storage, association, false)
    }

    /// Stores the association exactly as it is, and ends it here: for a sleep in which the memory is
    /// lost.
    pub(super) fn sleep(&mut self, storage: &mut dyn SessionStorage) -> Result<(), StorageError> {
        let exported = self.dtls.as_mut().and_then(dunlin_dtls::Client::export);
        let exported = exported.map(Zeroizing::new);
        let was_up = self.stage == Stage::Up;
        self.forget_association();
        match exported {
            Some(association) if was_up => self.save(storage, &association, true),
            _ => Ok(()),
        }
    }

    fn save(
        &self,
        storage: &mut dyn SessionStorage,
        association: &[u8],
        is_exact: bool,
    ) -> Result<(), StorageError> {
        let resumption = self.resumption.as_ref().map(Resumption::to_bytes);
        let resumption = resumption.map(Zeroizing::new);
        let resumption = resumption.as_ref().map_or(&[][..], |bytes| bytes);
        if association.is_empty() && resumption.is_empty() {
            return storage.erase(self.id);
        }
        let record = Record {
            fingerprint: &self.fingerprint,
            is_exact,
            association,
            resumption,
        };
        storage.save(self.id, &record.write())
    }

    /// Closes the association (close_notify); what resumes it stays.
    pub(super) fn close(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        storage: &mut dyn SessionStorage,
        waiting: &mut Waiting,
    ) {
        if let Some(dtls) = self.dtls.as_mut() {
            let _is_wanted = drain(
                dtls.handle(now, ClientInput::Close, rng),
                self.address,
                waiting,
            );
        }
        self.forget_association();
        let _is_repeated_later = self.save(storage, &[], true);
    }

    /// Drops the association without a word.
    pub(super) fn forget_association(&mut self) {
        self.dtls = None;
        self.stage = Stage::Idle;
        self.sent = 0;
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.dtls.as_ref()?.next_timeout()
    }

    /// Whether the session outlives a change of the device's address.
    pub(super) fn has_connection_id(&self) -> bool {
        self.dtls
            .as_ref()
            .is_some_and(dunlin_dtls::Client::has_connection_id)
    }

    pub(super) fn suite(&self) -> Option<Suite> {
        self.dtls.as_ref()?.suite()
    }

    pub(super) fn can_resume(&self) -> bool {
        self.resumption.is_some()
    }
}

/// What a start needs to know.
pub(super) struct Plan<'a> {
    pub(super) config: &'a dyn Fn() -> Result<ClientConfig, CredentialError>,
    pub(super) fingerprint: Vec<u8>,
    pub(super) is_registered: bool,
    /// Numbers to claim at a time.
    pub(super) claim: u32,
}

/// What an input led to.
struct Found {
    connected: Option<bool>,
    closed: Option<Reason>,
    sent: u32,
}

/// Takes every output; datagrams and data go where they wait.
fn drain(mut outputs: ClientOutputs<'_>, address: SocketAddr, waiting: &mut Waiting) -> Found {
    let mut found = Found {
        connected: None,
        closed: None,
        sent: 0,
    };
    while let Some(output) = outputs.next() {
        match output {
            ClientOutput::Transmit(bytes) => {
                found.sent += 1;
                waiting.out.push(address, bytes);
            }
            ClientOutput::Data(bytes) => waiting.incoming.push(address, bytes),
            ClientOutput::Connected { resumed } => found.connected = Some(resumed),
            ClientOutput::Closed(reason) => found.closed = Some(reason),
        }
    }
    found
}
