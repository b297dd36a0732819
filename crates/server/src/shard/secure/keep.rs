//! Sessions outlive the process.
//!
//! A session is stored once, when its handshake is complete, and again when its address changes or
//! its sequence numbers run out; never for each record. An export claims [`RESERVE`] numbers, and a
//! session sends within the stored claim alone, so that no number is used twice whenever the process
//! dies; a claim counts once it is on disk. The changes of a shard are on disk in their order: what
//! a device was told is there only after the session that it was told in.

use core::fmt;

use dunlin_coap::Instant;
use dunlin_dtls::{Export, Secret, SessionId};
use zeroize::Zeroizing;

use super::super::io::{Persist, StoredRegistration};
use super::Shard;

/// Sequence numbers that an export claims.
const RESERVE: u32 = 65_536;
/// Numbers of the claim before that may be used while the next is on its way to the store: fewer than
/// are left of it when the next is asked for.
const MEANWHILE: u32 = 8192;
/// Bytes of an export at most.
const EXPORT: usize = 512;

/// A claim of sequence numbers that is on its way to the store.
#[derive(Debug)]
pub(super) struct Claim {
    stored_with: u64,
    /// Records that may still be sent without it.
    pub(super) left: u32,
}

/// A session as it is stored. The runtime encrypts `export` on its way to the store.
#[derive(Clone)]
pub struct StoredSession {
    /// The shard that owns it.
    pub shard: u16,
    /// Its name there.
    pub session: SessionId,
    /// The endpoint name in its certificate, if the credential stands for many devices.
    pub certified: Option<String>,
    /// Keys, sequence numbers, address.
    pub export: Secret,
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("shard", &self.shard)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl PartialEq for StoredSession {
    fn eq(&self, other: &Self) -> bool {
        self.shard == other.shard
            && self.session == other.session
            && self.certified == other.certified
            && self.export.expose() == other.export.expose()
    }
}

impl Shard {
    /// Stores a session as it is now, with room to go on.
    pub(super) fn keep_session(&mut self, session: SessionId) {
        let Some(stored) = self.export(session, Export::Reserve(RESERVE)) else {
            return;
        };
        self.persist(Persist::Session(stored));
        let claimed = self.sequence;
        if let (Some(secure), true) = (&mut self.secure, self.config.durable) {
            let claim = secure.claims.entry(session).or_insert(Claim {
                stored_with: claimed,
                left: MEANWHILE,
            });
            claim.stored_with = claimed;
        }
    }

    /// What was persisted up to this is on disk.
    pub(in super::super) fn claims_stored(&mut self, durable: u64) {
        if let Some(secure) = &mut self.secure
            && !secure.claims.is_empty()
        {
            secure.claims.retain(|_, claim| claim.stored_with > durable);
        }
    }

    fn export(&mut self, session: SessionId, how: Export) -> Option<StoredSession> {
        let secure = self.secure.as_mut().filter(|_| self.config.stored)?;
        // Long enough for an export of any suite: nothing of it is left where it grew.
        let mut bytes = Zeroizing::new(Vec::with_capacity(EXPORT));
        secure
            .server
            .export(session, how, &mut bytes)
            .then(|| StoredSession {
                shard: self.config.index,
                session,
                certified: secure.certified.get(&session).map(ToString::to_string),
                export: Secret::new(&bytes),
            })
    }

    /// Where a device was heard last whose session does not go on.
    pub(in super::super) fn remember_place(&mut self, stored: &StoredRegistration) {
        if let (Some(session), Some(secure)) = (stored.session, &mut self.secure)
            && secure.server.address(session).is_none()
        {
            secure.left.insert(session, stored.address);
        }
    }

    /// The server ends in order: every session is stored exactly as it is, and goes on from there
    /// after the next start without having to prove anything. Nothing is sent in any of them
    /// afterwards.
    pub fn leave(&mut self) {
        let Some(secure) = &self.secure else {
            return;
        };
        for session in secure.server.ids().collect::<Vec<_>>() {
            if let Some(stored) = self.export(session, Export::Final) {
                self.persist(Persist::Session(stored));
            }
        }
    }

    /// Puts a stored session back at start, before the registrations. Returns it as it is to be stored
    /// now, with numbers that were never used: nothing may be sent before that is on disk. `None`
    /// when it cannot go on: it is of another number of shards, or its credential is gone.
    pub fn restore_session(
        &mut self,
        now: Instant,
        stored: &StoredSession,
    ) -> Option<StoredSession> {
        if stored.shard != self.config.index {
            return None;
        }
        let secure = self.secure.as_mut()?;
        let session = secure.server.import(now, stored.export.expose()).ok()?;
        let credential = secure.server.tag(session)?;
        if !self.config.access.is_current(credential) {
            secure
                .server
                .export(session, Export::Final, &mut Zeroizing::new(Vec::new()));
            return None;
        }
        if let Some(certified) = &stored.certified {
            secure.certified.insert(session, certified.as_str().into());
        }
        self.export(session, Export::Reserve(RESERVE))
    }
}
