//! What REST, console and command line ask the server for.

mod events;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_lwm2m::Path;
use tokio::sync::oneshot;

use crate::api::{
    AttributeChanges, Device, DeviceOperation, OperateError, OperateOptions, Outcome, Page, Stats,
    Wish,
};
use crate::runtime::Inbox;
use crate::shard::{Command, Reply};

pub use events::{Delivery, EVENTS_KEPT, Subscription};
pub(crate) use events::{EventBus, Happened};

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
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) started: Instant,
}

impl Control {
    #[allow(dead_code)]
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
        let _ = (query, after, limit);
        Ok(Page::default())
    }

    /// The device registered under this endpoint name.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn device(&self, endpoint: &str) -> Result<Option<Device>, Unavailable> {
        let endpoint = endpoint.to_owned();
        match self.ask(0, |id| Command::Device { id, endpoint }).await? {
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
        let _ = endpoint;
        Ok(false)
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
        let _ = (endpoint, operation, options);
        Err(OperateError::UnknownEndpoint)
    }

    /// Wishes for an observation; it is made now or when the device registers, and again after
    /// each registration. Wishing twice for the same path gives the same wish with the new
    /// attributes.
    ///
    /// # Errors
    /// [`OperateError::Invalid`] for a path that cannot be observed, [`OperateError::Overloaded`].
    pub async fn add_wish(
        &self,
        endpoint: &str,
        path: Path,
        attributes: AttributeChanges,
    ) -> Result<Wish, OperateError> {
        let _ = (endpoint, path, attributes);
        Err(OperateError::Overloaded)
    }

    /// Drops a wish and cancels its observation; `false` when there was none.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn remove_wish(&self, endpoint: &str, wish: u64) -> Result<bool, Unavailable> {
        let _ = (endpoint, wish);
        Ok(false)
    }

    /// The wishes for a device with their last known values; `None` when the endpoint is not
    /// registered and has no wishes.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn wishes(&self, endpoint: &str) -> Result<Option<Vec<Wish>>, Unavailable> {
        let _ = endpoint;
        Ok(None)
    }

    /// Counters, summed over the shards.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn stats(&self) -> Result<Stats, Unavailable> {
        Ok(Stats::default())
    }

    /// Reads events from now on, or those after event number `after`, as far as the latest
    /// [`EVENTS_KEPT`] reach ([`Delivery::Reset`] comes first when they do not).
    pub fn subscribe(&self, after: Option<u64>) -> Subscription {
        self.shared.bus.subscribe(after)
    }

    /// How the server is.
    pub fn health(&self) -> Health {
        Health {
            problem: None,
            uptime: self.shared.started.elapsed(),
        }
    }

    /// Asks one shard.
    async fn ask(
        &self,
        shard: usize,
        command: impl FnOnce(u64) -> Command,
    ) -> Result<Reply, Unavailable> {
        let (sender, receiver) = oneshot::channel();
        self.shared
            .inboxes
            .get(shard)
            .ok_or(Unavailable)?
            .command(command(0), sender)
            .map_err(|_| Unavailable)?;
        receiver.await.map_err(|_| Unavailable)
    }
}
