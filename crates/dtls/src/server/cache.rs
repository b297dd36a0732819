//! Sessions that can be resumed (RFC 5246 §F.1.4).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use dunlin_coap::Instant;

use crate::keys::MasterSecret;
use crate::{Identity, SessionId, Suite};

/// A session's name in the hellos.
pub(super) type Id = [u8; 32];

/// What a short handshake needs of the full one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) suite: Suite,
    pub(super) master: MasterSecret,
    pub(super) identity: Identity,
    pub(super) tag: u64,
    /// What it was last.
    pub(super) session: SessionId,
    /// The name that the server was asked for: it must be the same again (RFC 6066 §3).
    pub(super) server_name: Option<Box<str>>,
    pub(super) created: Instant,
}

/// All of them, bounded: the oldest goes.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Id, Entry>,
    /// In the order in which they came; may name some that are gone.
    order: VecDeque<Id>,
    limit: usize,
    lifetime: Duration,
}

impl Cache {
    pub(super) fn new(limit: usize, lifetime: Duration) -> Self {
        Self {
            limit,
            lifetime,
            ..Self::default()
        }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.limit > 0
    }

    pub(super) fn insert(&mut self, id: Id, entry: Entry) {
        while self.order.len() >= self.limit {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.entries.remove(&oldest);
        }
        if self.entries.insert(id, entry).is_none() {
            self.order.push_back(id);
        }
    }

    pub(super) fn find(&self, id: &[u8], now: Instant) -> Option<&Entry> {
        let id: &Id = id.try_into().ok()?;
        let entry = self.entries.get(id)?;
        (now < entry.created + self.lifetime).then_some(entry)
    }

    /// The session was last resumed as this one.
    pub(super) fn renew(&mut self, id: &[u8], session: SessionId) {
        if let Ok(id) = <&Id>::try_from(id)
            && let Some(entry) = self.entries.get_mut(id)
        {
            entry.session = session;
        }
    }

    /// A session that ended with a fatal alert is not resumed (RFC 5246 §7.2.2).
    pub(super) fn remove(&mut self, session: SessionId) {
        self.keep(|entry| entry.session != session);
    }

    /// The credential with this tag changed or is gone.
    pub(super) fn forget(&mut self, tag: u64) {
        self.keep(|entry| entry.tag != tag);
    }

    fn keep(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.entries.retain(|_, entry| keep(entry));
        let entries = &self.entries;
        self.order.retain(|id| entries.contains_key(id));
    }
}
