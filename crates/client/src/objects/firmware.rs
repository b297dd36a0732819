use dunlin_coap::Code;
use dunlin_lwm2m::definition::objects::FIRMWARE_UPDATE;
use dunlin_lwm2m::{DataType, Value};
use heapless::{String, Vec};

use crate::object;
use crate::object::{Field, FieldError, FieldType, Multiple};

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
}

macro_rules! number {
    ($type:ty) => {
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

number!(FirmwareState);
number!(UpdateResult);

/// A package as far as the states need it: its size, its digest, and its first bytes.
///
/// The bytes themselves are not kept: installing images follows with the firmware update engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Bytes received.
    pub size: u32,
    /// CRC-32 (ISO 3309) of the bytes.
    pub crc: u32,
    head: Vec<u8, 16>,
}

impl Package {
    /// The first bytes, up to 16.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// A single NUL, or nothing, asks to reset the state machine.
    fn is_reset(&self) -> bool {
        self.size == 0 || (self.size == 1 && self.head.first() == Some(&0))
    }
}

impl Field for Package {
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, _instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        let Value::Opaque(bytes) = value else {
            return Err(FieldError::Type);
        };
        let head = bytes.get(..16).unwrap_or(bytes);
        *self = Self {
            size: u32::try_from(bytes.len()).map_err(|_| FieldError::TooLarge)?,
            crc: crc32(bytes),
            head: Vec::from_slice(head).map_err(|_| FieldError::TooLarge)?,
        };
        Ok(())
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl FieldType for Package {
    const TYPES: &'static [DataType] = &[DataType::Opaque];
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Object 5, Firmware Update: the states of Core 1.2 §E.6, without an image store.
///
/// A package that was pushed is Downloaded at once; a package URI makes the state Downloading, and
/// the application says how it ended ([`FirmwareUpdate::downloaded`],
/// [`FirmwareUpdate::failed`]). Execute of Update makes it Updating until
/// [`FirmwareUpdate::installed`] or [`FirmwareUpdate::failed`].
#[derive(Clone, Debug)]
pub struct FirmwareUpdate {
    /// What was pushed last.
    pub package: Package,
    /// Where to fetch the package.
    pub package_uri: String<128>,
    state: FirmwareState,
    result: UpdateResult,
    /// Name of the package.
    pub name: String<32>,
    /// Version of the package.
    pub version: String<16>,
    /// 0 CoAP, 1 CoAPS, 2 HTTP, 3 HTTPS.
    pub protocols: Multiple<u8, 4>,
    /// 0 pull, 1 push, 2 both.
    pub delivery_method: u8,
}

impl Default for FirmwareUpdate {
    fn default() -> Self {
        Self {
            package: Package::default(),
            package_uri: String::new(),
            state: FirmwareState::Idle,
            result: UpdateResult::Initial,
            name: String::new(),
            version: String::new(),
            protocols: core::iter::once((0, 0)).collect(),
            delivery_method: 2,
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

    /// The download is complete and checked.
    pub fn downloaded(&mut self) {
        if self.state == FirmwareState::Downloading {
            self.state = FirmwareState::Downloaded;
        }
    }

    /// The new firmware runs.
    pub fn installed(&mut self) {
        self.reset();
        self.result = UpdateResult::Success;
    }

    /// A download or an update failed. A failed installation keeps the package, so that Update can
    /// be tried again; a broken package does not stay.
    pub fn failed(&mut self, result: UpdateResult) {
        let keeps = self.state == FirmwareState::Updating && result == UpdateResult::Failed;
        if keeps {
            self.state = FirmwareState::Downloaded;
        } else {
            self.reset();
        }
        self.result = result;
    }

    fn reset(&mut self) {
        self.state = FirmwareState::Idle;
        self.result = UpdateResult::Initial;
        self.package = Package::default();
        self.package_uri.clear();
    }

    fn written(&mut self, resource: u16) -> Result<(), Code> {
        let is_reset = match resource {
            0 => self.package.is_reset(),
            1 => self.package_uri.is_empty(),
            _ => return Ok(()),
        };
        match (self.state, is_reset) {
            (FirmwareState::Updating, _) => return Err(Code::METHOD_NOT_ALLOWED),
            (_, true) => self.reset(),
            // A new package needs a reset first.
            (FirmwareState::Downloading | FirmwareState::Downloaded, false) => {
                return Err(Code::METHOD_NOT_ALLOWED);
            }
            (FirmwareState::Idle, false) => {
                self.result = UpdateResult::Initial;
                self.state = if resource == 0 {
                    FirmwareState::Downloaded
                } else {
                    FirmwareState::Downloading
                };
            }
        }
        Ok(())
    }

    fn update(&mut self) -> Result<(), Code> {
        if self.state != FirmwareState::Downloaded {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        self.state = FirmwareState::Updating;
        self.result = UpdateResult::Initial;
        Ok(())
    }
}

object! {
    impl FIRMWARE_UPDATE for FirmwareUpdate {
        0 => write package;
        1 => read_write package_uri;
        2 => execute |this, _arguments| this.update();
        3 => read state;
        5 => read result;
        6 => read name;
        7 => read version;
        8 => read protocols;
        9 => read delivery_method;
        written => |this, resource| this.written(resource);
    }
}
