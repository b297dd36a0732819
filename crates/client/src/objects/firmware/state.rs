//! The resources of object 5, and the states they go through.

use dunlin_coap::Code;
use dunlin_lwm2m::definition::objects::FIRMWARE_UPDATE;
use dunlin_lwm2m::{DataType, Value};
use heapless::String;

use crate::image::{FetchFailure, ImageError, ImageInfo, Reader, UriFault, Writer};
use crate::object;
use crate::object::{Field, FieldError, FieldType, Multiple};
use crate::objects::Written;

/// State of the firmware update (`/5/0/3`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FirmwareState {
    /// Nothing under way.
    #[default]
    Idle = 0,
    /// A package is being fetched or received.
    Downloading = 1,
    /// A package waits for Update.
    Downloaded = 2,
    /// The package is being installed.
    Updating = 3,
}

/// Result of the last download or update (`/5/0/5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum UpdateResult {
    /// Not known yet.
    #[default]
    Initial = 0,
    /// Installed.
    Success = 1,
    /// Not enough flash.
    NoFlash = 2,
    /// Out of RAM.
    NoRam = 3,
    /// Connection lost.
    ConnectionLost = 4,
    /// Integrity check failed.
    Integrity = 5,
    /// Package type not supported.
    UnsupportedPackage = 6,
    /// Invalid URI.
    InvalidUri = 7,
    /// Installation failed.
    Failed = 8,
    /// Protocol not supported.
    UnsupportedProtocol = 9,
    /// Cancelled by the server (object version 1.1).
    Cancelled = 10,
    /// Deferred by the user (object version 1.1).
    Deferred = 11,
}

macro_rules! number {
    ($type:ty, $($name:ident),+) => {
        impl $type {
            fn from_byte(byte: u8) -> Option<Self> {
                [$(Self::$name),+].into_iter().find(|value| *value as u8 == byte)
            }
        }

        impl Field for $type {
            fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
                (position == 0).then_some((0, Value::Integer(*self as i64)))
            }

            fn set(&mut self, _instance: u16, _value: Value<'_>) -> Result<(), FieldError> {
                Err(FieldError::ReadOnly)
            }

            fn clear(&mut self) {}
        }

        impl FieldType for $type {
            const TYPES: &'static [DataType] = &[DataType::Integer];
        }
    };
}

number!(FirmwareState, Idle, Downloading, Downloaded, Updating);
number!(
    UpdateResult,
    Initial,
    Success,
    NoFlash,
    NoRam,
    ConnectionLost,
    Integrity,
    UnsupportedPackage,
    InvalidUri,
    Failed,
    UnsupportedProtocol,
    Cancelled,
    Deferred
);

impl From<ImageError> for UpdateResult {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NoStorage => Self::NoFlash,
            ImageError::NoMemory => Self::NoRam,
            ImageError::Integrity => Self::Integrity,
            ImageError::UnsupportedPackage => Self::UnsupportedPackage,
        }
    }
}

impl From<UriFault> for UpdateResult {
    fn from(fault: UriFault) -> Self {
        match fault {
            UriFault::Invalid => Self::InvalidUri,
            UriFault::UnsupportedProtocol => Self::UnsupportedProtocol,
        }
    }
}

impl From<FetchFailure> for UpdateResult {
    fn from(failure: FetchFailure) -> Self {
        match failure {
            // A repository without the file makes the URI a bad one.
            FetchFailure::Refused => Self::InvalidUri,
            FetchFailure::Lost => Self::ConnectionLost,
        }
    }
}

/// The resources of Firmware Update. [`Firmware`](super::Firmware) is the object.
#[derive(Clone, Debug)]
pub struct FirmwareUpdate {
    package: Written,
    package_uri: String<255>,
    pub(super) state: FirmwareState,
    result: UpdateResult,
    name: String<32>,
    version: String<32>,
    /// Protocols that a Package URI may have: 0 CoAP.
    protocols: Multiple<u8, 4>,
    /// 0 pull, 1 push, 2 both.
    pub(super) delivery_method: u8,
    severity: u8,
    pub(super) changed_at: Option<i64>,
    maximum_defer_period: u32,
    automatic: bool,
    /// Tag of the image under way at its source.
    pub(super) tag: heapless::Vec<u8, 8>,
    /// Update was executed, and the user has not agreed yet.
    pub(super) is_deferred: bool,
    /// When the user is not asked any longer, seconds since 1970.
    pub(super) defer_until: Option<i64>,
}

impl Default for FirmwareUpdate {
    fn default() -> Self {
        Self {
            package: Written,
            package_uri: String::new(),
            state: FirmwareState::Idle,
            result: UpdateResult::Initial,
            name: String::new(),
            version: String::new(),
            protocols: core::iter::once((0, 0)).collect(),
            delivery_method: 2,
            severity: 1,
            changed_at: None,
            maximum_defer_period: 0,
            automatic: false,
            tag: heapless::Vec::new(),
            is_deferred: false,
            defer_until: None,
        }
    }
}

impl FirmwareUpdate {
    /// The state.
    pub const fn state(&self) -> FirmwareState {
        self.state
    }

    /// The result of the last download or update.
    pub const fn result(&self) -> UpdateResult {
        self.result
    }

    /// Where the package is, or was, fetched from; empty after a reset.
    pub fn package_uri(&self) -> &str {
        &self.package_uri
    }

    /// Name of the package in state Downloaded and Updating.
    pub fn package_name(&self) -> &str {
        &self.name
    }

    /// Version of the package in state Downloaded and Updating.
    pub fn package_version(&self) -> &str {
        &self.version
    }

    /// 0 critical, 1 mandatory, 2 optional.
    pub const fn severity(&self) -> u8 {
        self.severity
    }

    /// Seconds that a user may put off the update; 0 for not at all.
    pub const fn maximum_defer_period(&self) -> u32 {
        self.maximum_defer_period
    }

    /// Whether Update was executed and waits for the user.
    pub const fn is_deferred(&self) -> bool {
        self.is_deferred
    }

    fn forget_package(&mut self) {
        self.name.clear();
        self.version.clear();
        self.tag.clear();
        self.is_deferred = false;
        self.defer_until = None;
    }

    /// Back to Idle, as NUL to Package and an empty Package URI ask for it.
    pub(super) fn reset(&mut self) {
        self.forget_package();
        self.package_uri.clear();
        self.state = FirmwareState::Idle;
        self.result = UpdateResult::Initial;
    }

    /// A download begins.
    pub(super) fn begin(&mut self) {
        self.forget_package();
        self.state = FirmwareState::Downloading;
        self.result = UpdateResult::Initial;
    }

    /// The package is there. `Automatic Upgrade at Download` leads on at once (object version
    /// 1.2).
    pub(super) fn downloaded(&mut self, info: &ImageInfo) {
        self.name = info.name.clone();
        self.version = info.version.clone();
        self.result = UpdateResult::Initial;
        self.state = if self.automatic {
            FirmwareState::Updating
        } else {
            FirmwareState::Downloaded
        };
    }

    /// The download has failed.
    pub(super) fn download_failed(&mut self, result: UpdateResult) {
        self.state = FirmwareState::Idle;
        self.result = result;
    }

    /// The update begins.
    pub(super) fn update(&mut self) {
        self.is_deferred = false;
        self.defer_until = None;
        self.state = FirmwareState::Updating;
        self.result = UpdateResult::Initial;
    }

    pub(super) fn defer(&mut self, until: Option<i64>) {
        self.is_deferred = true;
        self.defer_until = until;
        self.result = UpdateResult::Deferred;
    }

    /// The update has ended. The package stays only when another attempt may succeed.
    pub(super) fn updated(&mut self, result: UpdateResult, keeps_package: bool) {
        if keeps_package {
            self.state = FirmwareState::Downloaded;
        } else {
            self.forget_package();
            self.state = FirmwareState::Idle;
        }
        self.result = result;
    }

    /// Package or Package URI may be written: nothing is under way, and the delivery method is
    /// one of this device.
    pub(super) fn check_begin(&self, method: u8) -> Result<(), Code> {
        if self.state != FirmwareState::Idle {
            // A new package needs a reset first.
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        if self.delivery_method != 2 && self.delivery_method != method {
            return Err(Code::BAD_REQUEST);
        }
        Ok(())
    }

    /// A reset is possible as long as nothing is being installed.
    pub(super) fn check_reset(&self) -> Result<(), Code> {
        if self.state == FirmwareState::Updating {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Code> {
        match self.state {
            FirmwareState::Downloading | FirmwareState::Downloaded => {
                self.reset();
                self.result = UpdateResult::Cancelled;
                Ok(())
            }
            FirmwareState::Idle | FirmwareState::Updating => Err(Code::METHOD_NOT_ALLOWED),
        }
    }

    pub(super) fn set_protocols(&mut self, protocols: Multiple<u8, 4>) {
        self.protocols = protocols;
    }

    /// The last change of state never lies before the one before (Core 1.2 §E.6).
    pub(super) fn stamp(&mut self, now: Option<i64>) {
        self.changed_at = now.max(self.changed_at);
    }

    pub(super) fn write(&self, record: &mut Writer) {
        record.byte(1);
        record.byte(self.state as u8);
        record.byte(self.result as u8);
        record.byte(self.severity);
        record.byte(u8::from(self.automatic));
        record.byte(u8::from(self.is_deferred));
        record.number(self.maximum_defer_period);
        record.time(self.changed_at);
        record.time(self.defer_until);
        record.bytes(self.package_uri.as_bytes());
        record.bytes(&self.tag);
        record.bytes(self.name.as_bytes());
        record.bytes(self.version.as_bytes());
    }

    pub(super) fn read(&mut self, record: &mut Reader<'_>) -> Option<()> {
        if record.byte()? != 1 {
            return None;
        }
        self.state = FirmwareState::from_byte(record.byte()?)?;
        self.result = UpdateResult::from_byte(record.byte()?)?;
        self.severity = record.byte().filter(|severity| *severity <= 2)?;
        self.automatic = record.byte()? != 0;
        self.is_deferred = record.byte()? != 0;
        self.maximum_defer_period = record.number()?;
        self.changed_at = record.time()?;
        self.defer_until = record.time()?;
        self.package_uri = String::try_from(record.text()?).ok()?;
        self.tag = heapless::Vec::from_slice(record.bytes()?).ok()?;
        self.name = String::try_from(record.text()?).ok()?;
        self.version = String::try_from(record.text()?).ok()?;
        Some(())
    }
}

object! {
    impl FIRMWARE_UPDATE for FirmwareUpdate {
        0 => write package;
        1 => read_write package_uri;
        2 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        3 => read state;
        5 => read result;
        6 => read name;
        7 => read version;
        8 => read protocols;
        9 => read delivery_method;
        10 => execute |this, _arguments| this.cancel();
        11 => read_write severity;
        12 => read changed_at;
        13 => read_write maximum_defer_period;
        14 => read_write automatic;
    }
}
