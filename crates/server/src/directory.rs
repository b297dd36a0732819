//! Which shard holds which endpoint, what is wished for and what is queued: shared by all shards.
//!
//! A shard asks here when a registration begins or ends and when a wish changes, never while data
//! flows. Locks are striped by endpoint and held for a few writes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_lwm2m::OwnedRecord;
use hashbrown::HashTable;

use crate::api::Observed;
use crate::operations::Operations;
use crate::profiles::Profiles;

const STRIPES: usize = 64;

/// Shared by all shards of a server: one endpoint has one registration, whichever shard it
/// arrives at.
#[derive(Debug)]
pub struct Directory {
    shards: u16,
    seed: u64,
    epoch: AtomicU64,
    wish: AtomicU64,
    send: AtomicU64,
    profiles: Profiles,
    wishes: AtomicUsize,
    stripes: Box<[Mutex<Stripe>]>,
    operations: Operations,
}

#[derive(Debug, Default)]
struct Stripe {
    holders: HashTable<Holder>,
    wishes: HashMap<Box<str>, Vec<KeptWish>>,
}

/// Sixteen bytes a device. The name is known by its keyed 64-bit hash only; two of a million
/// endpoints share one with a probability of 3 in 10^8, and then only commands go astray.
#[derive(Clone, Copy, Debug)]
struct Holder {
    hash: u64,
    /// Epoch, whether the registration is over DTLS, and the shard in the low 16 bits.
    epoch_and_shard: u64,
}

impl Holder {
    fn new(hash: u64, epoch: u64, shard: u16, secure: bool) -> Self {
        Self {
            hash,
            epoch_and_shard: epoch << 17 | u64::from(secure) << 16 | u64::from(shard),
        }
    }

    fn is_secure(self) -> bool {
        self.epoch_and_shard >> 16 & 1 == 1
    }

    fn epoch(self) -> u64 {
        self.epoch_and_shard >> 17
    }

    fn shard(self) -> u16 {
        self.epoch_and_shard as u16
    }
}

/// A wish as the directory keeps it, with the last values known when the device went away.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptWish {
    pub(crate) id: u64,
    pub(crate) observed: Observed,
    pub(crate) records: Vec<OwnedRecord>,
    pub(crate) updated_at: Option<f64>,
}

/// What a shard learns when it claims an endpoint.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) epoch: u64,
    /// Another shard that held it so far.
    pub(crate) previous: Option<u16>,
    pub(crate) wishes: Vec<KeptWish>,
}

impl Directory {
    /// An empty directory for so many shards (at least one); `seed` is random and keys the hash of
    /// the endpoint names.
    pub fn new(shards: u16, seed: u64) -> Self {
        Self {
            shards: shards.max(1),
            seed,
            epoch: AtomicU64::new(1),
            wish: AtomicU64::new(1),
            wishes: AtomicUsize::new(0),
            send: AtomicU64::new(1),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            operations: Operations::new(seed),
            profiles: Profiles::default(),
        }
    }

    /// The shard that commands about an endpoint go to: the one that holds its registration, or
    /// always the same one while it is away.
    pub fn home(&self, endpoint: &str) -> u16 {
        let hash = self.hash(endpoint);
        let held = find(&self.stripe(hash).holders, hash).map(Holder::shard);
        held.filter(|shard| *shard < self.shards)
            .unwrap_or((hash >> 32) as u16 % self.shards)
    }

    /// Takes an endpoint for a shard, with a registration over DTLS or without security.
    pub(crate) fn claim(&self, endpoint: &str, shard: u16, secure: bool) -> Claim {
        let hash = self.hash(endpoint);
        let mut stripe = self.stripe(hash);
        // Drawn under the lock, so that epochs of one endpoint grow in the order of its claims.
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let previous = stripe.hold(Holder::new(hash, epoch, shard, secure));
        Claim {
            epoch,
            previous: previous.map(Holder::shard).filter(|held| *held != shard),
            wishes: stripe.wishes.get(endpoint).cloned().unwrap_or_default(),
        }
    }

    /// Puts a stored registration back; false when a newer one is held already.
    pub(crate) fn restore(&self, endpoint: &str, shard: u16, epoch: u64, secure: bool) -> bool {
        self.epoch.fetch_max(epoch + 1, Ordering::Relaxed);
        let hash = self.hash(endpoint);
        let mut stripe = self.stripe(hash);
        if find(&stripe.holders, hash).is_some_and(|held| held.epoch() > epoch) {
            return false;
        }
        stripe.hold(Holder::new(hash, epoch, shard, secure));
        true
    }

    /// Whether an endpoint is registered over DTLS.
    pub(crate) fn is_secure(&self, endpoint: &str) -> bool {
        let hash = self.hash(endpoint);
        find(&self.stripe(hash).holders, hash).is_some_and(Holder::is_secure)
    }

    /// A registration that a shard holds is over DTLS from now on.
    pub(crate) fn secure(&self, endpoint: &str, shard: u16) {
        let hash = self.hash(endpoint);
        let mut stripe = self.stripe(hash);
        if let Some(held) = find(&stripe.holders, hash).filter(|held| held.shard() == shard) {
            stripe.hold(Holder::new(hash, held.epoch(), shard, true));
        }
    }

    /// The epoch under which a shard holds an endpoint, if it does.
    pub(crate) fn epoch(&self, endpoint: &str, shard: u16) -> Option<u64> {
        let hash = self.hash(endpoint);
        find(&self.stripe(hash).holders, hash)
            .filter(|held| held.shard() == shard)
            .map(Holder::epoch)
    }

    /// Lets go of an endpoint if the shard still holds it; returns the epoch then.
    pub(crate) fn release(&self, endpoint: &str, shard: u16) -> Option<u64> {
        let hash = self.hash(endpoint);
        let mut stripe = self.stripe(hash);
        let entry = stripe
            .holders
            .find_entry(hash, |held| held.hash == hash && held.shard() == shard)
            .ok()?;
        Some(entry.remove().0.epoch())
    }

    /// The queues of operations of all devices.
    pub(crate) fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Whether an endpoint is registered, or anything is wished, queued or said about it.
    pub(crate) fn knows(&self, endpoint: &str) -> bool {
        let hash = self.hash(endpoint);
        let known = {
            let stripe = self.stripe(hash);
            find(&stripe.holders, hash).is_some() || stripe.wishes.contains_key(endpoint)
        };
        known || self.operations.knows(endpoint)
    }

    /// What Profile IDs stand for.
    pub(crate) fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// A number for a Send that no other has.
    pub(crate) fn next_send(&self) -> u64 {
        self.send.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a stored Send is not given again.
    pub(crate) fn restore_send(&self, id: u64) {
        self.send.fetch_max(id + 1, Ordering::Relaxed);
    }

    /// The wishes for an endpoint; none is an empty list.
    pub(crate) fn wishes(&self, endpoint: &str) -> Vec<KeptWish> {
        let stripe = self.stripe(self.hash(endpoint));
        stripe.wishes.get(endpoint).cloned().unwrap_or_default()
    }

    /// Adds a wish unless there are `limit` for this endpoint already, or `limit_of_all`.
    pub(crate) fn add_wish(
        &self,
        endpoint: &str,
        observed: Observed,
        limit: usize,
        limit_of_all: usize,
    ) -> Option<KeptWish> {
        let mut stripe = self.stripe(self.hash(endpoint));
        let count = stripe.wishes.get(endpoint).map_or(0, Vec::len);
        if count >= limit || self.wishes.load(Ordering::Relaxed) >= limit_of_all {
            return None;
        }
        self.wishes.fetch_add(1, Ordering::Relaxed);
        let wishes = stripe.wishes.entry(endpoint.into()).or_default();
        let wish = KeptWish {
            id: self.wish.fetch_add(1, Ordering::Relaxed),
            observed,
            records: Vec::new(),
            updated_at: None,
        };
        wishes.push(wish.clone());
        Some(wish)
    }

    /// Puts a stored wish back.
    pub(crate) fn restore_wish(&self, endpoint: &str, wish: KeptWish) {
        self.wish.fetch_max(wish.id + 1, Ordering::Relaxed);
        let mut stripe = self.stripe(self.hash(endpoint));
        let wishes = stripe.wishes.entry(endpoint.into()).or_default();
        match wishes.iter_mut().find(|kept| kept.id == wish.id) {
            Some(kept) => *kept = wish,
            None => {
                self.wishes.fetch_add(1, Ordering::Relaxed);
                wishes.push(wish);
            }
        }
    }

    /// Removes a wish; whether it was there.
    pub(crate) fn remove_wish(&self, endpoint: &str, id: u64) -> bool {
        let mut stripe = self.stripe(self.hash(endpoint));
        let Some(wishes) = stripe.wishes.get_mut(endpoint) else {
            return false;
        };
        let before = wishes.len();
        wishes.retain(|wish| wish.id != id);
        let removed = wishes.len() < before;
        if removed {
            self.wishes.fetch_sub(1, Ordering::Relaxed);
        }
        if wishes.is_empty() {
            stripe.wishes.remove(endpoint);
        }
        removed
    }

    /// Keeps the last values of a wish, unless newer ones are kept; whether the wish exists.
    pub(crate) fn keep_values(
        &self,
        endpoint: &str,
        id: u64,
        records: Vec<OwnedRecord>,
        updated_at: f64,
    ) -> bool {
        let mut stripe = self.stripe(self.hash(endpoint));
        let wish = stripe
            .wishes
            .get_mut(endpoint)
            .and_then(|wishes| wishes.iter_mut().find(|wish| wish.id == id));
        let Some(wish) = wish else { return false };
        if wish.updated_at.is_none_or(|kept| kept <= updated_at) {
            wish.records = records;
            wish.updated_at = Some(updated_at);
        }
        true
    }

    fn hash(&self, endpoint: &str) -> u64 {
        keyed_hash(self.seed, endpoint.as_bytes())
    }

    fn stripe(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        // The table inside uses the low and the top bits of the hash.
        let stripe = (hash >> 40) as usize % STRIPES;
        self.stripes[stripe]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of the hashes; indexes of the shards use it, too.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }
}

fn find(holders: &HashTable<Holder>, hash: u64) -> Option<Holder> {
    holders.find(hash, |held| held.hash == hash).copied()
}

impl Stripe {
    fn hold(&mut self, holder: Holder) -> Option<Holder> {
        if let Some(held) = self
            .holders
            .find_mut(holder.hash, |held| held.hash == holder.hash)
        {
            return Some(core::mem::replace(held, holder));
        }
        self.holders
            .insert_unique(holder.hash, holder, |held| held.hash);
        None
    }
}

/// SipHash with a secret prefix: peers choose names and addresses, and must not be able to aim
/// them at one bucket.
pub(crate) fn keyed_hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_lwm2m::Path;

    #[test]
    fn the_last_claim_wins_and_only_its_shard_releases() {
        let directory = Directory::new(4, 1);
        let first = directory.claim("a", 1, false);
        assert_eq!(first.previous, None);
        assert_eq!(directory.home("a"), 1);
        let second = directory.claim("a", 3, false);
        assert_eq!(second.previous, Some(1));
        assert!(second.epoch > first.epoch);
        assert_eq!(directory.home("a"), 3);
        assert_eq!(directory.release("a", 1), None);
        assert_eq!(directory.epoch("a", 3), Some(second.epoch));
        assert_eq!(directory.release("a", 3), Some(second.epoch));
        assert_eq!(directory.release("a", 3), None);
        assert_eq!(directory.claim("a", 3, false).previous, None);
    }

    #[test]
    fn it_is_known_who_registered_over_dtls() {
        let directory = Directory::new(2, 1);
        let epoch = directory.claim("a", 1, false).epoch;
        assert!(!directory.is_secure("a") && !directory.is_secure("b"));
        directory.secure("a", 0);
        assert!(!directory.is_secure("a"), "another shard's");
        directory.secure("a", 1);
        assert!(directory.is_secure("a"));
        assert_eq!(directory.epoch("a", 1), Some(epoch));
        directory.release("a", 1);
        assert!(!directory.is_secure("a"));
        directory.restore("a", 1, 40, true);
        assert!(directory.is_secure("a") && directory.home("a") == 1);
    }

    #[test]
    fn restored_epochs_are_never_given_again() {
        let directory = Directory::new(2, 1);
        assert!(directory.restore("a", 0, 41, false));
        assert!(
            !directory.restore("a", 1, 40, false),
            "older than what is held"
        );
        assert_eq!(directory.home("a"), 0);
        assert_eq!(directory.claim("b", 0, false).epoch, 42);
    }

    #[test]
    fn wishes_stay_while_the_device_is_away() {
        let directory = Directory::new(1, 1);
        let path = Path::resource(3, 0, 9);
        let add = |limit, all| directory.add_wish("a", Observed::path(path), limit, all);
        let wish = add(1, 9).expect("room");
        assert_eq!((add(1, 9), add(9, 1)), (None, None));
        assert!(directory.keep_values("a", wish.id, Vec::new(), 5.0));
        assert_eq!(
            directory.claim("a", 0, false).wishes[0].updated_at,
            Some(5.0)
        );
        assert!(directory.remove_wish("a", wish.id));
        assert!(!directory.remove_wish("a", wish.id));
        assert!(!directory.keep_values("a", wish.id, Vec::new(), 6.0));
        assert!(directory.wishes("a").is_empty());
    }
}
