//! Object 9 with the storages of a device behind it.
//!
//! ```text
//!            package, URI                   complete: 3             Install: 2
//! Initial ------------------> Download ------------------> Delivered ---------> Installed
//!    ^                        Started                          |                    |
//!    '-- failed: 50 to 57 ------'                              |                    |
//!    '------------------- Uninstall: 0 ------------------------'--------------------'
//! ```

use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::definition::ObjectDefinition;
use dunlin_lwm2m::{Arguments, Value};
use heapless::Vec;

use super::state::{SoftwarePackage, SoftwareResult, SoftwareState};
use crate::image::{
    Fetch, FetchFailure, ImageStorage, Images, Intake, MAX_STATE, Piece, Reader, Upload, Writer,
};
use crate::object::{Changes, Field, FieldError, Instance, Object, ObjectInstance, Tick};
use crate::objects::Installation;

/// How a device stores, installs and runs one package of software.
pub trait SoftwareStorage: ImageStorage {
    /// Installs the package that is stored; the software is not active afterwards. With
    /// [`Installation::Reboot`] and [`Installation::Running`] the package stays Delivered until
    /// [`Software::installed`] or [`Software::install_failed`].
    fn install(&mut self) -> Installation;

    /// Removes the software and its package; `for_update` leaves the software until another
    /// package replaces it. Returns whether that was possible.
    fn uninstall(&mut self, for_update: bool) -> bool;

    /// Starts or stops the software. Returns whether that was possible.
    fn set_active(&mut self, is_active: bool) -> bool;
}

/// Object 9, Software Management: up to `N` packages, each with a storage of its own.
///
/// The device decides how many there are: Create and Delete are answered with 4.05.
#[derive(Debug)]
pub struct Software<S, const N: usize> {
    items: Vec<Item<S>, N>,
    upload: Upload,
    changed: bool,
}

#[derive(Debug)]
struct Item<S> {
    id: u16,
    package: SoftwarePackage,
    intake: Intake<S>,
    /// Install was executed, and has not been begun.
    installs: bool,
}

impl<S, const N: usize> Default for Software<S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, const N: usize> Software<S, N> {
    /// An object without instances.
    pub const fn new() -> Self {
        Self {
            items: Vec::new(),
            upload: Upload::new(),
            changed: false,
        }
    }

    /// A package.
    pub fn get(&self, id: u16) -> Option<&SoftwarePackage> {
        self.item(id).map(|item| &item.package)
    }

    /// The storage of a package.
    pub fn storage(&self, id: u16) -> Option<&S> {
        self.item(id).map(|item| &item.intake.storage)
    }

    /// The storage of a package, to be changed.
    pub fn storage_mut(&mut self, id: u16) -> Option<&mut S> {
        self.item_mut(id).map(|item| &mut item.intake.storage)
    }

    fn item(&self, id: u16) -> Option<&Item<S>> {
        self.items.iter().find(|item| item.id == id)
    }

    fn item_mut(&mut self, id: u16) -> Option<&mut Item<S>> {
        self.items.iter_mut().find(|item| item.id == id)
    }
}

impl<S: SoftwareStorage, const N: usize> Software<S, N> {
    /// The same with one more package, in the state that its storage has kept; it is dropped when
    /// all `N` places are taken. Ids have to ascend.
    #[must_use]
    pub fn with(mut self, id: u16, storage: S) -> Self {
        let _full = self.items.push(Item::new(id, storage));
        self
    }

    /// The installation of a package has succeeded.
    pub fn installed(&mut self, id: u16) {
        self.install_ended(id, true);
    }

    /// The installation of a package has failed.
    pub fn install_failed(&mut self, id: u16) {
        self.install_ended(id, false);
    }

    fn install_ended(&mut self, id: u16, is_good: bool) {
        if let Some(item) = self.item_mut(id) {
            item.install_ended(is_good);
            self.changed = true;
        }
    }
}

impl<S: SoftwareStorage> Item<S> {
    fn new(id: u16, storage: S) -> Self {
        let mut item = Self {
            id,
            package: SoftwarePackage::default(),
            intake: Intake::new(storage),
            installs: false,
        };
        item.load();
        item
    }

    fn load(&mut self) {
        let mut buffer = [0; MAX_STATE];
        let length = self.intake.storage.load(&mut buffer);
        let mut loaded = SoftwarePackage::default();
        let mut record = Reader(buffer.get(..length).unwrap_or_default());
        if loaded.read(&mut record).is_none() {
            return;
        }
        self.package = loaded;
        match self.package.state() {
            SoftwareState::DownloadStarted => {
                let tag = self.package.tag.clone();
                let uri = &self.package.uri.0;
                // A push begins anew.
                let started = !uri.is_empty() && self.intake.start_fetch(uri, &tag).is_ok();
                if !started {
                    self.intake.abort();
                    self.change(|it| it.download_failed(SoftwareResult::ConnectionLost));
                }
            }
            SoftwareState::Downloaded | SoftwareState::Delivered => {
                if self.intake.storage.stored() == 0 {
                    self.change(|package| package.uninstalled(false));
                }
            }
            SoftwareState::Initial | SoftwareState::Installed => {}
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut SoftwarePackage)) {
        let mut package = self.package.clone();
        change(&mut package);
        self.commit(package);
    }

    fn commit(&mut self, package: SoftwarePackage) {
        let is_anew =
            package.state() != self.package.state() || package.result() != self.package.result();
        if package.state() == SoftwareState::Initial && is_anew {
            if package.result() == SoftwareResult::ConnectionLost {
                self.intake.stop();
            } else {
                self.intake.abort();
            }
        }
        self.package = package;
        let mut record = Writer::default();
        self.package.write(&mut record);
        self.intake.storage.save(record.finish());
    }

    fn install_ended(&mut self, is_good: bool) {
        if self.package.state() != SoftwareState::Delivered {
            return;
        }
        self.change(|package| {
            if is_good {
                package.installed();
            } else {
                package.result = SoftwareResult::InstallFailed;
            }
        });
    }

    fn execute(
        &mut self,
        package: &mut SoftwarePackage,
        resource: u16,
        arguments: Arguments<'_>,
    ) -> Result<(), Code> {
        match resource {
            4 => {
                package.check(SoftwareState::Delivered)?;
                self.installs = true;
                Ok(())
            }
            6 => self.uninstall(package, arguments),
            // Repeating what is so already is accepted.
            10 | 11 => {
                package.check(SoftwareState::Installed)?;
                let is_active = resource == 10;
                if !self.intake.storage.set_active(is_active) {
                    return Err(Code::INTERNAL_SERVER_ERROR);
                }
                package.set_active(is_active);
                Ok(())
            }
            _ => Err(Code::METHOD_NOT_ALLOWED),
        }
    }

    /// Argument 0 or none removes the software, 1 is "ForUpdate".
    fn uninstall(
        &mut self,
        package: &mut SoftwarePackage,
        arguments: Arguments<'_>,
    ) -> Result<(), Code> {
        let is_known = (2..=9).all(|digit| arguments.get(digit).is_none());
        let for_update = arguments.get(1).is_some();
        if !is_known || (for_update && arguments.get(0).is_some()) {
            return Err(Code::BAD_REQUEST);
        }
        let is_possible = match package.state() {
            SoftwareState::Installed => true,
            SoftwareState::Delivered => !for_update,
            _ => false,
        };
        if !is_possible {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        if self.intake.storage.uninstall(for_update) {
            package.uninstalled(for_update);
        } else {
            package.result = SoftwareResult::UninstallFailed;
        }
        Ok(())
    }

    fn uri_written(&mut self, package: &mut SoftwarePackage) -> Result<(), Code> {
        package.check(SoftwareState::Initial)?;
        let is_same = package.uri.0 == self.package.uri.0;
        let tag = if is_same {
            package.tag.clone()
        } else {
            Vec::new()
        };
        match self.intake.start_fetch(&package.uri.0, &tag) {
            Ok(()) => {
                package.begin();
                package.tag = tag;
            }
            Err(fault) => package.download_failed(fault.into()),
        }
        Ok(())
    }

    /// A whole package, or the first piece of one. In blocks the same transfer may begin anew
    /// (RFC 7959 §2.5).
    fn begin(
        &mut self,
        package: &mut SoftwarePackage,
        piece: &Piece<'_>,
        may_restart: bool,
    ) -> Result<(), Code> {
        if !may_restart || !self.intake.is_pushing() {
            package.check(SoftwareState::Initial)?;
        }
        package.begin();
        package.uri.0.clear();
        self.intake.start_push();
        self.piece(package, piece);
        Ok(())
    }

    fn piece(&mut self, package: &mut SoftwarePackage, piece: &Piece<'_>) {
        // The report of a fault is the result; the Write itself is good (ETS 773 to 777).
        match self.intake.piece(piece) {
            Ok(None) => {}
            Ok(Some(info)) => package.delivered(&info),
            Err(error) => package.download_failed(error.into()),
        }
    }
}

/// An instance while a request changes it.
struct Working<'i, S> {
    item: &'i mut Item<S>,
    package: SoftwarePackage,
    /// What a Write of the Package has come to.
    received: Option<Result<(), Code>>,
    has_begun: bool,
}

impl<S: SoftwareStorage> Instance for Working<'_, S> {
    fn resources(&self) -> &'static [u16] {
        self.package.resources()
    }

    fn field(&self, resource: u16) -> Option<&dyn Field> {
        self.package.field(resource)
    }

    fn field_mut(&mut self, resource: u16) -> Option<&mut dyn Field> {
        match resource {
            2 => Some(self),
            resource => self.package.field_mut(resource),
        }
    }

    fn execute(&mut self, resource: u16, arguments: Arguments<'_>) -> Result<(), Code> {
        self.item.execute(&mut self.package, resource, arguments)
    }

    fn written(&mut self, resource: u16) -> Result<(), Code> {
        match resource {
            2 => self.received.take().unwrap_or(Ok(())),
            3 => {
                self.has_begun = true;
                self.item.uri_written(&mut self.package)
            }
            _ => Ok(()),
        }
    }
}

/// The Package as a field: bytes go into the storage.
impl<S: SoftwareStorage> Field for Working<'_, S> {
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
        self.received = Some(self.item.begin(&mut self.package, &piece, false));
        self.has_begun = true;
        Ok(())
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl<S: SoftwareStorage, const N: usize> Object for Software<S, N> {
    fn definition(&self) -> &'static ObjectDefinition {
        SoftwarePackage::DEFINITION
    }

    fn instance_id(&self, position: usize) -> Option<u16> {
        self.items.get(position).map(|item| item.id)
    }

    fn instance(&self, id: u16) -> Option<&dyn Instance> {
        self.get(id).map(|package| package as &dyn Instance)
    }

    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code> {
        let item = self.item_mut(id).ok_or(Code::NOT_FOUND)?;
        let package = item.package.clone();
        let mut working = Working {
            item,
            package,
            received: None,
            has_begun: false,
        };
        let result = change(&mut working);
        let Working {
            item,
            package,
            has_begun,
            ..
        } = working;
        if result.is_ok() {
            item.commit(package);
            self.changed = true;
        } else if has_begun && item.package.state() == SoftwareState::Initial {
            item.intake.abort();
        }
        result
    }

    fn tick(&mut self, _now: Instant) -> Tick {
        let mut tick = Tick::default();
        for item in &mut self.items {
            if !core::mem::take(&mut item.installs) {
                continue;
            }
            match item.intake.storage.install() {
                Installation::Reboot => tick.reboot = true,
                Installation::Running => {}
                Installation::Done => item.install_ended(true),
                Installation::Failed { .. } => item.install_ended(false),
            }
            self.changed = true;
        }
        tick
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

impl<S: SoftwareStorage, const N: usize> Images for Software<S, N> {
    fn is_image(&self, instance: u16, resource: u16) -> bool {
        resource == 2 && self.item(instance).is_some()
    }

    fn push(&mut self, instance: u16, piece: &Piece<'_>, is_first: bool) -> Result<bool, Code> {
        let item = self.item_mut(instance).ok_or(Code::NOT_FOUND)?;
        let mut package = item.package.clone();
        let result = if is_first {
            item.begin(&mut package, piece, true)
        } else if item.intake.is_pushing() {
            item.piece(&mut package, piece);
            Ok(())
        } else {
            return Err(Code::REQUEST_ENTITY_INCOMPLETE);
        };
        let is_changed =
            package.state() != item.package.state() || package.result() != item.package.result();
        if is_changed {
            item.commit(package);
            self.changed = true;
        }
        let item = self.item(instance);
        result.map(|()| item.is_some_and(|item| item.intake.is_pushing()))
    }

    fn upload(&mut self) -> &mut Upload {
        &mut self.upload
    }

    fn push_lost(&mut self, instance: u16) {
        if let Some(item) = self.item_mut(instance)
            && item.intake.is_pushing()
        {
            item.intake.abort();
            item.change(|it| it.download_failed(SoftwareResult::ConnectionLost));
            self.changed = true;
        }
    }

    fn fetch(&mut self) -> Option<(u16, &str, &mut Fetch)> {
        // The one that waits for an answer, or the next that is due.
        self.items
            .iter_mut()
            .filter_map(|item| {
                let fetch = item.intake.fetch()?;
                Some((item.id, item.package.uri.0.as_str(), fetch))
            })
            .min_by_key(|(_, _, fetch)| (!fetch.is_asked, fetch.due()))
    }

    fn fetched(&mut self, instance: u16, piece: &Piece<'_>, tag: &[u8]) {
        let Some(item) = self.item_mut(instance) else {
            return;
        };
        let mut package = item.package.clone();
        if piece.offset == 0 {
            package.tag = Vec::from_slice(tag).unwrap_or_default();
        }
        item.piece(&mut package, piece);
        if piece.offset == 0 || package.state() != item.package.state() {
            item.commit(package);
            self.changed = true;
        }
    }

    fn fetch_ended(&mut self, instance: u16, why: FetchFailure) {
        if let Some(item) = self.item_mut(instance)
            && item.intake.fetch().is_some()
        {
            item.change(|package| package.download_failed(why.into()));
            self.changed = true;
        }
    }
}
