//! Queue mode (Transport 1.2 §6.5): operations that wait, on disk, until their device wakes up.
//!
//! ```text
//! enqueue ──> Persist ──(held)──> reply
//! the device speaks ──> advance ──> next of the queue ──> sent ──answer──> ended ──> next
//!                          ^                               │
//!                          └──── asleep again, kept ───────┴── no answer
//! ```
//!
//! An operation is at least once on its way, or says why it was not. One that may be repeated is
//! sent again when no answer came, or when the server stopped in between. One that must not
//! (Execute, Create) is on disk as sent before it is sent, and ends as unknown then.

use dunlin_coap::{Instant, Rng};
use dunlin_lwm2m::operation::Operation;

use super::activity::{Current, Task};
use super::exchange::NoAnswer;
use super::io::{Persist, Reply, StoredAwakeTime};
use super::registry::{ASLEEP, Registration, TICKS_PER_SECOND};
use super::wheel::NONE;
use super::{Reverse, Shard, tick};
use crate::api::{
    DeviceOperation, EventKind, NotCancelled, OperateError, OperateOptions, OperationState,
    Outcome, QueueOptions, QueuedOperation,
};
use crate::operations::{AwakeTime, Ended, is_repeatable, learn_from_answer, learn_from_silence};
use std::sync::Arc;

/// Something to be done once what it promises is on disk.
#[derive(Debug)]
pub(super) enum Promise {
    Reply(u64, Reply),
    /// Tell that an operation has ended.
    Ended(Arc<QueuedOperation>),
    /// Send what must not be sent twice: that it was sent is on disk now.
    Send {
        index: u32,
        id: u64,
        attempt: u32,
    },
}

/// When an operation expires.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expiry {
    at: Instant,
    id: u64,
    endpoint: Box<str>,
}

/// What the queue of a device gives.
pub(super) enum Next {
    /// Nothing waits.
    Nothing,
    /// The next came to nothing; ask again.
    Again,
    /// To be sent.
    Request(Current),
    /// To be sent once it is on disk that it was.
    Held(Current),
}

/// No attempt of a queued operation takes longer than the device can be awake for it; each block
/// has its own time.
const LONGEST_ATTEMPT: core::time::Duration = core::time::Duration::from_secs(7 * 24 * 3600);

impl Shard {
    pub(super) fn uses_queue_mode(&self, slot: u32) -> bool {
        self.registry
            .get(slot)
            .is_some_and(|found| self.parameters.get(found.parameters).queue_mode)
    }

    /// How long the device is expected to be awake after each message, in seconds.
    pub(super) fn awake_time(&self, slot: u32) -> u32 {
        let index = self.registry.get(slot).map_or(NONE, |found| found.device);
        if let Some(activity) = self.activities.get(index) {
            return activity.awake_time;
        }
        let endpoint = self.registry.name(slot);
        let known = self.config.directory.operations().awake_time(endpoint);
        known.seconds(self.config.awake_time)
    }

    /// Whether a device uses queue mode and sleeps, as far as is known.
    pub(super) fn sleeps(&self, slot: u32, now: Instant) -> bool {
        let awake_time = self.awake_time(slot);
        self.uses_queue_mode(slot)
            && self
                .registry
                .get(slot)
                .is_some_and(|found| is_asleep(found, awake_time, now))
    }

    /// Until when a device in queue mode is expected to be awake; `None` when it sleeps.
    pub(super) fn awake_until(&self, slot: u32, now: Instant) -> Option<f64> {
        if !self.uses_queue_mode(slot) || self.sleeps(slot, now) {
            return None;
        }
        let heard = self.registry.get(slot)?.heard;
        Some(self.unix_of_tick(heard) + f64::from(self.awake_time(slot)))
    }

    /// Queues an operation; the reply waits until it is on disk.
    pub(super) fn enqueue_operation(
        &mut self,
        now: Instant,
        id: u64,
        endpoint: &str,
        operation: DeviceOperation,
        options: &QueueOptions,
        rng: &mut dyn Rng,
    ) {
        let slot = self.registry.find(endpoint);
        let added = self.try_enqueue(now, slot, endpoint, operation, options);
        let operation = match added {
            Ok(operation) => operation,
            Err(error) => return self.queue.reply(id, Reply::Queued(Err(error))),
        };
        self.counters.enqueued += 1;
        self.expires(now, &operation);
        self.changed(now, &operation, true);
        let awake = slot.is_some_and(|slot| !self.sleeps(slot, now));
        let reply = Reply::Queued(Ok((operation, awake)));
        self.promised(now, Promise::Reply(id, reply), rng);
        if let Some(slot) = slot {
            self.look_at(now, slot, rng);
        }
    }

    fn try_enqueue(
        &self,
        now: Instant,
        slot: Option<u32>,
        endpoint: &str,
        operation: DeviceOperation,
        options: &QueueOptions,
    ) -> Result<Arc<QueuedOperation>, OperateError> {
        let limits = &self.config.limits;
        if endpoint.is_empty() || endpoint.len() > limits.endpoint_bytes {
            return Err(OperateError::UnknownEndpoint);
        }
        if self.is_behind() {
            return Err(OperateError::Overloaded);
        }
        if matches!(
            operation,
            Operation::Observe { .. }
                | Operation::CancelObserve { .. }
                | Operation::ObserveComposite { .. }
                | Operation::CancelObserveComposite { .. }
        ) {
            let why = "observations are made by wishes";
            return Err(OperateError::Invalid(why.to_owned()));
        }
        if let Some(slot) = slot {
            // What cannot be sent as the device is now is refused at once.
            self.prepare(slot, operation.clone(), &attempt_options(options.format))?;
        }
        let operations = self.config.directory.operations();
        operations.add(endpoint, operation, options, self.unix(now), &limits.queue)
    }

    /// Whether the queue of a device has something for it.
    pub(super) fn look(&mut self, now: Instant, endpoint: &str, rng: &mut dyn Rng) {
        let operations = self.config.directory.operations();
        if operations.queued(endpoint) > 0
            && let Some(slot) = self.registry.find(endpoint)
        {
            self.look_at(now, slot, rng);
        }
    }

    fn look_at(&mut self, now: Instant, slot: u32, rng: &mut dyn Rng) {
        if let Some(activity) = self.activity(slot) {
            activity.queued = true;
        }
        self.wake(now, slot, rng);
    }

    pub(super) fn cancel_operation(
        &mut self,
        now: Instant,
        id: u64,
        endpoint: &str,
        operation: u64,
        rng: &mut dyn Rng,
    ) {
        let unix = self.unix(now);
        let limits = self.config.limits.queue;
        let operations = self.config.directory.operations();
        match operations.cancel(endpoint, operation, unix, &limits) {
            Ok(ended) => {
                let operation = Arc::clone(&ended.operation);
                self.ended(now, ended, rng);
                let reply = Reply::Cancelled(Ok(operation));
                self.promised(now, Promise::Reply(id, reply), rng);
            }
            Err(why) => self
                .queue
                .reply(id, Reply::Cancelled(Err::<_, NotCancelled>(why))),
        }
    }

    /// The next operation of a device, to be sent now.
    pub(super) fn next_queued(&mut self, now: Instant, index: u32, rng: &mut dyn Rng) -> Next {
        let Some(activity) = self.activities.get_mut(index) else {
            return Next::Nothing;
        };
        let slot = activity.slot;
        let unix = self.unix(now);
        let operations = self.config.directory.operations();
        let Some(next) = operations.begin(self.registry.name(slot), unix) else {
            if let Some(activity) = self.activities.get_mut(index) {
                activity.queued = false;
            }
            return Next::Nothing;
        };
        let (id, attempt) = (next.id, next.attempts);
        let options = attempt_options(next.format);
        match self.prepare(slot, next.operation.clone(), &options) {
            Ok(prepared) => {
                let once = !is_repeatable(&next.operation);
                self.changed(now, &next, once);
                let task = Task::Queued(id, attempt);
                let current = Current::new(task, prepared, now + LONGEST_ATTEMPT);
                if once && self.must_wait() {
                    let send = Promise::Send { index, id, attempt };
                    self.promises.push_back((self.sequence, send));
                    return Next::Held(current);
                }
                Next::Request(current)
            }
            Err(error) => {
                let state = OperationState::Failed(error);
                self.end_operation(now, slot, id, attempt, state, rng);
                Next::Again
            }
        }
    }

    /// A queued operation has an answer, or will never have one.
    pub(super) fn queued_ended(
        &mut self,
        now: Instant,
        slot: u32,
        (id, attempt): (u64, u32),
        outcome: Result<Outcome, OperateError>,
        rng: &mut dyn Rng,
    ) {
        let state = match outcome {
            Ok(outcome) => OperationState::Done(outcome),
            Err(error) => OperationState::Failed(error),
        };
        self.end_operation(now, slot, id, attempt, state, rng);
    }

    fn end_operation(
        &mut self,
        now: Instant,
        slot: u32,
        id: u64,
        attempt: u32,
        state: OperationState,
        rng: &mut dyn Rng,
    ) {
        let unix = self.unix(now);
        let limits = self.config.limits.queue;
        let endpoint = self.registry.name(slot);
        let operations = self.config.directory.operations();
        if let Some(ended) = operations.end(endpoint, id, Some(attempt), state, unix, &limits) {
            self.ended(now, ended, rng);
        }
    }

    /// No answer came to a queued operation, whatever CoAP did: it is kept for the next time that
    /// the device is awake, as long as it may be repeated.
    pub(super) fn queued_unanswered(
        &mut self,
        now: Instant,
        index: u32,
        (id, attempt): (u64, u32),
        rng: &mut dyn Rng,
    ) {
        let Some(slot) = self.activities.get(index).map(|activity| activity.slot) else {
            return;
        };
        let endpoint = self.registry.name(slot);
        let operations = self.config.directory.operations();
        let Some(operation) = operations.get(endpoint, id) else {
            return;
        };
        let state = if !is_repeatable(&operation.operation) {
            OperationState::Failed(OperateError::Unknown)
        } else if operation.expires_at <= self.unix(now) {
            OperationState::Expired
        } else if attempt >= self.config.limits.queue.attempts {
            OperationState::Failed(OperateError::Timeout)
        } else {
            if let Some(operation) = operations.requeue(endpoint, id, attempt) {
                self.counters.requeued += 1;
                self.changed(now, &operation, false);
            }
            return;
        };
        self.end_operation(now, slot, id, attempt, state, rng);
    }

    /// The registration ended while a queued operation was on its way, or about to be
    /// (`sent` is false).
    pub(super) fn queued_interrupted(
        &mut self,
        now: Instant,
        endpoint: &str,
        (id, attempt): (u64, u32),
        sent: bool,
        rng: &mut dyn Rng,
    ) {
        let unix = self.unix(now);
        let limits = self.config.limits.queue;
        let operations = self.config.directory.operations();
        let Some(operation) = operations.get(endpoint, id) else {
            return;
        };
        if sent && !is_repeatable(&operation.operation) {
            let state = OperationState::Failed(OperateError::Unknown);
            let ended = operations.end(endpoint, id, Some(attempt), state, unix, &limits);
            if let Some(ended) = ended {
                self.ended(now, ended, rng);
            }
        } else if let Some(operation) = operations.requeue(endpoint, id, attempt) {
            self.put_back(now, &operation, !sent);
        }
    }

    /// An operation that was on its way is back in the queue, perhaps past its time.
    fn put_back(&mut self, now: Instant, operation: &Arc<QueuedOperation>, persist: bool) {
        self.changed(now, operation, persist);
        self.expires(now, operation);
    }

    /// A device that registers brings its queue.
    pub(super) fn adopt_queue(&mut self, now: Instant, slot: u32, rng: &mut dyn Rng) {
        let unix = self.unix(now);
        let operations = self.config.directory.operations();
        let endpoint = self.registry.name(slot);
        let adopted = operations.adopt(endpoint, unix, &self.config.limits.queue);
        if let Some(ended) = adopted.ended {
            self.ended(now, ended, rng);
        }
        if let Some(operation) = adopted.requeued {
            self.put_back(now, &operation, false);
        }
        if adopted.more
            && let Some(activity) = self.activity(slot)
        {
            activity.queued = true;
        }
    }

    /// Puts a stored operation back at start. It goes to the shard that
    /// [`Directory::home`](crate::directory::Directory::home) names.
    pub fn restore_operation(&mut self, now: Instant, stored: QueuedOperation, rng: &mut dyn Rng) {
        let unix = self.unix(now);
        let endpoint = stored.endpoint.clone();
        let expires = (!stored.has_ended()).then(|| stored.clone());
        let operations = self.config.directory.operations();
        let ended = operations.restore(stored, unix, &self.config.limits.queue);
        if let Some(mut ended) = ended {
            if expires.is_none() {
                // It ended before, and was told.
                for id in core::mem::take(&mut ended.forgotten) {
                    self.persist(Persist::RemoveOperation(id));
                }
                return;
            }
            return self.ended(now, ended, rng);
        }
        if let Some(operation) = expires {
            self.expires(now, &operation);
            if let Some(slot) = self.registry.find(&endpoint) {
                self.restore_queue(slot);
            }
        }
    }

    /// The queue of a registered device came back.
    pub(super) fn restore_queue(&mut self, slot: u32) {
        let Some(activity) = self.activity(slot) else {
            return;
        };
        if !core::mem::replace(&mut activity.queued, true) {
            let index = self.registry.get(slot).map_or(NONE, |found| found.device);
            self.stand_in_line(index, true);
        }
    }

    /// Puts the awake time of a device back at start.
    pub fn restore_awake_time(&mut self, stored: &StoredAwakeTime) {
        let known = AwakeTime {
            wanted: stored.wanted,
            learned: stored.learned,
        };
        let limit = self.config.limits.queue.awake_times;
        let operations = self.config.directory.operations();
        operations.set_awake_time(&stored.endpoint, known, limit);
        self.apply_awake_time(&stored.endpoint, known);
    }

    /// Sets or takes back what an operator says about the awake time; whether there was room.
    pub(super) fn set_awake_time(
        &mut self,
        now: Instant,
        endpoint: &str,
        seconds: Option<u32>,
        rng: &mut dyn Rng,
    ) -> bool {
        let known = AwakeTime {
            wanted: seconds,
            learned: None,
        };
        let kept = self.keep_awake_time(endpoint, known);
        if let Some(slot) = self.registry.find(endpoint) {
            self.wake(now, slot, rng);
        }
        kept
    }

    fn keep_awake_time(&mut self, endpoint: &str, known: AwakeTime) -> bool {
        let limit = self.config.limits.queue.awake_times;
        let operations = self.config.directory.operations();
        if !operations.set_awake_time(endpoint, known, limit) {
            return false;
        }
        self.apply_awake_time(endpoint, known);
        self.persist(Persist::AwakeTime(StoredAwakeTime {
            endpoint: endpoint.to_owned(),
            wanted: known.wanted,
            learned: known.learned,
        }));
        true
    }

    fn apply_awake_time(&mut self, endpoint: &str, known: AwakeTime) {
        let seconds = known.seconds(self.config.awake_time);
        let slot = self.registry.find(endpoint);
        let index = slot
            .and_then(|slot| self.registry.get(slot))
            .map_or(NONE, |found| found.device);
        if let Some(activity) = self.activities.get_mut(index) {
            activity.awake_time = seconds;
        }
    }

    /// A request that went out after so many seconds of silence has an answer, or none at all.
    pub(super) fn learn(&mut self, slot: u32, idle: u32, answered: bool) {
        if !self.uses_queue_mode(slot) {
            return;
        }
        let awake_time = self.awake_time(slot);
        let default = self.config.awake_time;
        // Most answers teach nothing: no lock for them.
        if answered && u64::from(idle) * 4 < u64::from(awake_time) * 3 {
            return;
        }
        let endpoint = self.registry.name(slot).to_owned();
        let known = self.config.directory.operations().awake_time(&endpoint);
        let learned = if answered {
            learn_from_answer(known, idle, default)
        } else {
            learn_from_silence(known, idle, default)
        };
        if let Some(learned) = learned {
            self.keep_awake_time(&endpoint, learned);
        }
    }

    fn expires(&mut self, now: Instant, operation: &QueuedOperation) {
        let operations = self.config.directory.operations();
        // Entries of operations that have ended stay behind; they are swept out when they
        // outnumber the others.
        if self.expiries.len() > 2 * operations.open() + 1024 {
            self.expiries.retain(|Reverse(expiry)| {
                let found = operations.get(&expiry.endpoint, expiry.id);
                found.is_some_and(|operation| !operation.has_ended())
            });
        }
        let left = (operation.expires_at - self.unix(now)).max(0.0);
        let longest = QueueOptions::LONGEST.as_secs_f64();
        self.expiries.push(Reverse(Expiry {
            at: now + core::time::Duration::from_secs_f64(left.min(longest)),
            id: operation.id,
            endpoint: operation.endpoint.as_str().into(),
        }));
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.peek().map(|Reverse(expiry)| expiry.at)
    }

    /// Ends operations whose time to live has run out; one that is on its way is given its time.
    pub(super) fn expire_operations(&mut self, now: Instant, rng: &mut dyn Rng) {
        let unix = self.unix(now);
        let limits = self.config.limits.queue;
        while self.next_expiry().is_some_and(|at| at <= now) {
            let Some(Reverse(expiry)) = self.expiries.pop() else {
                return;
            };
            let operations = self.config.directory.operations();
            let state = OperationState::Expired;
            if let Some(ended) =
                operations.end(&expiry.endpoint, expiry.id, None, state, unix, &limits)
            {
                self.ended(now, ended, rng);
            }
        }
    }

    /// Tells that an operation has another state.
    fn changed(&mut self, now: Instant, operation: &Arc<QueuedOperation>, persist: bool) {
        if persist {
            self.persist(Persist::Operation(Arc::clone(operation)));
        }
        self.tell(now, operation);
    }

    fn tell(&mut self, now: Instant, operation: &Arc<QueuedOperation>) {
        let kind = EventKind::Operation(Arc::clone(operation));
        let endpoint = operation.endpoint.clone();
        self.queue.event(self.unix(now), endpoint, kind);
    }

    fn ended(&mut self, now: Instant, ended: Ended, rng: &mut dyn Rng) {
        let Ended {
            operation,
            forgotten,
        } = ended;
        let counter = match &operation.state {
            OperationState::Expired => &mut self.counters.expired,
            OperationState::Cancelled => &mut self.counters.cancelled,
            OperationState::Failed(error) => self.counters.of_error(error),
            _ => &mut self.counters.succeeded,
        };
        *counter += 1;
        self.persist(Persist::Operation(Arc::clone(&operation)));
        for id in forgotten {
            self.persist(Persist::RemoveOperation(id));
        }
        self.promised(now, Promise::Ended(operation), rng);
    }

    /// Whether what has just been persisted is not known to be on disk.
    fn must_wait(&self) -> bool {
        self.config.durable && self.durable < self.sequence
    }

    /// Does something once everything persisted so far is on disk.
    fn promised(&mut self, now: Instant, promise: Promise, rng: &mut dyn Rng) {
        if self.must_wait() {
            self.promises.push_back((self.sequence, promise));
        } else {
            self.keep(now, promise, rng);
        }
    }

    pub(super) fn keep_promises(&mut self, now: Instant, rng: &mut dyn Rng) {
        while let Some((sequence, _)) = self.promises.front()
            && *sequence <= self.durable
            && let Some((_, promise)) = self.promises.pop_front()
        {
            self.keep(now, promise, rng);
        }
    }

    fn keep(&mut self, now: Instant, promise: Promise, rng: &mut dyn Rng) {
        match promise {
            Promise::Reply(id, reply) => self.queue.reply(id, reply),
            // Nobody hears of an end, or sees it, before it is on disk.
            Promise::Ended(operation) => {
                let operations = self.config.directory.operations();
                operations.settle(&operation.endpoint, operation.id);
                self.tell(now, &operation);
                self.queue.ended(operation.id);
            }
            Promise::Send { index, id, attempt } => {
                let current = self
                    .activities
                    .get(index)
                    .and_then(|activity| activity.current.as_ref());
                let waits = current.is_some_and(|current| {
                    current.is_unsent()
                        && matches!(current.task, Task::Queued(other, others)
                            if (other, others) == (id, attempt))
                });
                if waits && let Err(why) = self.send(now, index, rng) {
                    self.no_answer(now, index, why, rng);
                    self.advance(now, index, rng);
                }
            }
        }
    }

    /// What is to be done about a queued operation that got no answer.
    pub(super) fn queued_no_answer(
        &mut self,
        now: Instant,
        index: u32,
        flight: (u64, u32),
        why: NoAnswer,
        rng: &mut dyn Rng,
    ) {
        if why == NoAnswer::Timeout {
            return self.queued_unanswered(now, index, flight, rng);
        }
        if let Some(slot) = self.activities.get(index).map(|activity| activity.slot) {
            self.queued_ended(now, slot, flight, Err(why.into()), rng);
        }
    }
}

fn attempt_options(format: Option<dunlin_lwm2m::ContentFormat>) -> OperateOptions {
    OperateOptions {
        format,
        timeout: LONGEST_ATTEMPT,
        confirmable: true,
    }
}

/// Whether a device in queue mode has been silent for longer than it is awake, or did not answer.
pub(super) fn is_asleep(registration: &Registration, awake_time: u32, now: Instant) -> bool {
    let silent = tick(now).saturating_sub(registration.heard);
    registration.flags & ASLEEP != 0 || silent > awake_time.saturating_mul(TICKS_PER_SECOND)
}
