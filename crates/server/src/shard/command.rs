//! What the control plane asks for.

use core::time::Duration;

use dunlin_coap::{DropReason, Instant, Rng};

use super::Shard;
use super::activity::{Job, Observation};
use super::interface::End;
use super::io::{Command, Persist, Reply, StoredWish};
use super::wheel::NONE;
use crate::api::{
    DeviceOperation, Observed, OperateError, OperateOptions, Page, Stats, Wish, WishState,
};
use crate::directory::KeptWish;

/// The longest time an operation may wait.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

impl Shard {
    pub(super) fn command(&mut self, now: Instant, command: Command, rng: &mut dyn Rng) {
        match command {
            Command::Operate {
                id,
                endpoint,
                operation,
                options,
            } => self.operate(now, id, &endpoint, operation, &options, rng),
            Command::Upload {
                id,
                endpoint,
                block,
            } => self.upload(now, id, &endpoint, block, rng),
            Command::Request {
                id,
                endpoint,
                operation,
                options,
                queue,
            } => match self.registry.find(&endpoint) {
                // Silence is what shows that a device sleeps, and only a Confirmable request can
                // tell it from a lost datagram: the queue sends no other.
                Some(slot) if self.uses_queue_mode(slot) && !options.confirmable => {
                    let why = "a device in queue mode is asked by Confirmable requests only";
                    self.operated(id, Err(OperateError::Invalid(why.to_owned())));
                }
                Some(slot) if self.uses_queue_mode(slot) => {
                    self.enqueue_operation(now, id, &endpoint, operation, &queue, rng);
                }
                _ => self.operate(now, id, &endpoint, operation, &options, rng),
            },
            Command::Enqueue {
                id,
                endpoint,
                operation,
                queue,
            } => self.enqueue_operation(now, id, &endpoint, operation, &queue, rng),
            Command::Cancel {
                id,
                endpoint,
                operation,
            } => self.cancel_operation(now, id, &endpoint, operation, rng),
            Command::SetAwakeTime {
                id,
                endpoint,
                seconds,
            } => {
                let kept = self.set_awake_time(now, &endpoint, seconds, rng);
                self.queue.reply(id, Reply::AwakeTimeSet(kept));
            }
            Command::Look { endpoint } => self.look(now, &endpoint, rng),
            Command::Device { id, endpoint } => {
                let slot = self.registry.find(&endpoint);
                let device = slot.and_then(|slot| self.device(now, slot)).map(Box::new);
                self.queue.reply(id, Reply::Device(device));
            }
            Command::Devices {
                id,
                query,
                after,
                limit,
            } => {
                let page = self.page(now, &query, after.as_deref(), limit);
                self.queue.reply(id, Reply::Page(page));
            }
            Command::Remove { id, endpoint } => {
                let slot = self.registry.find(&endpoint);
                if let Some(slot) = slot {
                    self.counters.removals += 1;
                    self.end(now, slot, End::Removed, rng);
                }
                self.queue.reply(id, Reply::Removed(slot.is_some()));
            }
            Command::AddWish {
                id,
                endpoint,
                observed,
            } => {
                let wish = self.add_wish(now, &endpoint, observed, rng);
                self.queue.reply(id, Reply::Wish(wish));
            }
            Command::RemoveWish { id, endpoint, wish } => {
                let removed = self.remove_wish(now, endpoint, wish, rng);
                self.queue.reply(id, Reply::Removed(removed));
            }
            Command::Wishes { id, endpoint } => {
                let wishes = self.wishes(&endpoint);
                self.queue.reply(id, Reply::Wishes(wishes));
            }
            Command::Trace { id, endpoint } => {
                let trace = self.trace(now, &endpoint);
                self.queue.reply(id, Reply::Trace(trace));
            }
            Command::Sends {
                id,
                endpoint,
                limit,
            } => {
                let registered = self.registry.find(&endpoint).is_some();
                let sends = self.history.latest(&endpoint, limit);
                self.queue.reply(id, Reply::Sends { registered, sends });
            }
            Command::Stats { id } => {
                let stats = self.stats();
                self.queue.reply(id, Reply::Stats(stats));
            }
            Command::CredentialEnded { tag } => self.credential_ended(now, tag, rng),
            Command::Evict { endpoint, epoch } => self.evict(now, &endpoint, epoch, rng),
        }
    }

    fn operate(
        &mut self,
        now: Instant,
        id: u64,
        endpoint: &str,
        operation: DeviceOperation,
        options: &OperateOptions,
        rng: &mut dyn Rng,
    ) {
        let Some(slot) = self.registry.find(endpoint) else {
            return self.operated(id, Err(OperateError::UnknownEndpoint));
        };
        match self.prepare(slot, operation, options) {
            Ok(operation) => {
                let deadline = now + options.timeout.min(LONGEST);
                let job = Job {
                    id,
                    operation,
                    deadline,
                    confirmable: options.confirmable,
                };
                self.enqueue(now, slot, job, rng);
            }
            Err(error) => self.operated(id, Err(error)),
        }
    }

    fn page(&self, now: Instant, query: &str, after: Option<&str>, limit: usize) -> Page {
        let query = query.to_lowercase();
        let mut total = 0;
        let mut found: Vec<(&str, u32)> = Vec::new();
        for slot in self.registry.slots() {
            let name = self.registry.name(slot);
            if !query.is_empty() && !name.to_lowercase().contains(&query) {
                continue;
            }
            total += 1;
            if after.is_none_or(|after| name > after) {
                found.push((name, slot));
            }
        }
        let more = found.len() > limit;
        if more && limit > 0 {
            found.select_nth_unstable(limit - 1);
        }
        found.truncate(limit);
        found.sort_unstable();
        Page {
            items: found
                .iter()
                .filter_map(|(_, slot)| self.device(now, *slot))
                .collect(),
            more,
            total,
        }
    }

    fn add_wish(
        &mut self,
        now: Instant,
        endpoint: &str,
        observed: Observed,
        rng: &mut dyn Rng,
    ) -> Result<Wish, OperateError> {
        self.check_wish(endpoint, &observed)?;
        let limits = self.config.limits;
        if endpoint.is_empty() || endpoint.len() > limits.endpoint_bytes {
            return Err(OperateError::UnknownEndpoint);
        }
        let kept = self
            .config
            .directory
            .add_wish(endpoint, observed, limits.wishes_per_device, limits.wishes)
            .ok_or(OperateError::Overloaded)?;
        self.persist(Persist::Wish(StoredWish {
            endpoint: endpoint.to_owned(),
            id: kept.id,
            observed: kept.observed.clone(),
        }));
        let wish = away(&kept);
        if let Some(slot) = self.registry.find(endpoint) {
            if let Some(activity) = self.activity(slot) {
                let observation = Observation::new(kept.id, kept.observed);
                activity.observations.push(observation);
            }
            self.wake(now, slot, rng);
        }
        Ok(wish)
    }

    fn remove_wish(
        &mut self,
        now: Instant,
        endpoint: String,
        wish: u64,
        rng: &mut dyn Rng,
    ) -> bool {
        if !self.config.directory.remove_wish(&endpoint, wish) {
            return false;
        }
        let slot = self.registry.find(&endpoint);
        self.persist(Persist::RemoveWish { endpoint, id: wish });
        let Some(slot) = slot else { return true };
        let index = self.registry.get(slot).map_or(NONE, |found| found.device);
        if let Some(activity) = self.activities.get_mut(index) {
            let at = activity
                .observations
                .iter()
                .position(|observation| observation.wish == wish);
            if let Some(at) = at {
                let observation = activity.observations.remove(at);
                // Also while the answer to the Observe is on its way.
                activity.cancellations.extend(observation.cancellation());
            }
            self.advance(now, index, rng);
        }
        true
    }

    fn wishes(&self, endpoint: &str) -> Option<Vec<Wish>> {
        let slot = self.registry.find(endpoint);
        let kept = self.config.directory.wishes(endpoint);
        if slot.is_none() && kept.is_empty() {
            return None;
        }
        let index = slot
            .and_then(|slot| self.registry.get(slot))
            .map_or(NONE, |found| found.device);
        let activity = self.activities.get(index);
        let wishes = kept.iter().map(|kept| {
            activity
                .and_then(|activity| {
                    activity
                        .observations
                        .iter()
                        .find(|observation| observation.wish == kept.id)
                })
                .map_or_else(|| away(kept), Observation::to_wish)
        });
        Some(wishes.collect())
    }

    fn evict(&mut self, now: Instant, endpoint: &str, epoch: u64, rng: &mut dyn Rng) {
        // The device may have come back here since.
        let held = self.config.directory.epoch(endpoint, self.config.index);
        if held.is_some_and(|held| held > epoch) {
            return;
        }
        if let Some(slot) = self.registry.find(endpoint) {
            self.counters.evictions += 1;
            let peer = self.registry.get(slot).map(|found| found.peer());
            self.end(now, slot, End::Evicted, rng);
            if let Some(peer) = peer {
                self.left(now, peer, rng);
            }
        }
    }

    fn stats(&self) -> Stats {
        let mut counters = self.counters.list();
        let stats = self.endpoint.stats();
        let mut count = |name: &str, value: u64| counters.push((name.to_owned(), value));
        count("datagrams_received_total", stats.received);
        count("requests_received_total", stats.requests);
        count("responses_received_total", stats.responses);
        count("pings_total", stats.pings);
        count("resets_sent_total", stats.resets_sent);
        count("resets_received_total", stats.resets_received);
        count("duplicates_answered_total", stats.repeated);
        count("duplicates_processed_again_total", stats.processed_again);
        count("seen_evicted_total", stats.evicted);
        count("messages_sent_total", stats.sent);
        count("retransmissions_total", stats.retransmitted);
        count("exchanges_failed_total", stats.failed);
        count("requests_refused_total{reason=\"option\"}", stats.refused);
        for reason in DropReason::ALL {
            let name = format!("datagrams_dropped_total{{reason=\"{}\"}}", reason.name());
            count(&name, stats.dropped(reason));
        }
        if let Some(secure) = &self.secure {
            secure.count(&mut count);
        }
        count("operations_waiting", self.waiting as u64);
        count("exchanges_open", self.endpoint.open_exchanges() as u64);
        count("replies_held", self.held.len() as u64);
        count("uploads_open", self.uploads.len() as u64);
        Stats {
            devices: self.registry.len() as u64,
            counters,
        }
    }
}

/// A wish whose device is away.
fn away(kept: &KeptWish) -> Wish {
    Wish {
        id: kept.id,
        observed: kept.observed.clone(),
        state: WishState::Pending,
        records: kept.records.clone(),
        updated_at: kept.updated_at,
    }
}
