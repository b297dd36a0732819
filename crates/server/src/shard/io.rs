//! What goes into a shard and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;

use super::secure::StoredSession;
use crate::api::{
    Device, DeviceOperation, EventKind, NotCancelled, Observed, OperateError, OperateOptions,
    Outcome, Page, QueueOptions, QueuedOperation, Sent, Stats, Wish,
};
use crate::peer::Socket;
use crate::trace::Datagram;
use crate::upload::UploadBlock;
use dunlin_dtls::SessionId;
use dunlin_lwm2m::OwnedRecord;

/// What a shard is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram arrived at one of this shard's sockets.
    Datagram {
        /// Which.
        socket: Socket,
        /// Its source.
        from: SocketAddr,
        /// Its content.
        bytes: &'a [u8],
    },
    /// A datagram that another shard handed over ([`Output::Handover`]).
    HandedOver {
        /// The kind of socket it arrived at.
        socket: Socket,
        /// Its source.
        from: SocketAddr,
        /// Its content.
        bytes: &'a [u8],
        /// How often it was handed over.
        hops: u16,
    },
    /// The control plane asks for something.
    Command(Command),
    /// Everything persisted up to and including this sequence number is on disk.
    Durable {
        /// The last sequence number on disk.
        through: u64,
    },
    /// Time has passed; something may be due.
    Timeout,
}

/// A request of the control plane; the answer comes as [`Output::Reply`] with the same id.
#[derive(Debug)]
pub enum Command {
    /// Carry out an operation: [`Reply::Operated`].
    Operate {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// What to do.
        operation: DeviceOperation,
        /// How.
        options: OperateOptions,
    },
    /// Write one block of a large body: [`Reply::Operated`] with
    /// [`Outcome::upload`](crate::api::Outcome::upload), whatever the code.
    Upload {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// The block.
        block: UploadBlock,
    },
    /// Carry out an operation: [`Reply::Operated`], unless the device uses queue mode. Then the
    /// operation is queued: [`Reply::Queued`].
    Request {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// What to do.
        operation: DeviceOperation,
        /// How, if it is carried out at once.
        options: OperateOptions,
        /// How, if it is queued.
        queue: QueueOptions,
    },
    /// Queue an operation: [`Reply::Queued`]. Works for devices that are away, too.
    Enqueue {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// What to do.
        operation: DeviceOperation,
        /// How.
        queue: QueueOptions,
    },
    /// Cancel an operation that has not been sent: [`Reply::Cancelled`].
    Cancel {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// The operation.
        operation: u64,
    },
    /// Say how long a device in queue mode stays awake: [`Reply::AwakeTimeSet`].
    SetAwakeTime {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// Seconds; `None` takes back what was said and forgets what was learned.
        seconds: Option<u32>,
    },
    /// Look for operations that another shard queued for a device of this one; no reply.
    Look {
        /// The device.
        endpoint: String,
    },
    /// Look one device up: [`Reply::Device`].
    Device {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
    },
    /// List devices: [`Reply::Page`].
    Devices {
        /// Id of the reply.
        id: u64,
        /// Part of the endpoint name, any case; empty matches all.
        query: String,
        /// Only endpoints after this one.
        after: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Forget a registration: [`Reply::Removed`].
    Remove {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
    },
    /// Wish for an observation: [`Reply::Wish`]. Works for devices that are away, too.
    AddWish {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// What to observe.
        observed: Observed,
    },
    /// Drop a wish and cancel its observation: [`Reply::Removed`].
    RemoveWish {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// The wish.
        wish: u64,
    },
    /// List the wishes of a device: [`Reply::Wishes`].
    Wishes {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
    },
    /// Give the latest messages of a device: [`Reply::Trace`].
    Trace {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
    },
    /// What a device sent (Send): [`Reply::Sends`]. Each shard has a part of it.
    Sends {
        /// Id of the reply.
        id: u64,
        /// The device.
        endpoint: String,
        /// At most so many.
        limit: usize,
    },
    /// Counters: [`Reply::Stats`].
    Stats {
        /// Id of the reply.
        id: u64,
    },
    /// A credential was rotated or removed: end what was proven by it; no reply.
    CredentialEnded {
        /// The tag of the sessions made with it.
        tag: u64,
    },
    /// Another shard has taken a registration of this endpoint; drop ours (its number is older).
    Evict {
        /// The device.
        endpoint: String,
        /// The epoch of the newer registration.
        epoch: u64,
    },
}

/// An answer to the control plane.
#[derive(Debug)]
pub enum Reply {
    /// To [`Command::Operate`].
    Operated(Result<Outcome, OperateError>),
    /// To [`Command::Request`] and [`Command::Enqueue`], once the operation is on disk: the
    /// operation, and whether the device is awake.
    Queued(Result<(Arc<QueuedOperation>, bool), OperateError>),
    /// To [`Command::Cancel`], once that is on disk.
    Cancelled(Result<Arc<QueuedOperation>, NotCancelled>),
    /// To [`Command::SetAwakeTime`]: whether there was room for it.
    AwakeTimeSet(bool),
    /// To [`Command::Device`].
    Device(Option<Box<Device>>),
    /// To [`Command::Devices`].
    Page(Page),
    /// To [`Command::Remove`] and [`Command::RemoveWish`]: whether there was something.
    Removed(bool),
    /// To [`Command::AddWish`].
    Wish(Result<Wish, OperateError>),
    /// To [`Command::Wishes`]; `None` when the endpoint is unknown and has no wishes.
    Wishes(Option<Vec<Wish>>),
    /// To [`Command::Trace`]; `None` when nothing is known of the device here.
    Trace(Option<Vec<Datagram>>),
    /// To [`Command::Sends`], newest first.
    Sends {
        /// Whether the device is registered here.
        registered: bool,
        /// What it sent.
        sends: Vec<Sent>,
    },
    /// To [`Command::Stats`].
    Stats(Stats),
}

/// What a shard wants done.
#[derive(Debug)]
pub enum Output<'a> {
    /// Send a datagram from one of this shard's sockets.
    Transmit {
        /// Which.
        socket: Socket,
        /// Its destination.
        to: SocketAddr,
        /// Its content.
        bytes: &'a [u8],
    },
    /// Write to the store; answer with [`Input::Durable`] once it is on disk. Numbers grow by one.
    Persist {
        /// Its sequence number.
        sequence: u64,
        /// What to write.
        change: Persist,
    },
    /// Tell the control plane.
    Event {
        /// When, in Unix seconds.
        time: f64,
        /// The device.
        endpoint: String,
        /// What.
        kind: EventKind,
    },
    /// Answer a command.
    Reply {
        /// The command's id.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// A queued operation has ended, and that is on disk.
    Ended {
        /// The operation.
        operation: u64,
    },
    /// This datagram belongs to another shard.
    Handover {
        /// The shard that owns it, or that is to look next.
        shard: u16,
        /// The kind of socket it arrived at.
        socket: Socket,
        /// Its source.
        from: SocketAddr,
        /// How often it was handed over, this time included.
        hops: u16,
        /// Its content.
        bytes: &'a [u8],
    },
    /// Tell another shard to drop an older registration.
    Evict {
        /// The shard that held the endpoint so far.
        shard: u16,
        /// The device.
        endpoint: String,
        /// The epoch of the newer registration.
        epoch: u64,
    },
}

/// A change to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Persist {
    /// Insert or replace a registration, by endpoint.
    Registration(StoredRegistration),
    /// Remove a registration.
    RemoveRegistration {
        /// The device.
        endpoint: String,
        /// Of this epoch or older only.
        epoch: u64,
    },
    /// Insert or replace a wish.
    Wish(StoredWish),
    /// Remove a wish and its values.
    RemoveWish {
        /// The device.
        endpoint: String,
        /// The wish.
        id: u64,
    },
    /// Replace the last known values of a wish.
    Values(StoredValues),
    /// Keep what a Profile ID stands for.
    Profile {
        /// The Profile ID.
        id: String,
        /// Object list (link-format).
        links: String,
    },
    /// Forget a Profile ID.
    RemoveProfile {
        /// The Profile ID.
        id: String,
    },
    /// Keep what a device sent.
    Send(StoredSend),
    /// Forget what a device sent.
    RemoveSends {
        /// The device.
        endpoint: String,
        /// The last number of those to forget.
        through: u64,
    },
    /// Insert or replace an operation, by number; an older state than what is stored has no
    /// effect.
    Operation(Arc<QueuedOperation>),
    /// Remove an operation.
    RemoveOperation(u64),
    /// Replace what is known about the awake time of a device.
    AwakeTime(StoredAwakeTime),
    /// Insert or replace a DTLS association, by shard and name.
    Session(StoredSession),
    /// Remove a DTLS association.
    RemoveSession {
        /// The shard that owned it.
        shard: u16,
        /// Its name there.
        session: SessionId,
    },
}

/// What is known about the awake time of a device, as it lies in the store, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAwakeTime {
    /// The device.
    pub endpoint: String,
    /// What an operator says.
    pub wanted: Option<u32>,
    /// What was learned.
    pub learned: Option<u32>,
}

/// A registration as it lies in the store. Text columns, so that an operator can read them.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRegistration {
    /// The device.
    pub endpoint: String,
    /// Grows with each Register of any endpoint; fences writes of an older owner.
    pub epoch: u64,
    /// Shard that owns it.
    pub shard: u16,
    /// Last segment of the location path.
    pub registration_id: String,
    /// Source of the last Register or Update.
    pub address: SocketAddr,
    /// The DTLS association it came in.
    pub session: Option<SessionId>,
    /// The tag of the credential that was proven.
    pub credential: Option<u64>,
    /// Uri-Query of the Register with the changes of later Updates merged, joined by `&`.
    pub parameters: String,
    /// Object list as sent (link-format).
    pub links: String,
    /// Time of the Register in Unix seconds.
    pub registered_at: f64,
    /// Time of the last stored change in Unix seconds.
    pub updated_at: f64,
}

/// A wish as it lies in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredWish {
    /// The device.
    pub endpoint: String,
    /// Number, unique per device.
    pub id: u64,
    /// What to observe.
    pub observed: Observed,
}

/// A Send as it lies in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSend {
    /// The device.
    pub endpoint: String,
    /// What it sent.
    pub sent: Sent,
}

/// Last known values of a wish.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredValues {
    /// The device.
    pub endpoint: String,
    /// The wish.
    pub wish: u64,
    /// The records; times are Unix seconds.
    pub records: Vec<OwnedRecord>,
    /// When they arrived, in Unix seconds.
    pub updated_at: f64,
}
