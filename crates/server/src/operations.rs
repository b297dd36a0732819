//! The queues of operations of all devices, and what came of those that ended: shared by all
//! shards, since a device may register with another one.
//!
//! ```text
//! add ──> Queued ──begin──> Sent ──end──> Done │ Failed
//!           │ ^───requeue────┘
//!           └──end──> Expired │ Cancelled
//! ```
//!
//! A shard asks here only about devices that have operations. Locks are striped by endpoint and
//! held for a few writes.

mod awake;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_lwm2m::operation::Operation;

use crate::api::{
    DeviceOperation, NotCancelled, OperateError, OperationState, QueueOptions, QueuedOperation,
};
use crate::directory::keyed_hash;
use crate::shard::QueueLimits;

pub(crate) use awake::{AwakeTime, learn_from_answer, learn_from_silence};
use queue::Queue;

const STRIPES: usize = 64;

/// By endpoint.
type Queues = HashMap<Box<str>, Queue>;
/// By number of the end: the endpoint, and when.
type Ends = BTreeMap<u64, (Box<str>, f64)>;

/// Whether an operation may be sent again when nobody knows whether it was carried out: what it
/// leaves behind is the same. An Execute or a Create would be done twice.
pub(crate) fn is_repeatable(operation: &DeviceOperation) -> bool {
    !matches!(
        operation,
        Operation::Execute { .. } | Operation::Create { .. }
    )
}

/// The queues of all devices.
#[derive(Debug)]
pub(crate) struct Operations {
    seed: u64,
    next: AtomicU64,
    next_end: AtomicU64,
    open: AtomicUsize,
    open_bytes: AtomicUsize,
    result_bytes: AtomicUsize,
    awake_times: AtomicUsize,
    stripes: Box<[Mutex<Queues>]>,
    /// Ended operations in the order of their ends.
    ends: Mutex<Ends>,
}

/// An operation that ended, and the numbers of older ones that gave way.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) operation: Arc<QueuedOperation>,
    pub(crate) forgotten: Vec<u64>,
}

/// What a device brings when it registers.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// Whether operations wait for it.
    pub(crate) more: bool,
    /// The one that was on its way, back in the queue.
    pub(crate) requeued: Option<Arc<QueuedOperation>>,
    /// The one that was on its way and must not be repeated.
    pub(crate) ended: Option<Ended>,
}

impl Operations {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            next: AtomicU64::new(1),
            next_end: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            open_bytes: AtomicUsize::new(0),
            result_bytes: AtomicUsize::new(0),
            awake_times: AtomicUsize::new(0),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            ends: Mutex::default(),
        }
    }

    fn stripe(&self, endpoint: &str) -> MutexGuard<'_, Queues> {
        let stripe = (keyed_hash(self.seed, endpoint.as_bytes()) >> 40) as usize % STRIPES;
        self.stripes[stripe]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an operation into the queue of a device, behind all of the same priority.
    pub(crate) fn add(
        &self,
        endpoint: &str,
        operation: DeviceOperation,
        options: &QueueOptions,
        unix: f64,
        limits: &QueueLimits,
    ) -> Result<Arc<QueuedOperation>, OperateError> {
        let bytes = crate::api::operation_bytes(&operation);
        if self.open() >= limits.operations
            || self.open_bytes.load(Ordering::Relaxed) + bytes > limits.bytes
        {
            return Err(OperateError::Overloaded);
        }
        let mut stripe = self.stripe(endpoint);
        if let Some(queue) = stripe.get(endpoint)
            && (queue.open.len() >= limits.operations_per_device
                || queue.bytes + bytes > limits.bytes_per_device)
        {
            return Err(OperateError::QueueFull);
        }
        let ttl = options.ttl.min(QueueOptions::LONGEST);
        let operation = Arc::new(QueuedOperation {
            // Drawn under the lock: numbers of one device grow in the order of its queue.
            id: self.next.fetch_add(1, Ordering::Relaxed),
            endpoint: endpoint.to_owned(),
            operation,
            format: options.format,
            priority: options.priority,
            created_at: unix,
            expires_at: unix + ttl.as_secs_f64(),
            ended_at: None,
            attempts: 0,
            state: OperationState::Queued,
        });
        self.insert(
            stripe.entry(endpoint.into()).or_default(),
            Arc::clone(&operation),
        );
        Ok(operation)
    }

    fn insert(&self, queue: &mut Queue, operation: Arc<QueuedOperation>) {
        self.open.fetch_add(1, Ordering::Relaxed);
        let bytes = queue.insert(operation);
        self.open_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Puts a stored operation back at start. One that must not be repeated and was on its way
    /// ends here, since nobody can hear the answer any more.
    pub(crate) fn restore(
        &self,
        mut operation: QueuedOperation,
        unix: f64,
        limits: &QueueLimits,
    ) -> Option<Ended> {
        self.next.fetch_max(operation.id + 1, Ordering::Relaxed);
        let endpoint = operation.endpoint.clone();
        let was_sent = operation.state == OperationState::Sent;
        let lost = was_sent && !is_repeatable(&operation.operation);
        if was_sent {
            operation.state = OperationState::Queued;
        }
        let id = operation.id;
        if let Some(ended_at) = operation.ended_at {
            let operation = Arc::new(operation);
            let forgotten = self.keep_result(&endpoint, &operation, ended_at, limits);
            return (!forgotten.is_empty()).then_some(Ended {
                operation,
                forgotten,
            });
        }
        {
            let mut stripe = self.stripe(&endpoint);
            let queue = stripe.entry(endpoint.as_str().into()).or_default();
            self.insert(queue, Arc::new(operation));
        }
        if !lost {
            return None;
        }
        let state = OperationState::Failed(OperateError::Unknown);
        self.end(&endpoint, id, None, state, unix, limits)
    }

    /// Numbers below this one were given out before.
    pub(crate) fn reserve(&self, next: u64) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// Takes the next operation for a device, if none is on its way.
    pub(crate) fn begin(&self, endpoint: &str, unix: f64) -> Option<Arc<QueuedOperation>> {
        self.stripe(endpoint).get_mut(endpoint)?.begin(unix)
    }

    /// Puts an operation back that was taken with this number of attempts; `None` when it is not
    /// there any more.
    pub(crate) fn requeue(
        &self,
        endpoint: &str,
        id: u64,
        attempt: u32,
    ) -> Option<Arc<QueuedOperation>> {
        self.stripe(endpoint)
            .get_mut(endpoint)?
            .requeue(id, attempt)
    }

    /// Ends an operation: the one taken with this number of attempts, or one that is not on its
    /// way (`None`). `None` when there is no such.
    pub(crate) fn end(
        &self,
        endpoint: &str,
        id: u64,
        attempt: Option<u32>,
        state: OperationState,
        unix: f64,
        limits: &QueueLimits,
    ) -> Option<Ended> {
        let operation = {
            let mut stripe = self.stripe(endpoint);
            let queue = stripe.get_mut(endpoint)?;
            let before = queue.bytes;
            let operation = queue.end(id, attempt, state, unix)?;
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.open_bytes
                .fetch_sub(before - queue.bytes, Ordering::Relaxed);
            operation
        };
        let forgotten = self.keep_result(endpoint, &operation, unix, limits);
        Some(Ended {
            operation,
            forgotten,
        })
    }

    /// Keeps an ended operation; returns the numbers of those that give way.
    fn keep_result(
        &self,
        endpoint: &str,
        operation: &Arc<QueuedOperation>,
        ended_at: f64,
        limits: &QueueLimits,
    ) -> Vec<u64> {
        let mut forgotten = Vec::new();
        {
            let mut stripe = self.stripe(endpoint);
            let queue = stripe.entry(endpoint.into()).or_default();
            let end = self.next_end.fetch_add(1, Ordering::Relaxed);
            let bytes = queue.keep(end, Arc::clone(operation));
            self.result_bytes.fetch_add(bytes, Ordering::Relaxed);
            let mut ends = self.ends();
            ends.insert(end, (endpoint.into(), ended_at));
            while queue.ended.len() > limits.results_per_device.max(1) {
                let Some((end, id, bytes)) = queue.forget_oldest() else {
                    break;
                };
                ends.remove(&end);
                self.result_bytes.fetch_sub(bytes, Ordering::Relaxed);
                forgotten.push(id);
            }
        }
        let too_old = ended_at - limits.results_kept.as_secs_f64();
        loop {
            // One lock at a time here; above it is the queue's, then this one.
            let (end, endpoint) = {
                let mut ends = self.ends();
                let Some(first) = ends.first_entry() else {
                    break;
                };
                let gives_way = first.get().1 < too_old
                    || self.result_bytes.load(Ordering::Relaxed) > limits.result_bytes;
                let (end, (endpoint, _)) = match gives_way {
                    true => first.remove_entry(),
                    false if ends.len() > limits.results => match ends.pop_first() {
                        Some(first) => first,
                        None => break,
                    },
                    false => break,
                };
                (end, endpoint)
            };
            let mut stripe = self.stripe(&endpoint);
            if let Some(queue) = stripe.get_mut(&endpoint) {
                if let Some((id, bytes)) = queue.forget(end) {
                    self.result_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    forgotten.push(id);
                }
                if queue.is_empty() {
                    stripe.remove(&endpoint);
                }
            }
        }
        forgotten
    }

    /// Ends an operation that has not been sent.
    pub(crate) fn cancel(
        &self,
        endpoint: &str,
        id: u64,
        unix: f64,
        limits: &QueueLimits,
    ) -> Result<Ended, NotCancelled> {
        let found = self.get(endpoint, id).ok_or(NotCancelled::Unknown)?;
        if found.has_ended() {
            return Err(NotCancelled::Ended);
        }
        self.end(endpoint, id, None, OperationState::Cancelled, unix, limits)
            .ok_or(NotCancelled::Sent)
    }

    /// What a shard does when a device registers with it: whatever is on its way by an older
    /// registration is taken back.
    pub(crate) fn adopt(&self, endpoint: &str, unix: f64, limits: &QueueLimits) -> Adopted {
        let mut adopted = Adopted::default();
        if self.open() == 0 {
            return adopted;
        }
        let lost = {
            let mut stripe = self.stripe(endpoint);
            let Some(queue) = stripe.get_mut(endpoint) else {
                return adopted;
            };
            match queue.in_flight() {
                Some((id, attempt, true)) => {
                    adopted.requeued = queue.requeue(id, attempt);
                    None
                }
                Some((id, attempt, false)) => Some((id, attempt)),
                None => None,
            }
        };
        if let Some((id, attempt)) = lost {
            let state = OperationState::Failed(OperateError::Unknown);
            adopted.ended = self.end(endpoint, id, Some(attempt), state, unix, limits);
        }
        adopted.more = self.queued(endpoint) > 0;
        adopted
    }

    /// How many operations of a device have not ended.
    pub(crate) fn queued(&self, endpoint: &str) -> usize {
        let stripe = self.stripe(endpoint);
        stripe.get(endpoint).map_or(0, |queue| queue.open.len())
    }

    /// How many operations of all devices have not ended.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many ended operations are kept.
    pub(crate) fn results(&self) -> usize {
        self.ends().len()
    }

    /// Whether anything is known about an endpoint here.
    pub(crate) fn knows(&self, endpoint: &str) -> bool {
        self.stripe(endpoint).contains_key(endpoint)
    }

    pub(crate) fn get(&self, endpoint: &str, id: u64) -> Option<Arc<QueuedOperation>> {
        self.stripe(endpoint).get(endpoint)?.get(id)
    }

    /// As everybody may see it: an end that is not on disk has not happened.
    pub(crate) fn shown(&self, endpoint: &str, id: u64) -> Option<Arc<QueuedOperation>> {
        self.stripe(endpoint).get(endpoint)?.shown(id)
    }

    /// The end of an operation is on disk.
    pub(crate) fn settle(&self, endpoint: &str, id: u64) {
        let mut stripe = self.stripe(endpoint);
        if let Some(queue) = stripe.get_mut(endpoint) {
            queue.settle(id);
            if queue.is_empty() {
                stripe.remove(endpoint);
            }
        }
    }

    /// Operations of a device as everybody may see them, the newest first: those that `wanted` says,
    /// with a number below `before`, at most `limit`, and whether there are more.
    pub(crate) fn list(
        &self,
        endpoint: &str,
        before: Option<u64>,
        limit: usize,
        wanted: impl Fn(&OperationState) -> bool,
    ) -> (Vec<Arc<QueuedOperation>>, bool) {
        let mut found: Vec<_> = {
            let stripe = self.stripe(endpoint);
            let Some(queue) = stripe.get(endpoint) else {
                return (Vec::new(), false);
            };
            queue
                .all_shown()
                .filter(|operation| before.is_none_or(|before| operation.id < before))
                .filter(|operation| wanted(&operation.state))
                .map(Arc::clone)
                .collect()
        };
        found.sort_unstable_by_key(|operation| core::cmp::Reverse(operation.id));
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    /// What is said and learned about the awake time of a device.
    pub(crate) fn awake_time(&self, endpoint: &str) -> AwakeTime {
        let stripe = self.stripe(endpoint);
        stripe
            .get(endpoint)
            .map_or(AwakeTime::default(), |queue| queue.awake)
    }

    /// Keeps what is said and learned about the awake time of a device; `false` when there is no
    /// room.
    pub(crate) fn set_awake_time(&self, endpoint: &str, awake: AwakeTime, limit: usize) -> bool {
        let mut stripe = self.stripe(endpoint);
        let was_known = stripe
            .get(endpoint)
            .is_some_and(|queue| queue.awake != AwakeTime::default());
        if awake == AwakeTime::default() {
            if let Some(queue) = stripe.get_mut(endpoint) {
                queue.awake = awake;
                if queue.is_empty() {
                    stripe.remove(endpoint);
                }
            }
            if was_known {
                self.awake_times.fetch_sub(1, Ordering::Relaxed);
            }
            return true;
        }
        if !was_known {
            if self.awake_times.load(Ordering::Relaxed) >= limit {
                return false;
            }
            self.awake_times.fetch_add(1, Ordering::Relaxed);
        }
        stripe.entry(endpoint.into()).or_default().awake = awake;
        true
    }
}
