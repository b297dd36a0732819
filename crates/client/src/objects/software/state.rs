//! The resources of object 9, and the states they go through.

use dunlin_coap::Code;
use dunlin_lwm2m::definition::objects::SOFTWARE_MANAGEMENT;
use dunlin_lwm2m::{DataType, Value};
use heapless::{String, Vec};

use crate::image::{FetchFailure, ImageError, ImageInfo, Reader, UriFault, Writer};
use crate::object;
use crate::object::{Field, FieldError, FieldType};
use crate::objects::Written;

/// Update State of a package (`/9/x/7`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SoftwareState {
    /// Nothing there, and nothing under way.
    #[default]
    Initial = 0,
    /// The package is being fetched or received.
    DownloadStarted = 1,
    /// The package is there, but not checked. Checks are part of the last step of a download here,
    /// so that no server sees this state.
    Downloaded = 2,
    /// The package is there and good.
    Delivered = 3,
    /// The software is installed.
    Installed = 4,
}

/// Update Result of a package (`/9/x/9`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SoftwareResult {
    /// Nothing to tell.
    #[default]
    Initial = 0,
    /// Being downloaded.
    Downloading = 1,
    /// Installed.
    Installed = 2,
    /// Downloaded and good.
    Verified = 3,
    /// Not enough storage.
    NoStorage = 50,
    /// Out of memory.
    NoMemory = 51,
    /// Connection lost.
    ConnectionLost = 52,
    /// Integrity check failed.
    Integrity = 53,
    /// Package type not supported.
    UnsupportedPackage = 54,
    /// Invalid URI.
    InvalidUri = 56,
    /// An error of the device.
    DeviceError = 57,
    /// Installation failed.
    InstallFailed = 58,
    /// Removal failed.
    UninstallFailed = 59,
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

number!(
    SoftwareState,
    Initial,
    DownloadStarted,
    Downloaded,
    Delivered,
    Installed
);
number!(
    SoftwareResult,
    Initial,
    Downloading,
    Installed,
    Verified,
    NoStorage,
    NoMemory,
    ConnectionLost,
    Integrity,
    UnsupportedPackage,
    InvalidUri,
    DeviceError,
    InstallFailed,
    UninstallFailed
);

impl From<ImageError> for SoftwareResult {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NoStorage => Self::NoStorage,
            ImageError::NoMemory => Self::NoMemory,
            ImageError::Integrity => Self::Integrity,
            ImageError::UnsupportedPackage => Self::UnsupportedPackage,
        }
    }
}

impl From<UriFault> for SoftwareResult {
    fn from(fault: UriFault) -> Self {
        match fault {
            // There is no result of its own for a protocol.
            UriFault::Invalid | UriFault::UnsupportedProtocol => Self::InvalidUri,
        }
    }
}

impl From<FetchFailure> for SoftwareResult {
    fn from(failure: FetchFailure) -> Self {
        match failure {
            FetchFailure::Refused => Self::InvalidUri,
            FetchFailure::Lost => Self::ConnectionLost,
        }
    }
}

/// One package of software: the resources of an instance. [`Software`](super::Software) is the
/// object.
#[derive(Clone, Debug, Default)]
pub struct SoftwarePackage {
    name: String<32>,
    version: String<32>,
    package: Written,
    pub(super) uri: Secret<255>,
    update_supported_objects: bool,
    pub(super) state: SoftwareState,
    pub(super) result: SoftwareResult,
    is_active: bool,
    user_name: Secret<32>,
    password: Secret<32>,
    pub(super) tag: Vec<u8, 8>,
}

/// A text that is written and never read.
#[derive(Clone, Default)]
pub(super) struct Secret<const N: usize>(pub(super) String<N>);

impl<const N: usize> core::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("(written only)")
    }
}

impl<const N: usize> Field for Secret<N> {
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        self.0.set(instance, value)
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl<const N: usize> FieldType for Secret<N> {
    const TYPES: &'static [DataType] = &[DataType::String];
}

impl SoftwarePackage {
    /// Name of the package; empty until it is there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version of the package; empty until it is there.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The state.
    pub const fn state(&self) -> SoftwareState {
        self.state
    }

    /// The result of what was done last.
    pub const fn result(&self) -> SoftwareResult {
        self.result
    }

    /// Whether the software is active.
    pub const fn is_active(&self) -> bool {
        self.is_active
    }

    /// Whether the server wants to hear of objects that come with the software at once.
    pub const fn updates_supported_objects(&self) -> bool {
        self.update_supported_objects
    }

    /// User name and password for fetching the package; both empty until they are written.
    pub fn credentials(&self) -> (&str, &str) {
        (&self.user_name.0, &self.password.0)
    }

    pub(super) fn check(&self, state: SoftwareState) -> Result<(), Code> {
        if self.state == state {
            Ok(())
        } else {
            Err(Code::METHOD_NOT_ALLOWED)
        }
    }

    pub(super) fn begin(&mut self) {
        self.forget();
        self.state = SoftwareState::DownloadStarted;
        self.result = SoftwareResult::Downloading;
    }

    pub(super) fn delivered(&mut self, info: &ImageInfo) {
        self.name = info.name.clone();
        self.version = info.version.clone();
        self.state = SoftwareState::Delivered;
        self.result = SoftwareResult::Verified;
    }

    pub(super) fn download_failed(&mut self, result: SoftwareResult) {
        self.state = SoftwareState::Initial;
        self.result = result;
    }

    pub(super) fn installed(&mut self) {
        self.state = SoftwareState::Installed;
        self.result = SoftwareResult::Installed;
        self.is_active = false;
    }

    /// Back to the beginning. For an update the installed software, and what is known of it, stays
    /// until it is replaced.
    pub(super) fn uninstalled(&mut self, for_update: bool) {
        if !for_update {
            self.forget();
            self.is_active = false;
        }
        self.tag.clear();
        self.uri.0.clear();
        self.state = SoftwareState::Initial;
        self.result = SoftwareResult::Initial;
    }

    fn forget(&mut self) {
        self.name.clear();
        self.version.clear();
        self.tag.clear();
    }

    pub(super) fn set_active(&mut self, is_active: bool) {
        self.is_active = is_active;
    }

    pub(super) fn write(&self, record: &mut Writer) {
        record.byte(1);
        record.byte(self.state as u8);
        record.byte(self.result as u8);
        record.byte(u8::from(self.is_active));
        record.byte(u8::from(self.update_supported_objects));
        record.bytes(self.uri.0.as_bytes());
        record.bytes(&self.tag);
        record.bytes(self.name.as_bytes());
        record.bytes(self.version.as_bytes());
    }

    pub(super) fn read(&mut self, record: &mut Reader<'_>) -> Option<()> {
        if record.byte()? != 1 {
            return None;
        }
        self.state = SoftwareState::from_byte(record.byte()?)?;
        self.result = SoftwareResult::from_byte(record.byte()?)?;
        self.is_active = record.byte()? != 0;
        self.update_supported_objects = record.byte()? != 0;
        self.uri.0 = String::try_from(record.text()?).ok()?;
        self.tag = Vec::from_slice(record.bytes()?).ok()?;
        self.name = String::try_from(record.text()?).ok()?;
        self.version = String::try_from(record.text()?).ok()?;
        Some(())
    }
}

object! {
    impl SOFTWARE_MANAGEMENT for SoftwarePackage {
        0 => read name;
        1 => read version;
        2 => write package;
        3 => write uri;
        4 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        6 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        7 => read state;
        8 => read_write update_supported_objects;
        9 => read result;
        10 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        11 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        12 => read is_active;
        14 => write user_name;
        15 => write password;
    }
}
