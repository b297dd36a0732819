//! Operations in the queues of devices: asked for, waited for, listed, cancelled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Control, Unavailable, ask};
use crate::api::{
    DeviceOperation, NotCancelled, OperateError, OperateOptions, OperationState, QueueOptions,
    QueuedOperation, Requested,
};
use crate::shard::{Command, Reply};

/// A page of the operations of a device, the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationPage {
    /// The operations.
    pub items: Vec<Arc<QueuedOperation>>,
    /// Whether older ones follow after the last item.
    pub more: bool,
}

/// Those who wait for the end of an operation.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    of: HashMap<u64, Vec<oneshot::Sender<()>>>,
    closed: bool,
}

impl Waiters {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation has ended, and that is on disk.
    pub(crate) fn wake(&self, operation: u64) {
        for waiter in self.waiting().of.remove(&operation).unwrap_or_default() {
            // Who waited may have gone.
            let _ = waiter.send(());
        }
    }

    fn wait(&self, operation: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting();
        if !waiting.closed {
            let waiters = waiting.of.entry(operation).or_default();
            waiters.retain(|waiter| !waiter.is_closed());
            waiters.push(sender);
        }
        receiver
    }

    /// Forgets those who do not wait any more.
    fn sweep(&self, operation: u64) {
        let mut waiting = self.waiting();
        if let Some(waiters) = waiting.of.get_mut(&operation) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                waiting.of.remove(&operation);
            }
        }
    }

    /// Nothing ends any more; nobody must wait for it.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.of.clear();
    }
}

impl Control {
    /// Carries out an operation towards a device: at once and as [`Control::operate`] does, or,
    /// when the device uses queue mode, in its queue and in the order of the queue.
    ///
    /// # Errors
    /// As [`Control::operate`] and [`Control::enqueue`]; [`OperateError::UnknownEndpoint`] when
    /// the device is not registered.
    pub async fn request(
        &self,
        endpoint: &str,
        operation: DeviceOperation,
        options: OperateOptions,
        queue: QueueOptions,
    ) -> Result<Requested, OperateError> {
        let command = |id, endpoint| Command::Request {
            id,
            endpoint,
            operation,
            options,
            queue,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::Operated(outcome) => outcome.map(Requested::Answered),
            Reply::Queued(queued) => {
                let (operation, awake) = queued?;
                Ok(Requested::Queued { operation, awake })
            }
            _ => Err(OperateError::Overloaded),
        }
    }

    /// Puts an operation into the queue of a device. When this returns it is on disk: it will be
    /// carried out when the device is awake, and its result kept, whatever happens to the server.
    /// A device without queue mode has a queue as well, and gets the operation at once unless it
    /// has stopped answering. A device that is not registered gets it when it registers.
    ///
    /// # Errors
    /// [`OperateError::Invalid`] for what cannot be sent to this device,
    /// [`OperateError::QueueFull`], [`OperateError::Overloaded`].
    pub async fn enqueue(
        &self,
        endpoint: &str,
        operation: DeviceOperation,
        queue: QueueOptions,
    ) -> Result<Arc<QueuedOperation>, OperateError> {
        let home = self.shared.directory.home(endpoint);
        let command = |id, endpoint| Command::Enqueue {
            id,
            endpoint,
            operation,
            queue,
        };
        let (operation, _) = match self.ask_home(endpoint, command).await? {
            Reply::Queued(queued) => queued?,
            _ => return Err(OperateError::Overloaded),
        };
        // The device may have registered with another shard just now.
        let moved = usize::from(self.shared.directory.home(endpoint));
        if moved != usize::from(home)
            && let Some(inbox) = self.shared.inboxes.get(moved)
        {
            let look = Command::Look {
                endpoint: endpoint.to_owned(),
            };
            // Without an answer; the queue is looked at again with the next Register in any case.
            let _ = ask(inbox, self.next_id(), look);
        }
        Ok(operation)
    }

    /// Waits until an operation has ended and that is on disk; `None` when there is no such
    /// operation. May wait as long as the operation may live: limit it from outside.
    ///
    /// # Errors
    /// [`Unavailable`] when the server ends.
    pub async fn ended(
        &self,
        endpoint: &str,
        operation: u64,
    ) -> Result<Option<Arc<QueuedOperation>>, Unavailable> {
        let woken = self.shared.waiters.wait(operation);
        match self.operation(endpoint, operation) {
            Some(found) if !found.has_ended() => {}
            found => {
                drop(woken);
                self.shared.waiters.sweep(operation);
                return Ok(found);
            }
        }
        woken.await.map_err(|_| Unavailable)?;
        Ok(self.operation(endpoint, operation))
    }

    /// An operation of a device. That it has ended is told once it is on disk.
    pub fn operation(&self, endpoint: &str, operation: u64) -> Option<Arc<QueuedOperation>> {
        self.shared
            .directory
            .operations()
            .shown(endpoint, operation)
    }

    /// Operations of a device, the newest first: those whose state is `wanted`, with a number below
    /// `before`, at most `limit`. `None` when nothing is known about the endpoint.
    pub fn operations(
        &self,
        endpoint: &str,
        before: Option<u64>,
        limit: usize,
        wanted: impl Fn(&OperationState) -> bool,
    ) -> Option<OperationPage> {
        let operations = self.shared.directory.operations();
        let (items, more) = operations.list(endpoint, before, limit, wanted);
        if items.is_empty() && !self.knows(endpoint) {
            return None;
        }
        Some(OperationPage { items, more })
    }

    /// Cancels an operation that has not been sent.
    ///
    /// # Errors
    /// [`Unavailable`]; the inner [`NotCancelled`] says why there is nothing to cancel.
    pub async fn cancel_operation(
        &self,
        endpoint: &str,
        operation: u64,
    ) -> Result<Result<Arc<QueuedOperation>, NotCancelled>, Unavailable> {
        let command = |id, endpoint| Command::Cancel {
            id,
            endpoint,
            operation,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::Cancelled(cancelled) => Ok(cancelled),
            _ => Err(Unavailable),
        }
    }

    /// Says how long a device in queue mode stays awake after each of its messages, in seconds;
    /// `None` takes that back, and forgets what was learned. Whether there was room for it.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn set_awake_time(
        &self,
        endpoint: &str,
        seconds: Option<u32>,
    ) -> Result<bool, Unavailable> {
        let command = |id, endpoint| Command::SetAwakeTime {
            id,
            endpoint,
            seconds,
        };
        match self.ask_home(endpoint, command).await? {
            Reply::AwakeTimeSet(kept) => Ok(kept),
            _ => Err(Unavailable),
        }
    }

    /// Whether an endpoint is registered, or anything is wished, queued or said about it.
    pub fn knows(&self, endpoint: &str) -> bool {
        self.shared.directory.knows(endpoint)
    }
}
