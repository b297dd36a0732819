//! What REST, console and command line ask the server for.

mod events;
mod operations;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dunlin_lwm2m::model::Models;
use tokio::sync::oneshot;

use crate::api::{
    Device, DeviceOperation, Observed, OperateError, OperateOptions, Outcome, Page, Sent, Stats,
    Wish,
};
use crate::credentials::CredentialService;
use crate::directory::Directory;
use crate::files::Files;
use crate::firmware::FirmwareService;
use crate::runtime::Inbox;
use crate::shard::{Command, Reply};
use crate::store::writer::WriterHandle;
use crate::trace::Datagram;
use crate::upload::{UploadAnswer, UploadBlock};

pub use events::{Delivery, EVENTS_KEPT, Subscription};
pub(crate) use events::{EventBus, Happened};
pub use operations::OperationPage;
pub(crate) use operations::Waiters;

/// The server is ending, or more is asked of it than it can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is overloaded or shutting down; try again later")]
pub struct Unavailable;

impl From<Unavailable> for OperateError {
    fn from(_: Unavailable) -> Self {
        Self::Overloaded
    }
}

/// How the server is.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// What is wrong, in words; `None` when all is well.
    pub problem: Option<String>,
    /// Time since the start.
    pub uptime: Duration,
}

/// The control plane's handle to a running server; clones are cheap and equal.
///
/// All futures may be dropped at any time. They need no particular async runtime.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inboxes: Arc<[Inbox]>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) models: Arc<Models>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) writer: WriterHandle,
    pub(crate) files: Arc<Files>,
    pub(crate) firmware: FirmwareService,
    pub(crate) credentials: CredentialService,
    pub(crate) coap: Option<SocketAddr>,
    pub(crate) coaps: Option<SocketAddr>,
    pub(crate) started: Instant,
    pub(crate) next_id: AtomicU64,
    pub(crate) waiters: Arc<Waiters>,
}

impl Control {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Devices whose endpoint name contains `query` (any case; empty matches all), sorted by
    /// endpoint, after the endpoint `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn devices(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Unavailable> {
        let replies = self
            .ask_all(|id| Command::Devices {
                id,
                query: query.to_owned(),
                after: after.map(str::to_owned),
                limit,
            })
            .await?;
        let pages = replies.into_iter().map(|reply| match reply {
            Reply::Page(page) => Ok(page),
            _ => Err(Unavailable),
        });
        Ok(merge_pages(pages.collect::<Result<_, _>>()?, limit))
    }

    /// The device registered under this endpoint name.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn device(&self, endpoint: &str) -> Result<Option<Device>, Unavailable> {
        let command = |id, endpoint| Command::Device { id, endpoint };
        match self.ask_home(endpoint, command).await? {
            Reply::Device(device) => Ok(device.map(|device| *device)),
            _ => Err(Unavailable),
        }
    }

    /// Forgets a registration; `false` when there was none. The device registers again when its
    /// next Update is answered 4.04.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn remove(&self, endpoint: &str) -> Result<bool, Unavailable> {
        let command = |id, endpoint| Command::Remove { id, endpoint };
        match self.ask_home(endpoint, command).await? {
            Reply::Removed(removed) => Ok(removed),
            _ => Err(Unavailable),
        }
    }

    /// Carries out an operation towards a device and waits for its answer, at most
    /// [`OperateOptions::timeout`].
    ///
    /// # Errors
    /// Everything but a success code of the device is an [`OperateError`].
    pub async fn operate(
        &self,
        endpoint: &str,
        operation: DeviceOperation,
        options: OperateOptions,
    ) -> Result<Outcome, OperateError> {
        let command = |id, endpoint| Command::Operate {
            id,
            endpoint,
            operation,
            options,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::Operated(result) => result,
            _ => Err(OperateError::Overloaded),
        }
    }

    /// Writes one block of a large body and waits for the answer, at most
    /// [`UploadBlock::timeout`].
    ///
    /// # Errors
    /// Everything but an answer of the device is an [`OperateError`].
    pub async fn upload(
        &self,
        endpoint: &str,
        block: UploadBlock,
    ) -> Result<UploadAnswer, OperateError> {
        let command = |id, endpoint| Command::Upload {
            id,
            endpoint,
            block,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::Operated(result) => result?.upload.ok_or(OperateError::Overloaded),
            _ => Err(OperateError::Overloaded),
        }
    }

    /// Wishes for an observation; it is made now or when the device registers, and again after
    /// each registration.
    ///
    /// # Errors
    /// [`OperateError::Invalid`] for a path that cannot be observed, [`OperateError::Overloaded`].
    pub async fn add_wish(&self, endpoint: &str, observed: Observed) -> Result<Wish, OperateError> {
        let command = |id, endpoint| Command::AddWish {
            id,
            endpoint,
            observed,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::Wish(result) => result,
            _ => Err(OperateError::Overloaded),
        }
    }

    /// Drops a wish and cancels its observation; `false` when there was none.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn remove_wish(&self, endpoint: &str, wish: u64) -> Result<bool, Unavailable> {
        let command = |id, endpoint| Command::RemoveWish { id, endpoint, wish };
        match self.ask_home(endpoint, command).await? {
            Reply::Removed(removed) => Ok(removed),
            _ => Err(Unavailable),
        }
    }

    /// The wishes for a device with their last known values; `None` when the endpoint is not
    /// registered and has no wishes.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn wishes(&self, endpoint: &str) -> Result<Option<Vec<Wish>>, Unavailable> {
        let command = |id, endpoint| Command::Wishes { id, endpoint };
        match self.ask_home(endpoint, command).await? {
            Reply::Wishes(wishes) => Ok(wishes),
            _ => Err(Unavailable),
        }
    }

    /// The latest messages of a device in both directions, oldest first; also of one whose Register
    /// was refused. `None` when nothing is known of it.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn trace(&self, endpoint: &str) -> Result<Option<Vec<Datagram>>, Unavailable> {
        let command = |id, endpoint| Command::Trace { id, endpoint };
        match self.ask_home(endpoint, command).await? {
            Reply::Trace(None) => {}
            Reply::Trace(found) => return Ok(found),
            _ => return Err(Unavailable),
        }
        // It is not registered; any shard may have refused it.
        let all = self.ask_all(|id| command(id, endpoint.to_owned())).await?;
        let mut found: Option<Vec<Datagram>> = None;
        for reply in all {
            if let Reply::Trace(Some(more)) = reply {
                found.get_or_insert_default().extend(more);
            }
        }
        if let Some(found) = &mut found {
            found.sort_by(|left, right| left.time.total_cmp(&right.time));
        }
        Ok(found)
    }

    /// What a device reported with Send, newest first, at most `limit`; `None` when the endpoint is
    /// not registered and nothing of it is kept.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn sends(
        &self,
        endpoint: &str,
        limit: usize,
    ) -> Result<Option<Vec<Sent>>, Unavailable> {
        let replies = self
            .ask_all(|id| Command::Sends {
                id,
                endpoint: endpoint.to_owned(),
                limit,
            })
            .await?;
        let mut known = false;
        let mut all = Vec::new();
        for reply in replies {
            let Reply::Sends { registered, sends } = reply else {
                return Err(Unavailable);
            };
            known |= registered || !sends.is_empty();
            all.extend(sends);
        }
        all.sort_by_key(|sent| core::cmp::Reverse(sent.id));
        all.truncate(limit);
        Ok(known.then_some(all))
    }

    /// Counters, summed over the shards.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn stats(&self) -> Result<Stats, Unavailable> {
        let mut total = Stats::default();
        for reply in self.ask_all(|id| Command::Stats { id }).await? {
            let Reply::Stats(stats) = reply else {
                return Err(Unavailable);
            };
            add_stats(&mut total, stats);
        }
        let counters = self.shared.writer.counters();
        let operations = self.shared.directory.operations();
        let others = [
            ("events_total", self.shared.bus.published()),
            ("operations_queued", operations.open() as u64),
            ("operation_results_kept", operations.results() as u64),
        ];
        total.counters.extend(
            counters
                .into_iter()
                .chain(others)
                .map(|(name, count)| (name.to_owned(), count)),
        );
        Ok(total)
    }

    /// Reads events from now on, or those after event number `after`, as far as the latest
    /// [`EVENTS_KEPT`] reach ([`Delivery::Reset`] comes first when they do not).
    pub fn subscribe(&self, after: Option<u64>) -> Subscription {
        self.shared.bus.subscribe(after)
    }

    /// The object definitions the server knows.
    pub fn models(&self) -> &Arc<Models> {
        &self.shared.models
    }

    /// Files that devices may fetch over CoAP.
    pub fn files(&self) -> &Arc<Files> {
        &self.shared.files
    }

    /// Images, and the jobs that bring them to devices.
    pub fn firmware(&self) -> &FirmwareService {
        &self.shared.firmware
    }

    /// By what devices prove who they are.
    pub fn credentials(&self) -> &CredentialService {
        &self.shared.credentials
    }

    /// Whether the server has ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.shared.inboxes.iter().any(Inbox::is_closed)
    }

    /// Tells whoever subscribes.
    pub(crate) fn publish(&self, happened: Happened) {
        self.shared.bus.publish(&mut vec![happened]);
    }

    /// Where the server listens for CoAP without security, if it does.
    pub fn coap_address(&self) -> Option<SocketAddr> {
        self.shared.coap
    }

    /// Where the server listens for CoAP over DTLS, if it does.
    pub fn coaps_address(&self) -> Option<SocketAddr> {
        self.shared.coaps
    }

    /// How the server is.
    pub fn health(&self) -> Health {
        let problem = if self.is_stopped() {
            Some("a shard has stopped".to_owned())
        } else {
            self.shared.writer.problem()
        };
        Health {
            problem,
            uptime: self.shared.started.elapsed(),
        }
    }

    fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks the shard that holds an endpoint.
    async fn ask_home(
        &self,
        endpoint: &str,
        command: impl FnOnce(u64, String) -> Command,
    ) -> Result<Reply, Unavailable> {
        let home = usize::from(self.shared.directory.home(endpoint));
        let inbox = self.shared.inboxes.get(home).ok_or(Unavailable)?;
        let id = self.next_id();
        let receiver = ask(inbox, id, command(id, endpoint.to_owned()))?;
        receiver.await.map_err(|_| Unavailable)
    }

    /// Asks every shard, all at the same time; the replies are in the order of the shards.
    async fn ask_all(&self, command: impl Fn(u64) -> Command) -> Result<Vec<Reply>, Unavailable> {
        let asked = self.shared.inboxes.iter().map(|inbox| {
            let id = self.next_id();
            ask(inbox, id, command(id))
        });
        let mut replies = Vec::with_capacity(self.shared.inboxes.len());
        for receiver in asked.collect::<Result<Vec<_>, _>>()? {
            replies.push(receiver.await.map_err(|_| Unavailable)?);
        }
        Ok(replies)
    }
}

fn ask(inbox: &Inbox, id: u64, command: Command) -> Result<oneshot::Receiver<Reply>, Unavailable> {
    let (sender, receiver) = oneshot::channel();
    inbox
        .command(id, command, sender)
        .map_err(|_| Unavailable)?;
    Ok(receiver)
}

/// One page out of one for each shard, all of which were asked for the same.
fn merge_pages(pages: Vec<Page>, limit: usize) -> Page {
    let mut merged = Page::default();
    for page in pages {
        merged.more |= page.more;
        merged.total += page.total;
        merged.items.extend(page.items);
    }
    // A device that moves from one shard to another just now may be in both; the newer one counts.
    merged.items.sort_by(|left, right| {
        left.endpoint
            .cmp(&right.endpoint)
            .then(right.registered_at.total_cmp(&left.registered_at))
    });
    let before = merged.items.len();
    merged
        .items
        .dedup_by(|later, earlier| later.endpoint == earlier.endpoint);
    merged.total -= (before - merged.items.len()) as u64;
    merged.more |= merged.items.len() > limit;
    merged.items.truncate(limit);
    merged
}

/// Adds counters of the same name; a name keeps the place where it came first.
fn add_stats(total: &mut Stats, stats: Stats) {
    total.devices += stats.devices;
    for (name, count) in stats.counters {
        match total.counters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => total.counters.push((name, count)),
        }
    }
}
