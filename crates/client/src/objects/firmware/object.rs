//! Object 5 with the storage of a device behind it.
//!
//! ```text
//!         first block, URI            complete                Update            confirmed: 1
//! Idle ----------------------> Downloading ---> Downloaded -----------> Updating -----------> Idle
//!   ^                               |             |     ^                  |
//!   '-- reset: 0, Cancel: 10, ------'-------------'     '----- failed: 8 --'
//!       download failed: 2 to 7, 9
//! ```

use core::ops::Deref;
use core::time::Duration;

use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::definition::ObjectDefinition;
use dunlin_lwm2m::{Arguments, Value};
use heapless::Vec;

use super::state::{FirmwareState, FirmwareUpdate, UpdateResult};
use crate::image::{
    Fetch, FetchFailure, ImageStorage, Images, Intake, MAX_STATE, Piece, Reader, Upload, Writer,
};
use crate::object::{Changes, Field, FieldError, Instance, Multiple, Object, ObjectInstance, Tick};

/// How long the installation waits, so that the answer to Update and the notification of state
/// Updating leave before a reboot; longer than a server takes to repeat a request that was not
/// answered (RFC 7252 §4.8: 2 to 3 seconds).
const INSTALL_AFTER: Duration = Duration::from_secs(4);

/// Protocol 0 of `/5/0/8`: CoAP.
const PULL: u8 = 0;
const PUSH: u8 = 1;

/// How a device stores and installs firmware.
pub trait FirmwareStorage: ImageStorage {
    /// Installs the image that is stored.
    fn install(&mut self) -> Installation;

    /// The device has started in the middle of an update: what is running?
    fn booted(&mut self) -> Boot {
        Boot::Previous
    }

    /// The application is content with the new image: it stays. The image that was stored may go.
    fn confirm(&mut self) {}

    /// The application is not content with the new image: the previous one runs after the next
    /// reboot. Returns whether the image can be installed again without a download.
    fn roll_back(&mut self) -> bool {
        true
    }

    /// Asks the user, when the server allows to put an update off (`/5/0/13`). With `false` it is
    /// put off until [`Firmware::agree`], at most for the time the server gave. `severity`: 0
    /// critical, 1 mandatory, 2 optional.
    fn may_install(&mut self, _severity: u8) -> bool {
        true
    }
}

/// How an installation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installation {
    /// The new image starts with a reboot: [`Event::Reboot`](crate::Event::Reboot) asks the
    /// application for it. Afterwards [`Firmware::new`] asks [`FirmwareStorage::booted`].
    Reboot,
    /// It goes on; the application calls [`Firmware::installed`] or [`Firmware::failed`].
    Running,
    /// The new firmware runs.
    Done,
    /// It has failed.
    Failed {
        /// Whether another attempt may succeed: the image stays, in state Downloaded.
        keeps_image: bool,
    },
}

/// What runs after a reboot in the middle of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// The new image, for good: the update has succeeded.
    New,
    /// The new image, on trial: the application calls [`Firmware::installed`] or
    /// [`Firmware::roll_back`].
    Trial,
    /// The previous image, with the new one still stored: the update has failed.
    Previous,
    /// The previous image, and the new one is unusable.
    PreviousOnly,
}

/// Object 5, Firmware Update: push and pull, all states and results.
///
/// It dereferences to its resources. `S` stores and installs; see the chapter "Firmware update on a
/// device" of the book.
#[derive(Debug)]
pub struct Firmware<S> {
    update: FirmwareUpdate,
    intake: Intake<S>,
    changed: bool,
    /// When the installation begins, once Updating.
    install: Install,
    /// When the user is not asked any longer.
    defer: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Install {
    Not,
    Asked,
    At(Instant),
}

impl<S> Deref for Firmware<S> {
    type Target = FirmwareUpdate;

    fn deref(&self) -> &FirmwareUpdate {
        &self.update
    }
}

impl<S: FirmwareStorage> Firmware<S> {
    /// The object, in the state that the storage has kept: a download that a reboot has
    /// interrupted goes on where it can, an update is over.
    pub fn new(storage: S) -> Self {
        let mut firmware = Self {
            update: FirmwareUpdate::default(),
            intake: Intake::new(storage),
            changed: false,
            install: Install::Not,
            defer: None,
        };
        firmware.load();
        firmware
    }

    /// The same with this Firmware Update Delivery Method: 0 pull, 1 push, 2 both (the default).
    /// A Write to the resource of the other one is refused with 4.00.
    #[must_use]
    pub fn with_delivery_method(mut self, method: u8) -> Self {
        self.update.delivery_method = method.min(2);
        if method == PUSH {
            self.update.set_protocols(Multiple::new());
        }
        self
    }

    fn load(&mut self) {
        let mut buffer = [0; MAX_STATE];
        let length = self.intake.storage.load(&mut buffer);
        let mut loaded = FirmwareUpdate::default();
        let mut record = Reader(buffer.get(..length).unwrap_or_default());
        if loaded.read(&mut record).is_none() {
            return;
        }
        self.update = loaded;
        match self.update.state() {
            FirmwareState::Idle => {}
            FirmwareState::Downloading => self.resume_download(),
            FirmwareState::Downloaded => {
                if self.intake.storage.stored() == 0 {
                    self.change(FirmwareUpdate::reset);
                }
            }
            FirmwareState::Updating => match self.intake.storage.booted() {
                Boot::New => self.installed(),
                Boot::Trial => {}
                Boot::Previous => self.ended(UpdateResult::Failed, true),
                Boot::PreviousOnly => self.ended(UpdateResult::Failed, false),
            },
        }
    }

    fn resume_download(&mut self) {
        // A server begins a push anew (RFC 7959 §2.4: the blocks before are not known, 4.08).
        let mut result = Some(UpdateResult::ConnectionLost);
        if !self.update.package_uri().is_empty() {
            let tag = self.update.tag.clone();
            let started = self.intake.start_fetch(self.update.package_uri(), &tag);
            result = started.err().map(UpdateResult::from);
        }
        if let Some(result) = result {
            self.intake.abort();
            self.change(|update| update.download_failed(result));
        }
    }

    /// The storage.
    pub const fn storage(&self) -> &S {
        &self.intake.storage
    }

    /// The storage, to be changed.
    pub const fn storage_mut(&mut self) -> &mut S {
        &mut self.intake.storage
    }

    /// The storage alone, to make the object anew as a reboot does.
    pub fn into_storage(self) -> S {
        self.intake.storage
    }

    /// The new firmware runs, and is to stay: success.
    pub fn installed(&mut self) {
        if self.update.state() == FirmwareState::Updating {
            self.intake.storage.confirm();
            self.ended(UpdateResult::Success, false);
        }
    }

    /// The update has failed, before the new firmware ran. `keeps_image`: another attempt may
    /// succeed. An image whose integrity is in doubt ([`UpdateResult::Integrity`]) never stays.
    pub fn failed(&mut self, result: UpdateResult, keeps_image: bool) {
        if self.update.state() == FirmwareState::Updating {
            let keeps_image = keeps_image && result != UpdateResult::Integrity;
            self.ended(result, keeps_image);
        }
    }

    /// The new firmware runs on trial, and is not good: the previous one is to come back with the
    /// reboot that follows. The update has failed.
    pub fn roll_back(&mut self) {
        if self.update.state() == FirmwareState::Updating {
            let keeps_image = self.intake.storage.roll_back();
            self.ended(UpdateResult::Failed, keeps_image);
        }
    }

    /// The user agrees to an update that was put off.
    pub fn agree(&mut self) {
        if self.update.is_deferred() {
            self.change(FirmwareUpdate::update);
        }
    }

    /// Puts what the protocols of a Package URI can be into `/5/0/8`; only 0, CoAP, is fetched by
    /// the engine itself.
    pub fn set_protocols(&mut self, protocols: Multiple<u8, 4>) {
        self.update.set_protocols(protocols);
        self.changed = true;
    }

    fn ended(&mut self, result: UpdateResult, keeps_image: bool) {
        if !keeps_image {
            self.intake.abort();
        }
        self.change(|update| update.updated(result, keeps_image));
    }

    /// Changes the state by something that is no write.
    fn change(&mut self, change: impl FnOnce(&mut FirmwareUpdate)) {
        let mut update = self.update.clone();
        change(&mut update);
        self.commit(update);
    }

    /// Takes a changed state into force: what it implies for the transfer, the installation and
    /// the record that outlives a reboot.
    fn commit(&mut self, mut update: FirmwareUpdate) {
        let before = self.update.state();
        let after = update.state();
        if after != before {
            update.stamp(self.intake.storage.unix_time());
        }
        let is_idle_anew = before != after || update.result() != self.update.result();
        if after == FirmwareState::Idle && is_idle_anew {
            // What a lost connection has left may serve the next attempt; the rest is of no use.
            if update.result() == UpdateResult::ConnectionLost {
                self.intake.stop();
            } else {
                self.intake.abort();
            }
        }
        self.install = match (after, self.install) {
            (FirmwareState::Updating, Install::Not) if before != after => Install::Asked,
            (FirmwareState::Updating, install) => install,
            _ => Install::Not,
        };
        if !update.is_deferred() {
            self.defer = None;
        }
        self.update = update;
        self.changed = true;
        self.save();
    }

    fn save(&mut self) {
        let mut record = Writer::default();
        self.update.write(&mut record);
        self.intake.storage.save(record.finish());
    }

    /// Execute of Update, on a copy.
    fn executed(&mut self, update: &mut FirmwareUpdate) -> Result<(), Code> {
        if update.state() != FirmwareState::Downloaded {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let period = update.maximum_defer_period();
        if period > 0 && !self.intake.storage.may_install(update.severity()) {
            let now = self.intake.storage.unix_time();
            let until = now.map(|now| now.saturating_add(i64::from(period)));
            // Asking again does not make it longer.
            update.defer(if update.is_deferred() {
                update.defer_until
            } else {
                until
            });
        } else {
            update.update();
        }
        Ok(())
    }

    /// Package URI was written, on a copy.
    fn uri_written(&mut self, update: &mut FirmwareUpdate) -> Result<(), Code> {
        if update.package_uri().is_empty() {
            update.check_reset()?;
            update.reset();
            return Ok(());
        }
        update.check_begin(PULL)?;
        // The part that a lost connection has left, if the URI is still the same.
        let is_same = update.package_uri() == self.update.package_uri();
        let tag = if is_same {
            update.tag.clone()
        } else {
            Vec::new()
        };
        match self.intake.start_fetch(update.package_uri(), &tag) {
            Ok(()) => {
                update.begin();
                update.tag = tag;
            }
            // Reported by the result; the Write itself is good (ETS 778).
            Err(fault) => update.download_failed(fault.into()),
        }
        Ok(())
    }

    /// Takes a piece of a package; the states follow in the copy.
    fn package(&mut self, update: &mut FirmwareUpdate, piece: &Piece<'_>) {
        // The report of a fault is the result; the Write itself is good (ETS 773 to 777).
        match self.intake.piece(piece) {
            Ok(None) => {}
            Ok(Some(info)) => update.downloaded(&info),
            Err(error) => update.download_failed(error.into()),
        }
    }

    /// A whole package, or the first piece of one, on a copy. In blocks the same transfer may begin
    /// anew (RFC 7959 §2.5).
    fn package_begins(
        &mut self,
        update: &mut FirmwareUpdate,
        piece: &Piece<'_>,
        may_restart: bool,
    ) -> Result<(), Code> {
        if piece.is_reset() {
            update.check_reset()?;
            update.reset();
            return Ok(());
        }
        if !may_restart || !self.intake.is_pushing() {
            update.check_begin(PUSH)?;
        }
        update.reset();
        update.begin();
        self.intake.start_push();
        self.package(update, piece);
        Ok(())
    }
}

/// The object while a request changes it.
struct Working<'f, S> {
    object: &'f mut Firmware<S>,
    update: FirmwareUpdate,
    /// What a Write of the Package has come to.
    package: Option<Result<(), Code>>,
    /// Whether a transfer has begun.
    has_begun: bool,
}

impl<S: FirmwareStorage> Instance for Working<'_, S> {
    fn resources(&self) -> &'static [u16] {
        self.update.resources()
    }

    fn field(&self, resource: u16) -> Option<&dyn Field> {
        self.update.field(resource)
    }

    fn field_mut(&mut self, resource: u16) -> Option<&mut dyn Field> {
        match resource {
            0 => Some(self),
            resource => self.update.field_mut(resource),
        }
    }

    fn execute(&mut self, resource: u16, arguments: Arguments<'_>) -> Result<(), Code> {
        match resource {
            2 => self.object.executed(&mut self.update),
            resource => self.update.execute(resource, arguments),
        }
    }

    fn written(&mut self, resource: u16) -> Result<(), Code> {
        match resource {
            0 => self.package.take().unwrap_or(Ok(())),
            1 => {
                self.has_begun = true;
                self.object.uri_written(&mut self.update)
            }
            _ => Ok(()),
        }
    }
}

/// The Package as a field: bytes go into the storage.
impl<S: FirmwareStorage> Field for Working<'_, S> {
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, _instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        let Value::Opaque(bytes) = value else {
            return Err(FieldError::Type);
        };
        let piece = Piece {
            offset: 0,
            bytes,
            size: None,
            last: true,
        };
        let outcome = self.object.package_begins(&mut self.update, &piece, false);
        self.package = Some(outcome);
        self.has_begun = true;
        Ok(())
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl<S: FirmwareStorage> Object for Firmware<S> {
    fn definition(&self) -> &'static ObjectDefinition {
        FirmwareUpdate::DEFINITION
    }

    fn instance_id(&self, position: usize) -> Option<u16> {
        (position == 0).then_some(0)
    }

    fn instance(&self, id: u16) -> Option<&dyn Instance> {
        (id == 0).then_some(&self.update)
    }

    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if id != 0 {
            return Err(Code::NOT_FOUND);
        }
        let update = self.update.clone();
        let mut working = Working {
            object: self,
            update,
            package: None,
            has_begun: false,
        };
        let result = change(&mut working);
        let (update, has_begun) = (working.update, working.has_begun);
        if result.is_ok() {
            self.commit(update);
        } else if has_begun && self.update.state() == FirmwareState::Idle {
            // Nothing remains of a package or a fetch that the rest of the Write has failed.
            self.intake.abort();
        }
        result
    }

    fn tick(&mut self, now: Instant) -> Tick {
        if self.update.is_deferred() && self.defer.is_none() {
            let period = Duration::from_secs(u64::from(self.update.maximum_defer_period()));
            // What is left of it after a reboot; all of it without a clock.
            let left = self
                .update
                .defer_until
                .zip(self.intake.storage.unix_time())
                .map(|(until, now)| Duration::from_secs((until - now).max(0).unsigned_abs()));
            self.defer = Some(now + left.map_or(period, |left| left.min(period)));
        }
        if self.defer.is_some_and(|at| at <= now) {
            self.change(FirmwareUpdate::update);
        }
        if self.install == Install::Asked {
            self.install = Install::At(now + INSTALL_AFTER);
        }
        let mut reboot = false;
        if let Install::At(at) = self.install
            && at <= now
        {
            self.install = Install::Not;
            match self.intake.storage.install() {
                Installation::Reboot => reboot = true,
                Installation::Running => {}
                Installation::Done => self.installed(),
                Installation::Failed { keeps_image } => {
                    self.ended(UpdateResult::Failed, keeps_image);
                }
            }
        }
        let install = match self.install {
            Install::At(at) => Some(at),
            Install::Not | Install::Asked => None,
        };
        Tick {
            next: install.or(self.defer),
            changed: false,
            reboot,
        }
    }

    fn images(&mut self) -> Option<&mut dyn Images> {
        Some(self)
    }

    fn changes(&self) -> Changes {
        Changes {
            values: self.changed,
            instances: false,
        }
    }

    fn clear_changes(&mut self) {
        self.changed = false;
    }
}

impl<S: FirmwareStorage> Images for Firmware<S> {
    fn is_image(&self, instance: u16, resource: u16) -> bool {
        instance == 0 && resource == 0
    }

    fn push(&mut self, _instance: u16, piece: &Piece<'_>, is_first: bool) -> Result<bool, Code> {
        let mut update = self.update.clone();
        let result = if is_first {
            self.package_begins(&mut update, piece, true)
        } else if self.intake.is_pushing() {
            self.package(&mut update, piece);
            Ok(())
        } else {
            // A reset or Cancel came in between: the rest is not wanted.
            return Err(Code::REQUEST_ENTITY_INCOMPLETE);
        };
        // Also the result of a refused piece stays; a piece in the middle changes nothing.
        if update.state() != self.update.state() || update.result() != self.update.result() {
            self.commit(update);
        }
        result.map(|()| self.intake.is_pushing())
    }

    fn upload(&mut self) -> &mut Upload {
        &mut self.intake.upload
    }

    fn push_lost(&mut self, _instance: u16) {
        if self.intake.is_pushing() {
            self.intake.abort();
            self.change(|update| update.download_failed(UpdateResult::ConnectionLost));
        }
    }

    fn fetch(&mut self) -> Option<(u16, &str, &mut Fetch)> {
        let fetch = self.intake.fetch()?;
        Some((0, self.update.package_uri(), fetch))
    }

    fn fetched(&mut self, _instance: u16, piece: &Piece<'_>, tag: &[u8]) {
        if piece.offset == 0 {
            self.update.tag = Vec::from_slice(tag).unwrap_or_default();
            self.save();
        }
        let mut update = self.update.clone();
        self.package(&mut update, piece);
        if update.state() != self.update.state() {
            self.commit(update);
        }
    }

    fn fetch_ended(&mut self, _instance: u16, why: FetchFailure) {
        if self.intake.fetch().is_some() {
            self.change(|update| update.download_failed(why.into()));
        }
    }
}
