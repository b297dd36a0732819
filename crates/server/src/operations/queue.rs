//! The queue of one device.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{AwakeTime, is_repeatable};
use crate::api::{OperationState, QueuedOperation, operation_bytes, state_bytes};

/// What is known about the operations of one device.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By priority, then in the order of their numbers.
    pub(super) open: Vec<Arc<QueuedOperation>>,
    /// What `open` takes.
    pub(super) bytes: usize,
    /// The number of the one on its way.
    flight: Option<u64>,
    /// In the order of their ends, with the number of the end.
    pub(super) ended: VecDeque<(u64, Arc<QueuedOperation>)>,
    /// How those were before that have ended and of which that is not on disk yet.
    unsettled: Vec<Arc<QueuedOperation>>,
    pub(super) awake: AwakeTime,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.ended.is_empty()
            && self.unsettled.is_empty()
            && self.awake == AwakeTime::default()
    }

    pub(super) fn insert(&mut self, operation: Arc<QueuedOperation>) -> usize {
        let bytes = operation_bytes(&operation.operation);
        let order = |other: &QueuedOperation| (core::cmp::Reverse(other.priority), other.id);
        let at = self
            .open
            .partition_point(|other| order(other) < order(&operation));
        self.open.insert(at, operation);
        self.bytes += bytes;
        bytes
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.open.iter().position(|operation| operation.id == id)
    }

    pub(super) fn begin(&mut self, unix: f64) -> Option<Arc<QueuedOperation>> {
        if self.flight.is_some() {
            return None;
        }
        let next = self
            .open
            .iter_mut()
            .find(|operation| operation.expires_at > unix)?;
        let operation = Arc::make_mut(next);
        operation.attempts += 1;
        operation.state = OperationState::Sent;
        self.flight = Some(operation.id);
        Some(Arc::clone(next))
    }

    /// Number and attempt of the operation on its way, and whether it may be repeated.
    pub(super) fn in_flight(&self) -> Option<(u64, u32, bool)> {
        let operation = self.open.get(self.position(self.flight?)?)?;
        Some((
            operation.id,
            operation.attempts,
            is_repeatable(&operation.operation),
        ))
    }

    fn is_in_flight(&self, id: u64, attempt: u32) -> bool {
        self.in_flight()
            .is_some_and(|(other, attempts, _)| other == id && attempts == attempt)
    }

    pub(super) fn requeue(&mut self, id: u64, attempt: u32) -> Option<Arc<QueuedOperation>> {
        if !self.is_in_flight(id, attempt) {
            return None;
        }
        self.flight = None;
        let at = self.position(id)?;
        let operation = self.open.get_mut(at)?;
        Arc::make_mut(operation).state = OperationState::Queued;
        Some(Arc::clone(operation))
    }

    pub(super) fn end(
        &mut self,
        id: u64,
        attempt: Option<u32>,
        state: OperationState,
        unix: f64,
    ) -> Option<Arc<QueuedOperation>> {
        match attempt {
            Some(attempt) if !self.is_in_flight(id, attempt) => return None,
            None if self.flight == Some(id) => return None,
            _ => {}
        }
        let mut operation = self.open.remove(self.position(id)?);
        if self.flight == Some(id) {
            self.flight = None;
        }
        self.bytes -= operation_bytes(&operation.operation);
        self.unsettled.push(Arc::clone(&operation));
        let changed = Arc::make_mut(&mut operation);
        changed.state = state;
        changed.ended_at = Some(unix);
        Some(operation)
    }

    pub(super) fn keep(&mut self, end: u64, operation: Arc<QueuedOperation>) -> usize {
        let bytes = bytes_of(&operation);
        self.ended.push_back((end, operation));
        bytes
    }

    /// Number of the end, number, and bytes of what is forgotten.
    pub(super) fn forget_oldest(&mut self) -> Option<(u64, u64, usize)> {
        let (end, operation) = self.ended.pop_front()?;
        Some((end, operation.id, bytes_of(&operation)))
    }

    /// Number and bytes of what is forgotten.
    pub(super) fn forget(&mut self, end: u64) -> Option<(u64, usize)> {
        let at = self.ended.iter().position(|(other, _)| *other == end)?;
        let (_, operation) = self.ended.remove(at)?;
        Some((operation.id, bytes_of(&operation)))
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<QueuedOperation>> {
        self.all().find(|operation| operation.id == id).cloned()
    }

    pub(super) fn shown(&self, id: u64) -> Option<Arc<QueuedOperation>> {
        self.all_shown()
            .find(|operation| operation.id == id)
            .cloned()
    }

    pub(super) fn settle(&mut self, id: u64) {
        self.unsettled.retain(|before| before.id != id);
    }

    fn is_unsettled(&self, id: u64) -> bool {
        self.unsettled.iter().any(|before| before.id == id)
    }

    pub(super) fn all_shown(&self) -> impl Iterator<Item = &Arc<QueuedOperation>> {
        let settled = self.all().filter(|found| !self.is_unsettled(found.id));
        settled.chain(&self.unsettled)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<QueuedOperation>> {
        self.open
            .iter()
            .chain(self.ended.iter().map(|(_, operation)| operation))
    }
}

fn bytes_of(operation: &QueuedOperation) -> usize {
    operation_bytes(&operation.operation) + state_bytes(&operation.state)
}
