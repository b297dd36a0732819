//! What the control plane sees: devices, operations and their outcomes, observation wishes,
//! events. Plain owned types; only the `http` crate turns them into JSON.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_coap::Code;
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{ContentFormat, ObjectVersion, OwnedRecord, OwnedValue, Path, Version};

use crate::access::Security;
use crate::firmware::FirmwareStatus;
use crate::upload::UploadAnswer;

/// A registered device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Endpoint client name, unique on this server.
    pub endpoint: String,
    /// Last segment of the location path, unique on this server.
    pub registration_id: String,
    /// Version of the enabler the device registered with.
    pub version: Version,
    /// Lifetime in seconds; 0 is infinite.
    pub lifetime: u32,
    /// Binding as registered, `U` when it was absent.
    pub binding: String,
    /// Whether the device uses queue mode.
    pub queue_mode: bool,
    /// SMS number, if any.
    pub sms: Option<String>,
    /// Where requests to the device go; with DTLS, the address it was heard from last.
    pub address: SocketAddr,
    /// What it has proven; `None` without security.
    pub security: Option<Security>,
    /// Alternate path, `/` when there is none.
    pub root: String,
    /// Content formats the device announced.
    pub content_formats: Vec<ContentFormat>,
    /// Time of the Register in Unix seconds.
    pub registered_at: f64,
    /// Time of the last Register or Update in Unix seconds.
    pub updated_at: f64,
    /// When the registration ends without an Update, in Unix seconds; `None` is never.
    pub expires_at: Option<f64>,
    /// Objects and their instances, in ascending order; devices that are alike share them.
    pub objects: Arc<[DeviceObject]>,
    /// Whether the device takes requests now, as far as is known: it does not sleep.
    pub awake: bool,
    /// Until when a device in queue mode is expected to be awake, in Unix seconds; `None` when it
    /// sleeps, and for devices that never do.
    pub awake_until: Option<f64>,
    /// How long a device in queue mode is expected to stay awake after each of its messages, in
    /// seconds.
    pub awake_time: u32,
    /// Operations in its queue that have not ended.
    pub queued: usize,
    /// Query parameters the standard does not know.
    pub attributes: Vec<(String, String)>,
    /// What the device did against the standard and was tolerated, in words with the clause.
    pub faults: Vec<String>,
}

/// An object of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceObject {
    /// Object id.
    pub id: u16,
    /// Version announced, or implied by the enabler version.
    pub version: ObjectVersion,
    /// Instance ids in ascending order.
    pub instances: Vec<u16>,
}

/// A page of devices, sorted by endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The devices.
    pub items: Vec<Device>,
    /// Whether more follow after the last item.
    pub more: bool,
    /// How many devices match in all.
    pub total: u64,
}

/// Attributes to set (`Some`) or unset (`None`), by name, as in `("pmin", Some(10.0))`.
pub type AttributeChanges = Vec<(String, Option<f64>)>;

/// An operation towards a device, owned. Bodies are records; the shard chooses the content format
/// unless [`OperateOptions::format`] does.
pub type DeviceOperation = Operation<Vec<OwnedRecord>, String, AttributeChanges>;

/// How to carry out an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperateOptions {
    /// Content format to ask for (Read) or to write in; `None` lets the shard choose by version.
    pub format: Option<ContentFormat>,
    /// How long to wait for the device in all, from now.
    pub timeout: Duration,
    /// Whether the request is Confirmable. Only an Execute may be Non-confirmable, to a device of
    /// 1.1 or later without queue mode (Transport 1.1 §6.8.1): it is sent once, and when no answer
    /// comes it may have been carried out or not.
    pub confirmable: bool,
}

/// How to queue an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueOptions {
    /// Content format to ask for (Read) or to write in; `None` lets the shard choose by version.
    pub format: Option<ContentFormat>,
    /// How long it may wait in the queue; then it ends as [`OperationState::Expired`]. At most
    /// [`QueueOptions::LONGEST`].
    pub ttl: Duration,
    /// Those with a larger number go first; among equals the first come.
    pub priority: i16,
}

impl QueueOptions {
    /// The longest time to live: a year.
    pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
}

impl Default for QueueOptions {
    /// A week, priority 0, the shard chooses the format.
    fn default() -> Self {
        Self {
            format: None,
            ttl: Duration::from_secs(7 * 24 * 3600),
            priority: 0,
        }
    }
}

/// An operation in the queue of a device, or how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedOperation {
    /// Number, unique on this server; grows.
    pub id: u64,
    /// The device.
    pub endpoint: String,
    /// What to do.
    pub operation: DeviceOperation,
    /// Content format asked for.
    pub format: Option<ContentFormat>,
    /// Those with a larger number go first.
    pub priority: i16,
    /// When it was queued, in Unix seconds.
    pub created_at: f64,
    /// When it ends at the latest, in Unix seconds.
    pub expires_at: f64,
    /// When it ended, in Unix seconds.
    pub ended_at: Option<f64>,
    /// How often it was sent, not counting the retransmissions of CoAP.
    pub attempts: u32,
    /// How it stands.
    pub state: OperationState,
}

impl QueuedOperation {
    /// Whether nothing more happens to it.
    pub const fn has_ended(&self) -> bool {
        !matches!(self.state, OperationState::Queued | OperationState::Sent)
    }

    /// Grows with each state: a store that meets an older one than it has leaves it.
    pub const fn revision(&self) -> u64 {
        let attempts = self.attempts as u64;
        match self.state {
            OperationState::Queued => 2 * attempts,
            OperationState::Sent => (2 * attempts).saturating_sub(1),
            _ => i64::MAX as u64,
        }
    }
}

/// How a queued operation stands.
#[derive(Clone, Debug, PartialEq)]
pub enum OperationState {
    /// It waits for its turn, or for the device to wake up.
    Queued,
    /// It is on its way to the device.
    Sent,
    /// The device carried it out.
    Done(Outcome),
    /// The device refused, or it came to nothing.
    Failed(OperateError),
    /// Its time to live ran out before it could be carried out.
    Expired,
    /// Somebody cancelled it before it was sent.
    Cancelled,
}

/// Why an operation cannot be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCancelled {
    /// There is no such operation.
    Unknown,
    /// It is on its way to the device.
    Sent,
    /// It has ended.
    Ended,
}

/// What comes of a request to a device that may be asleep.
#[derive(Clone, Debug, PartialEq)]
pub enum Requested {
    /// The device answered.
    Answered(Outcome),
    /// The device uses queue mode: the operation is in its queue, and stays there whoever waits.
    Queued {
        /// The operation.
        operation: Arc<QueuedOperation>,
        /// Whether the device is awake, so that an answer can be expected soon.
        awake: bool,
    },
}

/// What a device answered (success codes only).
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The device's response code.
    pub code: Code,
    /// Format of the payload, if there was one.
    pub format: Option<ContentFormat>,
    /// Decoded records of a Read.
    pub records: Vec<OwnedRecord>,
    /// Link-format text of a Discover.
    pub links: Option<String>,
    /// Path of a created instance, when the device told it.
    pub location: Option<Path>,
    /// The answer to a block of a large body; only there the code may be an error.
    pub upload: Option<UploadAnswer>,
}

/// Why an operation has no outcome.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperateError {
    /// No such device.
    #[error("no device is registered under this endpoint name")]
    UnknownEndpoint,
    /// The operation cannot be sent as asked.
    #[error("{0}")]
    Invalid(String),
    /// The device did not answer in time.
    #[error("the device did not answer in time")]
    Timeout,
    /// The device answered with an error code.
    #[error("the device answered {code:?}{}{diagnostic}", if diagnostic.is_empty() { "" } else { ": " })]
    Device {
        /// Its code.
        code: Code,
        /// Its diagnostic text, if any.
        diagnostic: String,
    },
    /// The device answered with RST.
    #[error("the device reset the request: it does not know this server or the message")]
    Reset,
    /// The device answered, but the answer breaks the standard.
    #[error("the device's answer cannot be read: {0}")]
    Undecodable(String),
    /// The device registered anew, de-registered or expired meanwhile.
    #[error("the registration ended before the device answered")]
    RegistrationEnded,
    /// Too many operations wait for this device, or for all.
    #[error("too many operations are waiting; try again later")]
    Overloaded,
    /// The queue of this device is full.
    #[error("the queue of this device is full; cancel operations or wait until it wakes up")]
    QueueFull,
    /// The request was sent, and then nobody could hear the answer: no answer came, the server
    /// stopped, or the registration ended. What must not be done twice is not sent again.
    #[error("it was sent, but no answer came: whether the device carried it out is not known")]
    Unknown,
}

/// What to observe, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What to observe; the root in an Observe-Composite.
    pub path: Path,
    /// The paths of an Observe-Composite in the order of the request; none in an Observe.
    pub paths: Vec<Path>,
    /// Attributes written before observing, at the path or at each of the paths.
    pub attributes: AttributeChanges,
    /// Attributes in the request itself (since 1.2); any one takes the place of all that are
    /// attached or inherited.
    pub parameters: AttributeChanges,
}

impl Observed {
    /// One path, by Observe.
    pub const fn path(path: Path) -> Self {
        Self {
            path,
            paths: Vec::new(),
            attributes: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// Several paths at once, by Observe-Composite (since 1.1).
    pub fn composite(paths: Vec<Path>) -> Self {
        Self {
            paths,
            ..Self::path(Path::ROOT)
        }
    }

    /// The same with attributes to write first.
    #[must_use]
    pub fn with_attributes(self, attributes: AttributeChanges) -> Self {
        Self { attributes, ..self }
    }

    /// Whether it takes an Observe-Composite.
    pub const fn is_composite(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Every path by itself.
    pub fn targets(&self) -> &[Path] {
        if self.is_composite() {
            &self.paths
        } else {
            core::slice::from_ref(&self.path)
        }
    }
}

/// An observation that somebody wishes for; it is made again after each registration.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Number, unique per device.
    pub id: u64,
    /// What to observe.
    pub observed: Observed,
    /// How it stands.
    pub state: WishState,
    /// Last known records, each with its time in Unix seconds when known.
    pub records: Vec<OwnedRecord>,
    /// When the last records arrived, in Unix seconds.
    pub updated_at: Option<f64>,
}

/// How a wish stands.
#[derive(Clone, Debug, PartialEq)]
pub enum WishState {
    /// Not asked yet, or the device is away.
    Pending,
    /// The device reports.
    Active,
    /// The device refused or did not answer; in words.
    Failed(String),
}

/// What a device reported with Send.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Grows with each Send of any device.
    pub id: u64,
    /// When it arrived, in Unix seconds.
    pub time: f64,
    /// The records; times are Unix seconds, those of the arrival where the device told none.
    pub records: Vec<OwnedRecord>,
}

/// What happened, for events and logs.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A Register was accepted; also when it replaced an older registration.
    Registration(Device),
    /// An Update was accepted. One that changes only the time is told while somebody subscribes;
    /// it is not kept for replay otherwise.
    Update(Device),
    /// The device de-registered, or an operator removed it.
    Deregistration,
    /// The lifetime ran out.
    Expiry,
    /// A device reported of its own accord (Send).
    Send {
        /// The records; times are Unix seconds.
        records: Vec<OwnedRecord>,
    },
    /// An observed value arrived (also the first answer).
    Notification {
        /// The wish it belongs to.
        wish: u64,
        /// What is observed; the root in an Observe-Composite.
        path: Path,
        /// The records; times are Unix seconds. Values of the past stand here as well, several of
        /// one path; the wish keeps the newest.
        records: Vec<OwnedRecord>,
    },
    /// A queued operation has another state.
    Operation(Arc<QueuedOperation>),
    /// A firmware update has made progress; at most once a second, and whenever its stage changes.
    Firmware(FirmwareStatus),
}

/// An event with its place in the order of all events.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Grows by one with each event since the data folder was made or the server started.
    pub id: u64,
    /// When it happened, in Unix seconds.
    pub time: f64,
    /// The device.
    pub endpoint: String,
    /// What happened.
    pub kind: EventKind,
}

/// Counters of the server, summed over its shards. Plain integers: the `http` crate names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Devices registered now.
    pub devices: u64,
    /// Name and value of every counter, in a stable order; names in Prometheus style without
    /// prefix, e.g. `registrations_total`, `datagrams_dropped_total{reason="malformed"}`.
    pub counters: Vec<(String, u64)>,
}

/// The memory that a record takes, about.
pub(crate) fn record_bytes(record: &OwnedRecord) -> usize {
    let text = match &record.value {
        Some(OwnedValue::String(text) | OwnedValue::CoreLink(text)) => text.len(),
        Some(OwnedValue::Opaque(bytes)) => bytes.len(),
        _ => 0,
    };
    size_of::<OwnedRecord>() + text
}

/// The memory that an operation takes, about.
pub(crate) fn operation_bytes(operation: &DeviceOperation) -> usize {
    const SMALL: usize = 256;
    let records = |records: &[OwnedRecord]| records.iter().map(record_bytes).sum::<usize>();
    SMALL
        + match operation {
            Operation::Write { body, .. } => records(body),
            Operation::Create { body, .. } => body.as_deref().map_or(0, records),
            Operation::Execute { arguments, .. } => arguments.len(),
            Operation::ReadComposite { paths: body, .. } | Operation::WriteComposite { body } => {
                records(body)
            }
            Operation::WriteAttributes { attributes, .. } => 64 * attributes.len(),
            _ => 0,
        }
}

/// The memory that the result of an operation takes, about.
pub(crate) fn state_bytes(state: &OperationState) -> usize {
    match state {
        OperationState::Done(outcome) => {
            outcome.records.iter().map(record_bytes).sum::<usize>()
                + outcome.links.as_ref().map_or(0, String::len)
        }
        OperationState::Failed(
            OperateError::Device {
                diagnostic: text, ..
            }
            | OperateError::Invalid(text)
            | OperateError::Undecodable(text),
        ) => text.len(),
        _ => 0,
    }
}
