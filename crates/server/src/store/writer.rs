//! The thread that writes: it takes what all shards left since its last commit as one group.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::api::{operation_bytes, record_bytes, state_bytes};
use crate::shard::Persist;
use crate::store::{Change, Store};

/// Changes of one transaction at most.
const GROUP: usize = 1000;
/// How often the writer lets others go first before it takes a group.
const YIELDS: usize = 8;
/// Backlog beyond which shards take no more datagrams: a disk that stands still must not fill the
/// memory.
pub(crate) const MAX_BACKLOG: usize = 256 * 1024 * 1024;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// Failed attempts at the end before what is left (none of it acknowledged) is given up.
const LAST_ATTEMPTS: u32 = 3;
/// Event numbers are reserved in blocks, so that none is given out twice across a crash.
const EVENT_BLOCK: u64 = 10_000_000;
const EVENT_CHECK: Duration = Duration::from_millis(500);

/// Takes changes and reports how far they are durable.
#[derive(Clone, Debug)]
pub(crate) struct WriterHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    backlog: AtomicUsize,
    counters: Counters,
    problem: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    changes: AtomicU64,
    errors: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    changes: VecDeque<Change>,
    stop: bool,
}

/// Whom the writer talks to.
pub(crate) trait Listener: Send + 'static {
    /// Everything of `shard` up to `through` is on disk.
    fn durable(&mut self, shard: u16, through: u64);

    /// The number the next event gets.
    fn next_event(&self) -> u64;
}

impl WriterHandle {
    /// Starts the thread. `reserved` is what the store's `first_event` told.
    pub(crate) fn start(
        store: Box<dyn Store>,
        reserved: u64,
        listener: impl Listener,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let handle = Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                filled: Condvar::new(),
                backlog: AtomicUsize::new(0),
                counters: Counters::default(),
                problem: Mutex::new(None),
            }),
        };
        let mut writer = Writer {
            shared: Arc::clone(&handle.shared),
            store,
            reserved,
            listener,
            through: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())?;
        Ok((handle, thread))
    }

    /// Leaves changes and empties `changes`. Never waits for the disk.
    pub(crate) fn push(&self, changes: &mut Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.shared
            .backlog
            .fetch_add(bytes_of(changes), Ordering::Relaxed);
        let mut queue = self.shared.queue();
        let sleeping = queue.changes.is_empty();
        queue.changes.extend(changes.drain(..));
        drop(queue);
        if sleeping {
            self.shared.filled.notify_one();
        }
    }

    /// Bytes of changes that are not on disk yet, about.
    pub(crate) fn backlog(&self) -> usize {
        self.shared.backlog.load(Ordering::Relaxed)
    }

    /// Ends the thread once it has written everything it was given.
    pub(crate) fn stop(&self) {
        self.shared.queue().stop = true;
        self.shared.filled.notify_one();
    }

    /// What is wrong with the store, in words.
    pub(crate) fn problem(&self) -> Option<String> {
        self.shared.problem().clone()
    }

    /// Counters by name.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 4] {
        let counters = &self.shared.counters;
        [
            (
                "store_commits_total",
                counters.commits.load(Ordering::Relaxed),
            ),
            (
                "store_changes_total",
                counters.changes.load(Ordering::Relaxed),
            ),
            (
                "store_errors_total",
                counters.errors.load(Ordering::Relaxed),
            ),
            ("store_backlog_bytes", self.backlog() as u64),
        ]
    }
}

/// The memory that changes take, about: what a device can make large counts by its length.
fn bytes_of(changes: &[Change]) -> usize {
    const SMALL: usize = 128;
    let one = |change: &Change| match &change.change {
        Persist::Registration(stored) => SMALL + stored.parameters.len() + stored.links.len(),
        Persist::Values(stored) => SMALL + stored.records.iter().map(record_bytes).sum::<usize>(),
        Persist::Session(stored) => SMALL + stored.export.expose().len(),
        Persist::Profile { id, links } => SMALL + id.len() + links.len(),
        Persist::Send(stored) => {
            SMALL + stored.sent.records.iter().map(record_bytes).sum::<usize>()
        }
        Persist::Operation(stored) => {
            SMALL + operation_bytes(&stored.operation) + state_bytes(&stored.state)
        }
        Persist::RemoveRegistration { .. }
        | Persist::Wish(_)
        | Persist::RemoveWish { .. }
        | Persist::RemoveOperation(_)
        | Persist::RemoveSends { .. }
        | Persist::RemoveProfile { .. }
        | Persist::RemoveSession { .. }
        | Persist::AwakeTime(_) => SMALL,
    };
    changes.iter().map(one).sum()
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn problem(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer<L> {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    reserved: u64,
    listener: L,
    /// For each shard the last sequence number of the group, 0 when it has none in it.
    through: Vec<u64>,
}

impl<L: Listener> Writer<L> {
    fn run(&mut self) {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let stop = self.gather(&mut group);
            self.reserve_events();
            if !group.is_empty() {
                if !self.commit(&group) {
                    tracing::error!(
                        "changes that nobody was promised could not be written and are lost"
                    );
                    return;
                }
                self.report(&group);
                group.clear();
            } else if stop {
                // Exactly what was given out, so that numbers go on without a gap.
                if let Err(error) = self.store.reserve_events(self.listener.next_event()) {
                    tracing::warn!(%error, "the event number could not be written");
                }
                return;
            }
        }
    }

    /// Takes the next group, waiting a little when there is none; tells whether to end.
    fn gather(&self, group: &mut Vec<Change>) -> bool {
        let mut queue = self.shared.queue();
        if queue.changes.is_empty() && !queue.stop {
            queue = self
                .shared
                .filled
                .wait_timeout(queue, EVENT_CHECK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        // A commit costs much, one more change in it little: let shards that have work on this CPU
        // do it first, as long as they leave more.
        for _ in 0..YIELDS {
            let before = queue.changes.len();
            if before == 0 || before >= GROUP || queue.stop {
                break;
            }
            drop(queue);
            std::thread::yield_now();
            queue = self.shared.queue();
            if queue.changes.len() == before {
                break;
            }
        }
        let count = queue.changes.len().min(GROUP);
        group.extend(queue.changes.drain(..count));
        queue.stop
    }

    /// Tries until it is done; gives up only when the server ends.
    fn commit(&mut self, group: &[Change]) -> bool {
        let mut backoff = FIRST_BACKOFF;
        let mut last_attempts = 0;
        loop {
            let Err(error) = self.store.commit(group) else {
                self.shared.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.shared
                    .counters
                    .changes
                    .fetch_add(group.len() as u64, Ordering::Relaxed);
                if self.shared.problem().take().is_some() {
                    tracing::info!("the store works again");
                }
                return true;
            };
            self.shared.counters.errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                %error,
                "the store cannot write; new registrations are not acknowledged, next attempt in {backoff:?}"
            );
            *self.shared.problem() = Some(format!("the store cannot write: {error}"));
            if self.pause(backoff) {
                last_attempts += 1;
                if last_attempts >= LAST_ATTEMPTS {
                    return false;
                }
                std::thread::sleep(FIRST_BACKOFF);
            }
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    /// Waits; tells at once when the server ends.
    fn pause(&self, time: Duration) -> bool {
        let queue = self.shared.queue();
        self.shared
            .filled
            .wait_timeout_while(queue, time, |queue| !queue.stop)
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .stop
    }

    fn report(&mut self, group: &[Change]) {
        self.shared
            .backlog
            .fetch_sub(bytes_of(group), Ordering::Relaxed);
        self.through.fill(0);
        for change in group {
            let shard = usize::from(change.shard);
            if shard >= self.through.len() {
                self.through.resize(shard + 1, 0);
            }
            self.through[shard] = change.sequence;
        }
        for (shard, through) in (0..).zip(&self.through) {
            if *through != 0 {
                self.listener.durable(shard, *through);
            }
        }
    }

    /// Keeps the reserved event numbers ahead of those given out.
    fn reserve_events(&mut self) {
        let next = self.listener.next_event();
        if next + EVENT_BLOCK / 2 <= self.reserved {
            return;
        }
        match self.store.reserve_events(next + EVENT_BLOCK) {
            Ok(()) => self.reserved = next + EVENT_BLOCK,
            // The next commit will tell as well, and holds replies back; events need not.
            Err(error) => tracing::warn!(%error, "event numbers could not be reserved"),
        }
    }
}
