//! What the application asks for: Send, samples for a later Send, and keeping both, and the
//! notifications of the time offline, over a reboot.

use core::fmt;
use core::time::Duration;

use dunlin_coap::Instant;
use dunlin_lwm2m::{Feature, Path};

use crate::access::Right;
use crate::client::{Client, ReportId};
use crate::keys::Keys;
use crate::log::{Head, Kind, Log};
use crate::object::Objects;
use crate::tree;

/// Why something is not sent, or not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no account with this Short Server ID.
    Unknown,
    /// The server does not allow Send: `/1/x/23` is true or absent (Core 1.2 §E.2).
    Muted,
    /// Send came with 1.1, and the server is registered with 1.0.
    Version,
    /// A path leads to nothing that this server could read.
    Path(Path),
    /// There is neither a sample nor a path.
    Nothing,
    /// The memory for what waits (`STORE`) cannot hold it.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no server with this Short Server ID"),
            Self::Muted => f.write_str("the server does not allow Send (/1/x/23)"),
            Self::Version => f.write_str("the server is of version 1.0, which has no Send"),
            Self::Path(path) => write!(f, "{path} is nothing that the server could read"),
            Self::Nothing => f.write_str("there is nothing to send"),
            Self::Full => f.write_str("there is no room for what is to be sent"),
        }
    }
}

impl core::error::Error for SendError {}

/// A storage did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageError;

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the storage failed, or holds what was not stored by this version")
    }
}

impl core::error::Error for StorageError {}

/// Keeps what waits to be reported over a reboot: one record of bytes, of at most `STORE`.
pub trait ReportStorage {
    /// Keeps a record in place of the one before.
    fn save(&mut self, record: &[u8]) -> Result<(), StorageError>;

    /// Copies the record to the beginning of `memory` and returns its length; 0 when there is
    /// none.
    fn load(&mut self, memory: &mut [u8]) -> Result<usize, StorageError>;
}

/// A storage in RAM, which survives as long as the memory does.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage<const N: usize>(heapless::Vec<u8, N>);

impl<const N: usize> ReportStorage for MemoryStorage<N> {
    fn save(&mut self, record: &[u8]) -> Result<(), StorageError> {
        self.0 = heapless::Vec::from_slice(record).map_err(|_| StorageError)?;
        Ok(())
    }

    fn load(&mut self, memory: &mut [u8]) -> Result<usize, StorageError> {
        memory
            .get_mut(..self.0.len())
            .ok_or(StorageError)?
            .copy_from_slice(&self.0);
        Ok(self.0.len())
    }
}

impl<
    O: Objects,
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
    const STORE: usize,
    K: Keys,
> Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
{
    /// Records what stands at a path now, with the time, for the next [`Client::send`] to this
    /// server: for a device that measures while it sleeps. When the memory is full the oldest of
    /// what waits goes: a sample (counted in [`Dropped::samples`](crate::Dropped::samples)), a
    /// stored notification or a Send.
    pub fn record(&mut self, now: Instant, server: u16, path: Path) -> Result<(), SendError> {
        self.check_send(server)?;
        let size = self.size_of(server, &path)?;
        self.make_room(size)?;
        self.keep(now, server, &path, Kind::Sample, 0)
    }

    /// Sends what was recorded for a server, and what stands at `paths` now (Core 1.2 §6.4.6).
    ///
    /// It goes as soon as the device is registered and not offline; what belongs together and fits
    /// goes in one message, the rest in further ones or in blocks.
    /// [`Event::Delivery`](crate::Event::Delivery) tells the end. Non-confirmable Sends are of
    /// version 1.2; a server of 1.1 gets a Confirmable one.
    ///
    /// # Errors
    ///
    /// Nothing is sent then, and what was recorded stays.
    pub fn send(
        &mut self,
        now: Instant,
        server: u16,
        paths: &[Path],
        confirmable: bool,
    ) -> Result<ReportId, SendError> {
        self.check_send(server)?;
        let is_sample = |head: &Head| head.kind == Kind::Sample && head.server == server;
        if paths.is_empty() && self.log().find(is_sample).is_none() {
            return Err(SendError::Nothing);
        }
        let mut size = 0;
        for path in paths {
            size += self.size_of(server, path)?;
        }
        self.make_room(size)?;
        let kind = if confirmable {
            Kind::ConfirmableSend
        } else {
            Kind::Send
        };
        let id = self.shared.next_report();
        self.log
            .as_slice_mut()
            .for_each(is_sample, |log, at| log.claim(at, kind, id));
        for path in paths {
            self.keep(now, server, path, kind, id)?;
        }
        Ok(ReportId(id))
    }

    fn check_send(&self, server: u16) -> Result<(), SendError> {
        let account = self.account(server).ok_or(SendError::Unknown)?;
        if account.server().mute_send != Some(false) {
            return Err(SendError::Muted);
        }
        let is_registered = self.sessions.iter().any(|session| {
            session.id(&self.shared) == server && session.registration.is_registered()
        });
        if is_registered && !Feature::Send.is_in(account.version()) {
            return Err(SendError::Version);
        }
        Ok(())
    }

    /// The room that an entry takes.
    fn size_of(&mut self, server: u16, path: &Path) -> Result<usize, SendError> {
        let error = SendError::Path(*path);
        tree::check_readable(&self.shared.tree, path).map_err(|_| error)?;
        let session = self
            .sessions
            .iter()
            .find(|session| session.id(&self.shared) == server)
            .ok_or(SendError::Unknown)?;
        let requester = session.requester(&self.shared);
        if !requester.may(&self.shared.tree, Right::Read, path) {
            return Err(error);
        }
        let length = self
            .shared
            .render_entry(requester, path, &[*path], &Path::ROOT)
            .ok_or(error)?;
        Ok(Log::<[u8]>::size(length))
    }

    fn make_room(&mut self, size: usize) -> Result<(), SendError> {
        let log = self.log.as_slice_mut();
        if !log.could_hold(size) {
            return Err(SendError::Full);
        }
        while !log.has_room(size) {
            let oldest = log.find(|head| head.is_waiting() && !head.is_flying);
            let (at, is_told) = oldest
                .map(|entry| (entry.at, entry.head.id != 0))
                .ok_or(SendError::Full)?;
            // Each end is told.
            if is_told && self.shared.events.is_full() {
                return Err(SendError::Full);
            }
            self.shared.evict(log, at, true);
        }
        Ok(())
    }

    fn keep(
        &mut self,
        now: Instant,
        server: u16,
        path: &Path,
        kind: Kind,
        id: u32,
    ) -> Result<(), SendError> {
        let session = self
            .sessions
            .iter()
            .find(|session| session.id(&self.shared) == server)
            .ok_or(SendError::Unknown)?;
        let requester = session.requester(&self.shared);
        let length = self
            .shared
            .render_entry(requester, path, &[*path], &Path::ROOT)
            .ok_or(SendError::Path(*path))?;
        let body = self.shared.payload.get(..length).unwrap_or_default();
        let head = Head::new(kind, id, server, *path, now);
        if self.log.as_slice_mut().push(&head, body) {
            Ok(())
        } else {
            Err(SendError::Full)
        }
    }

    pub(crate) fn log(&self) -> &Log<[u8]> {
        &self.log
    }

    /// Reports that wait: notifications of the time offline, and Sends.
    pub fn waiting_reports(&self) -> impl Iterator<Item = ReportId> {
        let mut last = 0;
        self.log().entries().filter_map(move |entry| {
            let is_new = entry.head.id != last && entry.head.id != 0;
            last = entry.head.id;
            is_new.then_some(ReportId(last))
        })
    }

    /// Tells the time of day, since 1970, so that what is stored over a reboot keeps its time.
    pub fn set_clock(&mut self, now: Instant, unix: Duration) {
        self.clock = Some(unix.saturating_sub(Duration::from_micros(now.as_micros())));
    }

    fn unix(&self, now: Instant) -> Option<Duration> {
        let clock = self.clock?;
        Some(clock + Duration::from_micros(now.as_micros()))
    }

    /// Whether what waits to be reported has changed since [`Client::save_reports`].
    pub fn has_unsaved_reports(&self) -> bool {
        self.log().is_unsaved
    }

    /// Stores what waits to be reported. Call it when [`Client::has_unsaved_reports`] says so and a
    /// reboot may come.
    pub fn save_reports(
        &mut self,
        now: Instant,
        storage: &mut dyn ReportStorage,
    ) -> Result<(), StorageError> {
        let unix = self.unix(now);
        storage.save(self.log.as_slice_mut().save(now, unix))
    }

    /// Takes what was stored before the reboot, in place of what waits. Notifications wait until the
    /// server observes the same path, or paths, again. Without [`Client::set_clock`] the time in
    /// between counts as none.
    pub fn load_reports(
        &mut self,
        now: Instant,
        storage: &mut dyn ReportStorage,
    ) -> Result<(), StorageError> {
        let unix = self.unix(now);
        let log = self.log.as_slice_mut();
        let mut is_empty = false;
        let loaded = log.load(now, unix, |memory| {
            let length = storage.load(memory).ok()?;
            is_empty = length == 0;
            Some(length)
        });
        let last = log.last_id();
        self.shared.last_report = self.shared.last_report.max(last);
        if loaded.is_some() || is_empty {
            Ok(())
        } else {
            Err(StorageError)
        }
    }
}
