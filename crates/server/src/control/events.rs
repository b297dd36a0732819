//! The event bus: a ring of the latest events that subscribers read at their own pace.
//!
//! Shards push and never wait. A subscriber is only a position in the ring; one that falls behind
//! by more than the ring holds is told so and goes on with the present. Without subscribers an
//! event costs one push.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::api::{Event, EventKind, operation_bytes, record_bytes, state_bytes};

/// How many events can be replayed.
pub const EVENTS_KEPT: usize = 8192;

/// How many bytes they may take; fewer are kept when they are large.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// No event has this number.
const CLOSED: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct EventBus {
    ring: Mutex<Ring>,
    /// The id of the newest event; its change wakes subscribers.
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// What `events` take.
    bytes: usize,
    next_id: u64,
    published: u64,
}

/// An event before it has its number.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) time: f64,
    pub(crate) endpoint: String,
    pub(crate) kind: EventKind,
}

impl Ring {
    /// Keeps an event; the oldest give way, by number and by bytes.
    fn push(&mut self, event: Event) {
        self.bytes += bytes_of(&event);
        self.events.push_back(Arc::new(event));
        while self.events.len() > EVENTS_KEPT || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else {
                return;
            };
            self.bytes -= bytes_of(&oldest);
        }
    }
}

/// The memory that an event takes, about: what a device can make large counts by its length.
fn bytes_of(event: &Event) -> usize {
    const SMALL: usize = 512;
    match &event.kind {
        EventKind::Notification { records, .. } | EventKind::Send { records } => {
            SMALL + records.iter().map(record_bytes).sum::<usize>()
        }
        EventKind::Registration(device) | EventKind::Update(device) => {
            let texts = device
                .attributes
                .iter()
                .map(|(name, value)| 64 + name.len() + value.len());
            let instances = device
                .objects
                .iter()
                .map(|object| 64 + 2 * object.instances.len());
            SMALL + texts.sum::<usize>() + instances.sum::<usize>()
        }
        EventKind::Operation(operation) => {
            SMALL + operation_bytes(&operation.operation) + state_bytes(&operation.state)
        }
        EventKind::Deregistration | EventKind::Expiry | EventKind::Firmware(_) => SMALL,
    }
}

impl EventBus {
    /// A bus whose first event gets the number `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            ring: Mutex::new(Ring {
                events: VecDeque::with_capacity(EVENTS_KEPT),
                bytes: 0,
                next_id: first.max(1),
                published: 0,
            }),
            newest: watch::Sender::new(first.max(1) - 1),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch of events, in order.
    pub(crate) fn publish(&self, batch: &mut Vec<Happened>) {
        if batch.is_empty() {
            return;
        }
        let mut ring = self.ring();
        for happened in batch.drain(..) {
            let event = Event {
                id: ring.next_id,
                time: happened.time,
                endpoint: happened.endpoint,
                kind: happened.kind,
            };
            ring.next_id += 1;
            ring.published += 1;
            ring.push(event);
        }
        let newest = ring.next_id - 1;
        drop(ring);
        // Two shards may come here in the wrong order; the number must not go back.
        self.newest.send_if_modified(|known| {
            let grew = newest > *known;
            *known = (*known).max(newest);
            grew
        });
    }

    /// Events since the start of this process.
    pub(crate) fn published(&self) -> u64 {
        self.ring().published
    }

    /// Whether there are subscribers.
    pub(crate) fn is_watched(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    /// Ends all subscriptions once they have read what is left.
    pub(crate) fn close(&self) {
        self.newest.send_replace(CLOSED);
    }

    /// The number the next event gets.
    pub(crate) fn next_id(&self) -> u64 {
        self.ring().next_id
    }

    pub(crate) fn subscribe(self: &Arc<Self>, after: Option<u64>) -> Subscription {
        let newest = self.newest.subscribe();
        let ring = self.ring();
        let last = ring.next_id - 1;
        Subscription {
            after: after.unwrap_or(last),
            bus: Arc::clone(self),
            newest,
        }
    }
}

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The next event.
    Event(Arc<Event>),
    /// Events between the last one delivered (or asked for) and the present are gone: read the
    /// devices anew. Deliveries go on after this event number.
    Reset(u64),
}

/// A reader of events.
#[derive(Debug)]
pub struct Subscription {
    bus: Arc<EventBus>,
    after: u64,
    newest: watch::Receiver<u64>,
}

impl Subscription {
    /// The next event, waiting for it if need be; `None` when the server has ended.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let closed = *self.newest.borrow_and_update() == CLOSED;
            if let Some(delivery) = self.ready() {
                return Some(delivery);
            }
            if closed {
                return None;
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// The next event if it has happened already.
    pub fn ready(&mut self) -> Option<Delivery> {
        let ring = self.bus.ring();
        let last = ring.next_id - 1;
        if self.after == last {
            return None;
        }
        let oldest = ring.next_id - ring.events.len() as u64;
        // Beyond `last`: the number is of another data folder, or made up.
        if self.after > last || self.after + 1 < oldest {
            self.after = last;
            return Some(Delivery::Reset(last));
        }
        let index = usize::try_from(self.after + 1 - oldest).ok()?;
        let event = Arc::clone(ring.events.get(index)?);
        self.after = event.id;
        Some(Delivery::Event(event))
    }
}
