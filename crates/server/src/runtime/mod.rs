//! A running server: threads, sockets and inboxes around the shards.

mod inbox;
mod secure;
#[cfg(test)]
mod tests;
mod worker;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dunlin_coap::{Rng, TransmissionParameters};
use dunlin_lwm2m::ObjectVersion;
use dunlin_lwm2m::definition::ResourceType;
use dunlin_lwm2m::model::Models;
use dunlin_net::{Clock, OsRng, UdpSocket, Waker, available_cpus, drive, pin_to_cpu, unix_time};

use crate::access::Access;
use crate::control::{Control, EventBus, Shared, Waiters};
use crate::credentials::{self, CredentialService, CredentialsConfig, KeyFileError};
use crate::directory::Directory;
use crate::files::Files;
use crate::firmware::{FirmwareConfig, FirmwareService};
use crate::peer::Socket;
use crate::shard::{AWAKE_TIME, Limits, ObjectTypes, Shard, ShardConfig};
use crate::store::writer::{Listener, WriterHandle};
use crate::store::{MemoryStore, SqliteStore, Store, StoreError, Stored};

pub(crate) use inbox::Inbox;
pub use secure::DtlsConfig;
use secure::{NODE, Sessions};
use worker::{Around, Worker};

/// What a server is started with.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where to listen for CoAP over UDP, without security; port 0 picks a free one. `None` does not.
    pub coap: Option<SocketAddr>,
    /// Where to listen for CoAP over DTLS; port 0 picks a free one. `None` does not.
    pub coaps: Option<SocketAddr>,
    /// How DTLS is spoken there.
    pub dtls: DtlsConfig,
    /// Number of shards (threads with a socket of each kind); 0 is one for each CPU.
    pub shards: usize,
    /// Data folder; `None` keeps everything in memory only.
    pub data: Option<PathBuf>,
    /// Whether a Register is acknowledged only once it is on disk. Without a data folder it has no
    /// meaning.
    pub durable: bool,
    /// Whether each shard stays on a CPU of its own and prefers datagrams handled there. For a
    /// machine that does little else; needs as many shards as CPUs.
    pub pin: bool,
    /// Bounds of the tables of each shard.
    pub limits: Limits,
    /// CoAP transmission parameters.
    pub transmission: TransmissionParameters,
    /// How long a device in queue mode is expected to stay awake after each of its messages, as
    /// long as nothing else is said or learned about it.
    pub awake_time: Duration,
    /// Object definitions: types of resources for the shards, everything else for people.
    pub models: Arc<Models>,
    /// Bounds of firmware updates, and where devices fetch images.
    pub firmware: FirmwareConfig,
    /// Bounds of credentials, and the file with the key that encrypts them.
    pub credentials: CredentialsConfig,
}

impl Default for ServerConfig {
    /// A server on loopback without security, port 5683, in memory, one shard for each CPU, with the object
    /// definitions that come with Dunlin.
    fn default() -> Self {
        Self {
            coap: Some(SocketAddr::from(([127, 0, 0, 1], 5683))),
            coaps: None,
            dtls: DtlsConfig::default(),
            shards: 0,
            data: None,
            durable: true,
            pin: false,
            limits: Limits::default(),
            transmission: TransmissionParameters::default(),
            awake_time: AWAKE_TIME,
            models: Arc::new(Models::embedded()),
            firmware: FirmwareConfig::default(),
            credentials: CredentialsConfig::default(),
        }
    }
}

impl ObjectTypes for Models {
    fn resource_type(
        &self,
        object: u16,
        version: ObjectVersion,
        resource: u16,
    ) -> Option<ResourceType> {
        Some(self.resource(object, version, resource)?.resource_type())
    }
}

impl core::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServerConfig")
            .field("coap", &self.coap)
            .field("coaps", &self.coaps)
            .field("shards", &self.shards)
            .field("data", &self.data)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen at {address}: {}", hint(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file is missing, or not the right one.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// No threads or descriptors are left.
    #[error("the system has no room for another thread or descriptor: {0}")]
    System(std::io::Error),
}

impl From<credentials::OpenError> for StartError {
    fn from(error: credentials::OpenError) -> Self {
        match error {
            credentials::OpenError::KeyFile(error) => Self::KeyFile(error),
            credentials::OpenError::Database(error) => Self::Store(error.into()),
            credentials::OpenError::Key(error) => Self::System(std::io::Error::other(error)),
        }
    }
}

fn hint(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is in use; stop the other server or choose another port (0 picks a free one)"
                .to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need a privilege".to_owned()
        }
        _ => error.to_string(),
    }
}

/// A running server. Dropping it ends it as [`Server::shutdown`] does.
#[derive(Debug)]
pub struct Server {
    coap: Option<SocketAddr>,
    coaps: Option<SocketAddr>,
    control: Control,
    inboxes: Arc<[Inbox]>,
    bus: Arc<EventBus>,
    waiters: Arc<Waiters>,
    writer: WriterHandle,
    threads: Vec<JoinHandle<()>>,
    store: Option<JoinHandle<()>>,
}

/// Tells the shards what is on disk.
struct Report {
    inboxes: Arc<[Inbox]>,
    bus: Arc<EventBus>,
}

impl Listener for Report {
    fn durable(&mut self, shard: u16, through: u64) {
        if let Some(inbox) = self.inboxes.get(usize::from(shard)) {
            inbox.durable(through);
        }
    }

    fn next_event(&self) -> u64 {
        self.bus.next_id()
    }
}

impl Server {
    /// Restores what the data folder holds, then opens the sockets: every registration that was
    /// ever acknowledged is there before the first datagram is read.
    ///
    /// # Errors
    /// [`StartError`], in words for the person who started it.
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        let store: Box<dyn Store> = match &config.data {
            Some(folder) => Box::new(SqliteStore::open(folder)?),
            None => Box::new(MemoryStore),
        };
        let folder = config.data.clone();
        Self::run(config, store, folder.as_deref())
    }

    /// As [`Server::start`], with a store of the caller's; [`ServerConfig::data`] then only tells
    /// whether there is anything to wait for.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_with(config: ServerConfig, store: Box<dyn Store>) -> Result<Self, StartError> {
        Self::run(config, store, None)
    }

    /// `folder` is where images, firmware jobs and credentials are kept.
    fn run(
        config: ServerConfig,
        mut store: Box<dyn Store>,
        folder: Option<&Path>,
    ) -> Result<Self, StartError> {
        let cpus = available_cpus();
        let count = match config.shards {
            0 => cpus.len(),
            count => count,
        };
        // Location paths and the directory number shards with 16 bits.
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        let clock = Clock::new();
        let credentials = CredentialService::open(config.credentials.clone(), folder)?;
        let vault = credentials.vault().clone();
        let (mut shards, restored) = restore(&config, count, &clock, store.as_mut(), &credentials)?;
        let first_event = store.first_event()?;
        let directory = restored.directory;
        // Before the sockets: a device in the middle of a download goes on at once.
        let firmware =
            FirmwareService::open(config.firmware.clone(), folder, Arc::clone(&restored.files))
                .map_err(StoreError::from)?;

        let mut sockets = Sockets::new(count);
        let coap = sockets.bind(Socket::Coap, config.coap)?;
        let coaps = sockets.bind(Socket::Coaps, config.coaps)?;
        let inboxes = (0..count)
            .map(|_| Waker::new().map(Inbox::new))
            .collect::<Result<Arc<[Inbox]>, _>>()
            .map_err(StartError::System)?;
        secure::end_with_credentials(&credentials, Arc::clone(&inboxes));
        let bus = Arc::new(EventBus::new(first_event));
        let waiters = Arc::new(Waiters::default());
        let report = Report {
            inboxes: Arc::clone(&inboxes),
            bus: Arc::clone(&bus),
        };
        let (writer, thread) =
            WriterHandle::start(store, first_event, report).map_err(StartError::System)?;
        let control = Control::new(Shared {
            inboxes: Arc::clone(&inboxes),
            directory,
            models: Arc::clone(&config.models),
            bus: Arc::clone(&bus),
            writer: writer.clone(),
            files: restored.files,
            firmware,
            credentials,
            coap,
            coaps,
            started: std::time::Instant::now(),
            next_id: std::sync::atomic::AtomicU64::new(1),
            waiters: Arc::clone(&waiters),
        });
        let mut server = Self {
            coap,
            coaps,
            control,
            inboxes,
            bus,
            waiters: Arc::clone(&waiters),
            writer,
            threads: Vec::with_capacity(usize::from(count)),
            store: Some(thread),
        };
        let pinned = config.pin && count > 1 && usize::from(count) == cpus.len();
        let around = Around {
            inboxes: Arc::clone(&server.inboxes),
            writer: server.writer.clone(),
            bus: Arc::clone(&server.bus),
            waiters,
            sockets: sockets.kinds,
            vault,
        };
        for ((index, own), shard) in (0..).zip(sockets.of_shards).zip(shards.drain(..)) {
            let mut worker = Worker::new(index, shard, around.clone());
            let waker = server.inboxes[usize::from(index)].waker().clone();
            let cpu = cpus.get(usize::from(index)).copied().filter(|_| pinned);
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    if let Some(cpu) = cpu
                        && let Err(error) = pin_to_cpu(cpu)
                            .and_then(|()| own.iter().try_for_each(|socket| socket.steer_to(cpu)))
                    {
                        tracing::warn!(%error, cpu, "the shard is not bound to its CPU");
                    }
                    drive(&own, &waker, &clock, &mut worker);
                })
                // Dropping `server` ends the threads that run already.
                .map_err(StartError::System)?;
            server.threads.push(thread);
        }
        tracing::info!(
            ?coap,
            ?coaps,
            shards = count,
            registrations = restored.registrations,
            wishes = restored.wishes,
            operations = restored.operations,
            sessions = restored.sessions,
            "the server runs"
        );
        Ok(server)
    }

    /// Where it listens for CoAP without security, if it does.
    pub fn coap_address(&self) -> Option<SocketAddr> {
        self.coap
    }

    /// Where it listens for CoAP over DTLS, if it does.
    pub fn coaps_address(&self) -> Option<SocketAddr> {
        self.coaps
    }

    /// The control plane's handle.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Ends the server: what arrived is answered as far as it can be, everything is written.
    /// Blocks until that is done, a few seconds at most.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for inbox in self.inboxes.iter() {
            inbox.stop();
        }
        for thread in self.threads.drain(..) {
            // A panic was told when it happened.
            let _ = thread.join();
        }
        self.control.firmware().save();
        self.bus.close();
        self.waiters.close();
        self.writer.stop();
        if let Some(thread) = self.store.take() {
            let _ = thread.join();
        }
    }
}

/// The sockets of all shards: one of each kind for each.
struct Sockets {
    kinds: Vec<Socket>,
    of_shards: Vec<Vec<UdpSocket>>,
}

impl Sockets {
    fn new(shards: u16) -> Self {
        Self {
            kinds: Vec::new(),
            of_shards: (0..shards).map(|_| Vec::new()).collect(),
        }
    }

    fn bind(
        &mut self,
        kind: Socket,
        address: Option<SocketAddr>,
    ) -> Result<Option<SocketAddr>, StartError> {
        let Some(address) = address else {
            return Ok(None);
        };
        let group = UdpSocket::bind_group(address, self.of_shards.len())
            .map_err(|source| StartError::Bind { address, source })?;
        let bound = group.first().map(UdpSocket::local_address);
        for (own, socket) in self.of_shards.iter_mut().zip(group) {
            own.push(socket);
        }
        self.kinds.push(kind);
        Ok(bound)
    }
}

struct Restored {
    directory: Arc<Directory>,
    files: Arc<Files>,
    registrations: u64,
    wishes: u64,
    operations: u64,
    sessions: u64,
}

/// Builds the shards with everything the store holds.
fn restore(
    config: &ServerConfig,
    count: u16,
    clock: &Clock,
    store: &mut dyn Store,
    credentials: &CredentialService,
) -> Result<(Vec<Shard>, Restored), StoreError> {
    let access: Arc<dyn Access> = Arc::new(credentials.clone());
    let models: Arc<dyn ObjectTypes> = Arc::clone(&config.models) as _;
    let directory = Arc::new(Directory::new(count, OsRng::new().next_u64()));
    let files = Arc::<Files>::default();
    let now = clock.now();
    let unix_origin = unix_time() - now.as_micros() as f64 / 1e6;
    let mut shards: Vec<Shard> = (0..count)
        .map(|index| {
            Shard::new(ShardConfig {
                index,
                shards: count,
                node: NODE,
                limits: config.limits,
                transmission: config.transmission,
                unix_origin,
                durable: config.durable && config.data.is_some() && store.keeps(),
                stored: store.keeps(),
                awake_time: config.awake_time,
                directory: Arc::clone(&directory),
                models: Arc::clone(&models),
                files: Arc::clone(&files),
                access: Arc::clone(&access),
            })
        })
        .collect();
    let mut restored = Restored {
        directory,
        files,
        registrations: 0,
        wishes: 0,
        operations: 0,
        sessions: 0,
    };
    if config.coaps.is_some() {
        let own = credentials.own_key();
        for (index, shard) in (0..).zip(&mut shards) {
            shard.serve_dtls(config.dtls.of_shard(&own, index), &mut OsRng::new());
        }
    }
    let mut sessions = Sessions::new(credentials.vault());
    store.load(&mut |stored| match stored {
        Stored::Session(stored) => sessions.restore(now, &mut shards, stored),
        Stored::Registration(stored) => {
            // There may be fewer shards than last time.
            let owner = usize::from(Shard::owner(&stored, count));
            if shards[owner].restore(now, &stored) {
                restored.registrations += 1;
            } else {
                tracing::warn!(
                    endpoint = stored.endpoint,
                    "a stored registration is left out"
                );
            }
        }
        Stored::Wish(stored) => {
            let home = usize::from(restored.directory.home(&stored.endpoint));
            if shards[home].restore_wish(&stored) {
                restored.wishes += 1;
            } else {
                tracing::warn!(endpoint = stored.endpoint, "a stored wish is left out");
            }
        }
        Stored::Values(stored) => {
            let home = usize::from(restored.directory.home(&stored.endpoint));
            // Values without a wish are no loss.
            let _ = shards[home].restore_values(stored);
        }
        Stored::Profile { id, links } => {
            if let Some(shard) = shards.first_mut() {
                shard.restore_profile(&id, &links);
            }
        }
        Stored::Send(stored) => {
            let home = usize::from(restored.directory.home(&stored.endpoint));
            shards[home].restore_send(stored);
        }
        Stored::AwakeTime(stored) => {
            let home = usize::from(restored.directory.home(&stored.endpoint));
            shards[home].restore_awake_time(&stored);
        }
        Stored::NextOperation(next) => restored.directory.operations().reserve(next),
        Stored::Operation(stored) => {
            let home = usize::from(restored.directory.home(&stored.endpoint));
            shards[home].restore_operation(now, stored, &mut OsRng::new());
            restored.operations += 1;
        }
    })?;
    restored.sessions = sessions.commit(store)?;
    Ok((shards, restored))
}
