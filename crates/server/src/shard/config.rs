//! What a shard is built from.

use core::time::Duration;
use std::sync::Arc;

use dunlin_coap::TransmissionParameters;
use dunlin_lwm2m::ObjectVersion;
use dunlin_lwm2m::definition::ResourceType;

use crate::access::{Access, NoAccess};
use crate::directory::Directory;
use crate::files::Files;

/// Tells the type of a resource in the version of its object that a device announced. What the
/// object definition files say stands behind it; a shard never changes it.
pub trait ObjectTypes: Send + Sync {
    /// The type, or `None` when the resource is unknown.
    fn resource_type(
        &self,
        object: u16,
        version: ObjectVersion,
        resource: u16,
    ) -> Option<ResourceType>;
}

/// Knows no object.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObjectTypes;

impl ObjectTypes for NoObjectTypes {
    fn resource_type(
        &self,
        _object: u16,
        _version: ObjectVersion,
        _resource: u16,
    ) -> Option<ResourceType> {
        None
    }
}

/// MAX_TRANSMIT_WAIT of RFC 7252 §4.8.2.
pub const AWAKE_TIME: Duration = Duration::from_secs(93);

/// Everything a shard needs to know from the start.
#[derive(Clone)]
pub struct ShardConfig {
    /// Number of this shard, from 0.
    pub index: u16,
    /// How many shards there are, at least 1.
    pub shards: u16,
    /// Number of the node that the shards are of; connection IDs begin with it.
    pub node: u8,
    /// Bounds of every table.
    pub limits: Limits,
    /// CoAP transmission parameters (RFC 7252 §4.8). NSTART is 1 for each device, whatever they
    /// say.
    pub transmission: TransmissionParameters,
    /// Unix time in seconds at `Instant::ZERO`.
    pub unix_origin: f64,
    /// Whether replies that promise something durable wait for `Input::Durable`. With `false`
    /// they go out at once; `Output::Persist` comes all the same.
    pub durable: bool,
    /// Whether there is a store at all. With `false` nothing is persisted, and nothing waits for
    /// it.
    pub stored: bool,
    /// How long a device in queue mode is expected to stay awake after each of its messages, as
    /// long as nothing else is said or learned about it. The standard recommends
    /// MAX_TRANSMIT_WAIT, 93 s (Transport 1.2 §6.5).
    pub awake_time: Duration,
    /// Which shard holds which endpoint, and the wishes; one for all shards.
    pub directory: Arc<Directory>,
    /// Types of resources; one for all shards.
    pub models: Arc<dyn ObjectTypes>,
    /// Files that devices may fetch; one for all shards.
    pub files: Arc<Files>,
    /// Who may use which endpoint name; one for all shards.
    pub access: Arc<dyn Access>,
}

impl ShardConfig {
    /// A single shard with the default limits that knows no object and replies without waiting for
    /// the store.
    pub fn single(directory: Arc<Directory>) -> Self {
        Self {
            index: 0,
            shards: 1,
            node: 0,
            limits: Limits::default(),
            transmission: TransmissionParameters::default(),
            unix_origin: 0.0,
            durable: false,
            stored: true,
            awake_time: AWAKE_TIME,
            directory,
            models: Arc::new(NoObjectTypes),
            files: Arc::default(),
            access: Arc::new(NoAccess),
        }
    }
}

/// Bounds of the tables of a shard, and what happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Registrations of this shard; more are answered 5.03.
    pub registrations: u32,
    /// Registrations from one address and port (gateways and simulators share one), or in one DTLS
    /// session; more are answered 5.03.
    pub registrations_per_address: usize,
    /// Bytes of an endpoint name; a longer one is answered 4.00. At most 255.
    pub endpoint_bytes: usize,
    /// Bytes of the query parameters of a registration; more are answered 4.00.
    pub parameter_bytes: usize,
    /// Bytes of all object lists and parameters, equal ones counted once; when they are used up,
    /// a list or parameters that no device has yet are answered 5.03.
    pub shared_bytes: usize,
    /// Bytes of the object lists of all registrations, as the store holds them: each has its own.
    /// When they are used up, a registration whose list is longer than before is answered 5.03. A
    /// Profile ID of a few bytes stands for a long list, so their number alone bounds no disk.
    pub listed_bytes: usize,
    /// Replies that wait for the store; while there are more, requests that would be kept are
    /// answered 5.03.
    pub held: usize,
    /// Bytes of a body in the registration interface; a longer one is answered 4.13.
    pub body_bytes: usize,
    /// Links in an object list; more are answered 4.13.
    pub links: usize,
    /// Bodies being uploaded block by block at the same time; the longest idle gives way.
    pub uploads: usize,
    /// How long a partial body is kept without a new block; then the next block is answered 4.08.
    pub upload_idle: Duration,
    /// Operations waiting for one device; more are `OperateError::Overloaded`.
    pub operations_per_device: usize,
    /// Operations waiting in this shard in all.
    pub operations: usize,
    /// Bytes of an answer gathered from a device block by block.
    pub answer_bytes: usize,
    /// Records of one answer or notification.
    pub records: usize,
    /// Sends kept for each device; the oldest give way.
    pub sends_per_device: usize,
    /// Bytes of the Sends kept for each device; the oldest give way, the latest stays.
    pub send_bytes_per_device: usize,
    /// Bytes of the Sends kept in this shard; devices that have been silent for longest give way.
    pub send_bytes: usize,
    /// Bytes of Sends that are not on disk yet, since other devices wait for the same store; more
    /// are answered 5.03, and so is a second Send of a device that has more than a sixteenth there.
    pub unstored_send_bytes: usize,
    /// Paths of one composite operation or observation; more are refused.
    pub paths: usize,
    /// Wishes for one device.
    pub wishes_per_device: usize,
    /// Wishes for all devices of the server.
    pub wishes: usize,
    /// Requests to devices in flight at once, 1200 bytes each; more wait.
    pub exchanges: usize,
    /// Of these, requests of the shard's own accord (observations made again).
    pub paced: usize,
    /// Messages remembered for deduplication, about 64 bytes each; the oldest are forgotten.
    pub seen: usize,
    /// Bytes of answers kept for repetitions of their requests; the oldest are forgotten.
    pub reply_bytes: usize,
    /// Bytes of datagrams kept for traces, in both directions; the oldest are forgotten. 0 turns
    /// traces off.
    pub trace_bytes: usize,
    /// Bounds of the queues of operations.
    pub queue: QueueLimits,
}

/// Bounds of the queues of operations, which all shards share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Operations in the queue of one device; more are `OperateError::QueueFull`.
    pub operations_per_device: usize,
    /// Bytes of their content; more are `OperateError::QueueFull`.
    pub bytes_per_device: usize,
    /// Operations in all queues; more are `OperateError::Overloaded`.
    pub operations: usize,
    /// Bytes of their content; more are `OperateError::Overloaded`.
    pub bytes: usize,
    /// How often an operation that may be repeated is sent before it fails; a device that cannot
    /// cope with one must not be kept from the others.
    pub attempts: u32,
    /// Ended operations kept for one device; the oldest are forgotten.
    pub results_per_device: usize,
    /// Ended operations kept in all; the oldest are forgotten.
    pub results: usize,
    /// Bytes of them; the oldest are forgotten.
    pub result_bytes: usize,
    /// How long an ended operation is kept.
    pub results_kept: Duration,
    /// Devices whose awake time is said or learned; of more nothing is learned.
    pub awake_times: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            operations_per_device: 256,
            bytes_per_device: 4 * 1024 * 1024,
            operations: 1_000_000,
            bytes: 512 * 1024 * 1024,
            attempts: 5,
            results_per_device: 256,
            results: 1_000_000,
            result_bytes: 256 * 1024 * 1024,
            results_kept: Duration::from_secs(7 * 24 * 3600),
            awake_times: 1_000_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            registrations: 4_000_000,
            registrations_per_address: 4096,
            endpoint_bytes: 252,
            parameter_bytes: 2048,
            shared_bytes: 512 * 1024 * 1024,
            listed_bytes: 2 * 1024 * 1024 * 1024,
            held: 262_144,
            body_bytes: 64 * 1024,
            links: 4096,
            uploads: 1024,
            upload_idle: Duration::from_secs(247),
            operations_per_device: 64,
            operations: 100_000,
            answer_bytes: 1024 * 1024,
            records: 16_384,
            sends_per_device: 100,
            send_bytes_per_device: 1024 * 1024,
            send_bytes: 64 * 1024 * 1024,
            unstored_send_bytes: 16 * 1024 * 1024,
            paths: 256,
            wishes_per_device: 64,
            wishes: 4_000_000,
            exchanges: 8192,
            paced: 1024,
            seen: 65_536,
            reply_bytes: 2 * 1024 * 1024,
            trace_bytes: 4 * 1024 * 1024,
            queue: QueueLimits::default(),
        }
    }
}
