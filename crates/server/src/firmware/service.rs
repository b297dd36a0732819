//! Runs jobs against the shards, one task each, and keeps what must outlive the process.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dunlin_coap::block::BlockSize;
use dunlin_coap::{Instant, Rng};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_net::{OsRng, unix_time};
use tokio::sync::watch;

use super::images::{Bytes, Image, ImageError, hex};
use super::job::{Ask, Facts, Job, Next, StoredJob, Told};
use super::store::FirmwareStore;
use super::{FirmwareConfig, FirmwareStatus, Method, Stage};
use crate::api::{DeviceOperation, EventKind, OperateError, OperateOptions};
use crate::control::{Control, Happened};
use crate::files::{Files, Offer};
use crate::upload::UploadBlock;

/// Ended jobs kept, so that it can be asked how they ended; the oldest give way.
const ENDED: usize = 10_000;
/// Progress is told and kept so often at most.
const PACE: Duration = Duration::from_secs(1);

/// Images, and the jobs that bring them to devices. Clones are equal.
#[derive(Clone, Debug)]
pub struct FirmwareService {
    inner: Arc<Inner>,
}

/// Locks are taken in this order. Those of bytes and store are held during disk access.
#[derive(Debug)]
struct Inner {
    config: FirmwareConfig,
    files: Arc<Files>,
    bytes: Mutex<Bytes>,
    state: Mutex<State>,
    store: Mutex<FirmwareStore>,
}

#[derive(Debug, Default)]
struct State {
    images: Vec<Image>,
    jobs: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    stored: StoredJob,
    /// What the device may fetch.
    offer: Option<Arc<Offer>>,
    /// Ends the task of a job under way.
    cancel: Option<watch::Sender<bool>>,
}

impl Entry {
    const fn is_running(&self) -> bool {
        !self.stored.status.stage.is_end()
    }
}

/// What is to be brought to which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartUpdate {
    /// The device.
    pub endpoint: String,
    /// Id of the image.
    pub image: String,
    /// How; `None` leaves it to the server, by what the device can.
    pub method: Option<Method>,
    /// Whether to install it once it is there.
    pub install: bool,
}

/// Why an update does not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// There is no image of this id.
    #[error("there is no image {0:?}")]
    UnknownImage(String),
    /// A device takes one image at a time.
    #[error("a firmware update of this device is under way; cancel it first")]
    Busy,
    /// There is no job.
    #[error("this device has no firmware update under way")]
    NoJob,
    /// The device has been told to install.
    #[error("the device is installing; that cannot be taken back")]
    TooLate,
    /// Too many jobs.
    #[error("{0} firmware updates are under way, the most this server does at a time")]
    TooMany(usize),
    /// The image or the job cannot be kept.
    #[error(transparent)]
    Image(#[from] ImageError),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FirmwareService {
    /// Reads what is kept in the data folder, and puts on offer again what devices were fetching.
    pub(crate) fn open(
        config: FirmwareConfig,
        folder: Option<&FilePath>,
        files: Arc<Files>,
    ) -> rusqlite::Result<Self> {
        let store = FirmwareStore::open(folder)?;
        let (images, jobs) = store.load()?;
        let mut bytes = Bytes::new(folder.map(|folder| folder.join("firmware")));
        bytes.tidy(&images);
        let mut state = State {
            images,
            ..State::default()
        };
        for stored in jobs {
            let offer = (stored.status.stage == Stage::Pulling).then(|| {
                let image = state
                    .images
                    .iter()
                    .find(|image| image.id == stored.status.image)?;
                let content = bytes
                    .get(&image.sha256)
                    .inspect_err(|error| tracing::warn!(%error, image = image.id, "not offered"))
                    .ok()?;
                let offer = Arc::new(Offer::new(&image.segment(), content, image.etag()));
                offer.serve(stored.status.sent as usize);
                files.offer(&stored.token, Arc::clone(&offer));
                Some(offer)
            });
            let entry = Entry {
                offer: offer.flatten(),
                cancel: None,
                stored,
            };
            state
                .jobs
                .insert(entry.stored.status.endpoint.clone(), entry);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                files,
                bytes: Mutex::new(bytes),
                state: Mutex::new(state),
                store: Mutex::new(store),
            }),
        })
    }

    /// Goes on with jobs that were under way when the server ended. Needs a tokio runtime, as
    /// [`start`](Self::start) does; calling it twice does nothing more.
    pub fn resume(&self, control: &Control) {
        let mut state = lock(&self.inner.state);
        for entry in state.jobs.values_mut() {
            if entry.is_running() && entry.cancel.is_none() {
                let (cancel, cancelled) = watch::channel(false);
                entry.cancel = Some(cancel);
                let job = (entry.stored.clone(), false);
                self.spawn(control, job, entry.offer.clone(), cancelled);
            }
        }
    }

    /// Bytes of an image at most.
    pub fn largest_image(&self) -> usize {
        self.inner.config.image_bytes
    }

    /// The images, the newest first.
    pub fn images(&self) -> Vec<Image> {
        let mut images = lock(&self.inner.state).images.clone();
        images.sort_by(|left, right| right.created_at.total_cmp(&left.created_at));
        images
    }

    /// The image of this id.
    pub fn image(&self, id: &str) -> Option<Image> {
        let state = lock(&self.inner.state);
        state.images.iter().find(|image| image.id == id).cloned()
    }

    /// Keeps an image; on return it is on disk. The same bytes under another name are the same
    /// image, which takes the new name. Blocks.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn add(&self, name: &str, content: &[u8]) -> Result<Image, ImageError> {
        let config = &self.inner.config;
        if content.len() > config.image_bytes {
            return Err(ImageError::TooLarge(config.image_bytes));
        }
        let image = Image::of(name, content, unix_time())?;
        let mut bytes = lock(&self.inner.bytes);
        {
            let state = lock(&self.inner.state);
            image.check_among(&state.images)?;
            let others = state.images.iter().filter(|other| other.id != image.id);
            if others.count() >= config.images {
                return Err(ImageError::TooMany(config.images));
            }
        }
        bytes.add(&image.sha256, content)?;
        lock(&self.inner.store).write_image(&image)?;
        let mut state = lock(&self.inner.state);
        state.images.retain(|other| other.id != image.id);
        state.images.push(image.clone());
        Ok(image)
    }

    /// Forgets an image. Blocks.
    ///
    /// # Errors
    /// [`ImageError::Unknown`], [`ImageError::InUse`].
    pub fn remove(&self, id: &str) -> Result<(), ImageError> {
        let mut bytes = lock(&self.inner.bytes);
        let image = {
            let mut state = lock(&self.inner.state);
            let user = state
                .jobs
                .values()
                .find(|entry| entry.is_running() && entry.stored.status.image == id);
            if let Some(user) = user {
                return Err(ImageError::InUse(user.stored.status.endpoint.clone()));
            }
            let index = state.images.iter().position(|image| image.id == id);
            let index = index.ok_or_else(|| ImageError::Unknown(id.to_owned()))?;
            state.images.remove(index)
        };
        lock(&self.inner.store).remove_image(id)?;
        bytes.remove(&image.sha256)
    }

    /// How the latest update of a device stands; `None` when there was none.
    pub fn status(&self, endpoint: &str) -> Option<FirmwareStatus> {
        let state = lock(&self.inner.state);
        Some(state.jobs.get(endpoint)?.stored.status.clone())
    }

    /// Begins an update; it goes on by itself, also after a restart of the server. Blocks until the
    /// job is on disk, and needs a tokio runtime.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn start(
        &self,
        control: &Control,
        start: StartUpdate,
    ) -> Result<FirmwareStatus, UpdateError> {
        let mut token = [0; 16];
        OsRng::new().fill(&mut token);
        let mut state = lock(&self.inner.state);
        let image = state.images.iter().find(|image| image.id == start.image);
        let Some(image) = image.cloned() else {
            return Err(UpdateError::UnknownImage(start.image));
        };
        let before = state.jobs.get(&start.endpoint);
        if before.is_some_and(Entry::is_running) {
            return Err(UpdateError::Busy);
        }
        let is_there = before.is_some_and(|before| {
            let status = &before.stored.status;
            status.stage == Stage::Done && !status.install && status.image == image.id
        });
        let jobs = self.inner.config.jobs;
        if state
            .jobs
            .values()
            .filter(|entry| entry.is_running())
            .count()
            >= jobs
        {
            return Err(UpdateError::TooMany(jobs));
        }
        let stored = StoredJob {
            status: FirmwareStatus {
                endpoint: start.endpoint.clone(),
                image: image.id,
                image_name: image.name,
                size: image.size,
                method: start.method,
                install: start.install,
                stage: Stage::Starting,
                text: "looking at the device".to_owned(),
                sent: 0,
                device_state: None,
                result: None,
                version_before: None,
                version_after: None,
                started_at: unix_time(),
                finished_at: None,
            },
            wanted: start.method,
            token: hex(&token),
            registration: None,
            block_size: BlockSize::MAX.bytes(),
        };
        let status = stored.status.clone();
        let (cancel, cancelled) = watch::channel(false);
        let entry = Entry {
            stored: stored.clone(),
            offer: None,
            cancel: Some(cancel),
        };
        let before = state.jobs.insert(start.endpoint.clone(), entry);
        let gone = oldest_ended(&state);
        drop(state);
        let kept = lock(&self.inner.store).write_job(&stored);
        if let Err(error) = kept {
            let mut state = lock(&self.inner.state);
            match before {
                Some(before) => state.jobs.insert(start.endpoint, before),
                None => state.jobs.remove(&start.endpoint),
            };
            return Err(ImageError::from(error).into());
        }
        if let Some(gone) = gone {
            lock(&self.inner.state).jobs.remove(&gone);
            // What is not removed now is there once more after a restart, and removed then.
            let _ = lock(&self.inner.store).remove_job(&gone);
        }
        self.spawn(control, (stored, is_there), None, cancelled);
        Ok(status)
    }

    /// Ends an update that is under way; what the device has got of it is taken back if it can be
    /// reached. Returns how it stood.
    ///
    /// # Errors
    /// [`UpdateError::NoJob`], [`UpdateError::TooLate`].
    pub fn cancel(&self, endpoint: &str) -> Result<FirmwareStatus, UpdateError> {
        let state = lock(&self.inner.state);
        let entry = state.jobs.get(endpoint).filter(|entry| entry.is_running());
        let entry = entry.ok_or(UpdateError::NoJob)?;
        if entry.stored.status.stage == Stage::Installing {
            return Err(UpdateError::TooLate);
        }
        if let Some(cancel) = &entry.cancel {
            cancel.send_replace(true);
        }
        Ok(entry.stored.status.clone())
    }

    /// Writes how jobs under way stand, for the end of the process.
    pub(crate) fn save(&self) {
        let running: Vec<StoredJob> = lock(&self.inner.state)
            .jobs
            .values()
            .filter(|entry| entry.is_running())
            .map(|entry| entry.stored.clone())
            .collect();
        let store = lock(&self.inner.store);
        for job in &running {
            if let Err(error) = store.write_job(job) {
                tracing::warn!(%error, endpoint = job.status.endpoint, "progress is not kept");
            }
        }
    }

    fn spawn(
        &self,
        control: &Control,
        (stored, is_there): (StoredJob, bool),
        offer: Option<Arc<Offer>>,
        cancelled: watch::Receiver<bool>,
    ) {
        let run = Run {
            service: self.clone(),
            control: control.clone(),
            endpoint: stored.status.endpoint.clone(),
            token: stored.token.clone(),
            image: stored.status.image.clone(),
            offer,
            bytes: None,
            origin: tokio::time::Instant::now(),
            told: None,
            kept: None,
        };
        tokio::spawn(run.drive(stored, is_there, cancelled));
    }

    /// Keeps how a job stands, in memory.
    fn remember(&self, stored: &StoredJob) {
        let mut state = lock(&self.inner.state);
        if let Some(entry) = state.jobs.get_mut(&stored.status.endpoint) {
            entry.stored.clone_from(stored);
            if !entry.is_running() {
                entry.offer = None;
                entry.cancel = None;
            }
        }
    }
}

fn oldest_ended(state: &State) -> Option<String> {
    let ended = || {
        let jobs = state.jobs.values();
        jobs.filter_map(|entry| Some((entry, entry.stored.status.finished_at?)))
    };
    if ended().count() < ENDED {
        return None;
    }
    let oldest = ended().min_by(|(_, left), (_, right)| left.total_cmp(right))?;
    Some(oldest.0.stored.status.endpoint.clone())
}

/// The task of one job.
struct Run {
    service: FirmwareService,
    control: Control,
    endpoint: String,
    token: String,
    image: String,
    offer: Option<Arc<Offer>>,
    bytes: Option<Arc<[u8]>>,
    origin: tokio::time::Instant,
    /// What was told and kept last, and when.
    told: Option<(FirmwareStatus, Duration)>,
    kept: Option<(StoredJob, Duration)>,
}

impl Run {
    fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed()
    }

    async fn drive(
        mut self,
        stored: StoredJob,
        is_there: bool,
        mut cancelled: watch::Receiver<bool>,
    ) {
        let mut job = Job::new(self.now(), stored, is_there);
        if let Err(error) = self.load().await {
            job.fail(unix_time(), format!("the image cannot be read: {error}"));
        }
        loop {
            self.report(&job).await;
            if self.control.is_stopped() {
                return;
            }
            let next = job.next(self.now());
            let told = tokio::select! {
                biased;
                Ok(()) = cancelled.changed() => {
                    job.cancel(self.now(), unix_time());
                    continue;
                }
                told = self.follow(next) => told,
            };
            // What a server says that ends is no word of the device.
            if self.control.is_stopped() {
                return;
            }
            let Some(told) = told else { break };
            job.told(self.now(), unix_time(), told);
        }
        self.service.inner.files.withdraw(&self.token);
    }

    async fn load(&mut self) -> Result<(), ImageError> {
        let service = self.service.clone();
        let id = self.image.clone();
        let offer = self.offer.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let image = service.image(&id).ok_or(ImageError::Unknown(id))?;
            let bytes = lock(&service.inner.bytes).get(&image.sha256)?;
            let offer = offer.unwrap_or_else(|| {
                let offer = Offer::new(&image.segment(), Arc::clone(&bytes), image.etag());
                Arc::new(offer)
            });
            Ok::<_, ImageError>((bytes, offer))
        });
        let (bytes, offer) = loaded.await.map_err(std::io::Error::other)??;
        self.bytes = Some(bytes);
        self.offer = Some(offer);
        Ok(())
    }

    /// Tells and keeps how the job stands: what matters at once, progress now and then.
    async fn report(&mut self, job: &Job) {
        let at = self.origin.elapsed();
        let (stored, status) = (job.stored(), job.status());
        self.service.remember(stored);
        let is_due = |last: Duration| at.saturating_sub(last) >= PACE;
        let tell = match &self.told {
            None => true,
            Some((told, last)) => told != status && (told.stage != status.stage || is_due(*last)),
        };
        if tell {
            self.told = Some((status.clone(), at));
            self.control.publish(Happened {
                time: unix_time(),
                endpoint: self.endpoint.clone(),
                kind: EventKind::Firmware(status.clone()),
            });
        }
        let keep = match &self.kept {
            None => true,
            Some((kept, last)) => {
                let matters = kept.status.stage != status.stage
                    || kept.status.method != status.method
                    || kept.registration != stored.registration;
                kept != stored && (matters || is_due(*last))
            }
        };
        if keep {
            self.kept = Some((stored.clone(), at));
            let (service, stored) = (self.service.clone(), stored.clone());
            let write = move || lock(&service.inner.store).write_job(&stored);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                tracing::error!(%error, endpoint = self.endpoint, "a firmware job is not kept");
            }
        }
    }

    /// Does what the machine wants; `None` at its end.
    async fn follow(&self, next: Next) -> Option<Told> {
        Some(match next {
            Next::End => return None,
            Next::Sleep(time) => {
                tokio::time::sleep(time).await;
                let served = self.offer.as_ref().map_or(0, |offer| offer.served());
                Told::Slept { served }
            }
            Next::Ask(ask, timeout) => self.ask(ask, timeout).await,
        })
    }

    async fn ask(&self, ask: Ask, timeout: Duration) -> Told {
        match ask {
            Ask::Device => match self.control.device(&self.endpoint).await {
                Ok(device) => Told::Device(device.as_ref().map(Facts::from)),
                Err(unavailable) => Told::Answer(Err(unavailable.into())),
            },
            Ask::Read(path) => {
                self.operate(Operation::Read { path, accept: None }, timeout)
                    .await
            }
            Ask::Write(path, text) => self.write(path, OwnedValue::String(text), timeout).await,
            Ask::WriteNul => {
                let path = Path::resource(5, 0, 0);
                self.write(path, OwnedValue::Opaque(vec![0]), timeout).await
            }
            Ask::Execute(path) => {
                let arguments = String::new();
                self.operate(Operation::Execute { path, arguments }, timeout)
                    .await
            }
            Ask::Offer => match self.address().await {
                Ok(uri) => {
                    let path = Path::resource(5, 0, 1);
                    self.write(path, OwnedValue::String(uri), timeout).await
                }
                Err(error) => Told::Answer(Err(error)),
            },
            Ask::Block {
                range,
                block,
                size1,
            } => {
                let bytes = self.bytes.as_ref().and_then(|bytes| bytes.get(range));
                let block = UploadBlock {
                    path: Path::resource(5, 0, 0),
                    format: ContentFormat::OPAQUE,
                    block,
                    size1,
                    bytes: bytes.unwrap_or_default().to_vec(),
                    timeout,
                };
                Told::Block(self.control.upload(&self.endpoint, block).await)
            }
        }
    }

    async fn write(&self, path: Path, value: OwnedValue, timeout: Duration) -> Told {
        let operation = Operation::Write {
            path,
            mode: WriteMode::Replace,
            body: vec![OwnedRecord::new(path, value)],
        };
        self.operate(operation, timeout).await
    }

    async fn operate(&self, operation: DeviceOperation, timeout: Duration) -> Told {
        let options = OperateOptions {
            format: None,
            timeout,
            confirmable: true,
        };
        let operate = self.control.operate(&self.endpoint, operation, options);
        Told::Answer(operate.await)
    }

    /// Puts the image on offer and gives its address.
    async fn address(&self) -> Result<String, OperateError> {
        let Some(offer) = &self.offer else {
            return Err(OperateError::Invalid("the image is not loaded".to_owned()));
        };
        let files = &self.service.inner.files;
        let device = self.control.device(&self.endpoint).await?;
        let device = device.ok_or(OperateError::UnknownEndpoint)?;
        // A device with DTLS fetches over it; what is offered is nobody else's business.
        let coap = self.control.coap_address();
        let coaps = self.control.coaps_address();
        let (scheme, server) = match (device.security, coap, coaps) {
            (Some(_), _, Some(coaps)) | (_, None, Some(coaps)) => ("coaps", coaps),
            (_, Some(coap), _) => ("coap", coap),
            (_, None, None) => return Err(OperateError::Overloaded),
        };
        let host = match &self.service.inner.config.advertise {
            Some(host) => host.clone(),
            None => own_address(server, device.address)
                .map_err(|error| {
                    let text = format!("the server's own address is not known: {error}");
                    OperateError::Invalid(text)
                })?
                .to_string(),
        };
        files.offer(&self.token, Arc::clone(offer));
        Ok(format!(
            "{scheme}://{host}/fw/{}/{}",
            self.token, offer.name
        ))
    }
}

/// The address of the server as a device sees it, if nothing translates between them. Connecting a
/// socket for datagrams sends none; it asks the routing table.
fn own_address(server: SocketAddr, device: SocketAddr) -> std::io::Result<SocketAddr> {
    if !server.ip().is_unspecified() {
        return Ok(server);
    }
    let device = SocketAddr::new(device.ip().to_canonical(), device.port());
    let any: SocketAddr = match device {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(device)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), server.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_address_is_the_one_on_the_way_to_the_device() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("address");
        let own = |server, device| own_address(address(server), address(device)).expect("a route");
        assert_eq!(
            own("192.0.2.1:5683", "127.0.0.1:9"),
            address("192.0.2.1:5683")
        );
        assert_eq!(
            own("0.0.0.0:5683", "127.0.0.1:9"),
            address("127.0.0.1:5683")
        );
        assert_eq!(
            own("[::]:5683", "[::ffff:127.0.0.1]:9"),
            address("127.0.0.1:5683")
        );
    }
}
