//! A store that commits in groups after a while, and forgets the rest when the server dies.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dunlin_coap::Instant;
use dunlin_server::api::QueuedOperation;
use dunlin_server::shard::{
    Persist, StoredAwakeTime, StoredRegistration, StoredSend, StoredValues, StoredWish,
};

struct Pending {
    at: Instant,
    shard: u16,
    sequence: u64,
    change: Persist,
}

/// Registrations, wishes and values that are on disk, and changes on their way there.
pub(crate) struct Store {
    pub(crate) registrations: BTreeMap<String, StoredRegistration>,
    pub(crate) wishes: BTreeMap<(String, u64), StoredWish>,
    pub(crate) values: BTreeMap<(String, u64), StoredValues>,
    pub(crate) sends: Vec<StoredSend>,
    pub(crate) operations: BTreeMap<u64, QueuedOperation>,
    pub(crate) awake_times: BTreeMap<String, StoredAwakeTime>,
    /// Of removed registrations: nothing older comes back.
    removed: BTreeMap<String, u64>,
    pending: VecDeque<Pending>,
    /// How long a commit takes.
    pub(crate) delay: Duration,
}

impl Store {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            registrations: BTreeMap::new(),
            wishes: BTreeMap::new(),
            values: BTreeMap::new(),
            sends: Vec::new(),
            operations: BTreeMap::new(),
            awake_times: BTreeMap::new(),
            removed: BTreeMap::new(),
            pending: VecDeque::new(),
            delay,
        }
    }

    pub(crate) fn persist(&mut self, now: Instant, shard: u16, sequence: u64, change: Persist) {
        self.pending.push_back(Pending {
            at: now + self.delay,
            shard,
            sequence,
            change,
        });
    }

    pub(crate) fn next_commit(&self) -> Option<Instant> {
        self.pending.front().map(|pending| pending.at)
    }

    /// Commits what is due, as one group; returns how far each shard's changes are on disk.
    pub(crate) fn commit(&mut self, now: Instant) -> BTreeMap<u16, u64> {
        let mut through = BTreeMap::new();
        while self.next_commit().is_some_and(|at| at <= now) {
            let Some(pending) = self.pending.pop_front() else {
                break;
            };
            through.insert(pending.shard, pending.sequence);
            self.apply(pending.change);
        }
        through
    }

    fn apply(&mut self, change: Persist) {
        match change {
            Persist::Registration(new) => {
                let removed = self.removed.get(&new.endpoint);
                let stored = self.registrations.get(&new.endpoint);
                if removed.is_some_and(|epoch| new.epoch <= *epoch)
                    || stored.is_some_and(|stored| new.epoch < stored.epoch)
                {
                    return;
                }
                self.registrations.insert(new.endpoint.clone(), new);
            }
            Persist::RemoveRegistration { endpoint, epoch } => {
                let removed = self.removed.entry(endpoint.clone()).or_insert(epoch);
                *removed = epoch.max(*removed);
                if let Some(stored) = self.registrations.get(&endpoint)
                    && stored.epoch <= epoch
                {
                    self.registrations.remove(&endpoint);
                }
            }
            Persist::Wish(wish) => {
                self.wishes.insert((wish.endpoint.clone(), wish.id), wish);
            }
            Persist::RemoveWish { endpoint, id } => {
                self.wishes.remove(&(endpoint.clone(), id));
                self.values.remove(&(endpoint, id));
            }
            Persist::Operation(new) => {
                let stored = self.operations.get(&new.id);
                if stored.is_none_or(|stored| stored.revision() < new.revision()) {
                    self.operations.insert(new.id, QueuedOperation::clone(&new));
                }
            }
            Persist::RemoveOperation(id) => {
                self.operations.remove(&id);
            }
            // No device of the pair names a profile.
            Persist::Profile { .. }
            | Persist::RemoveProfile { .. }
            | Persist::Session(_)
            | Persist::RemoveSession { .. } => {}
            Persist::Send(new) => self.sends.push(new),
            Persist::RemoveSends { endpoint, through } => self
                .sends
                .retain(|kept| kept.endpoint != endpoint || kept.sent.id > through),
            Persist::AwakeTime(new) => {
                self.awake_times.insert(new.endpoint.clone(), new);
            }
            Persist::Values(values) => {
                let key = (values.endpoint.clone(), values.wish);
                if self.wishes.contains_key(&key) {
                    self.values.insert(key, values);
                }
            }
        }
    }

    /// The server dies: what was not committed never was.
    pub(crate) fn crash(&mut self) {
        self.pending.clear();
    }
}
