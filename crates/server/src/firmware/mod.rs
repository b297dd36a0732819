//! Firmware updates (object 5, Core 1.2 Appendix E.6): images, and the job that brings one to a
//! device, watches it and tells how it ended.
//!
//! ```text
//! starting ─┬─ push: Write /5/0/0 block by block ──────────┬─> downloaded ─> Execute /5/0/2 ─> installing ─> done
//!           └─ pull: Write /5/0/1, the device fetches it ──┘      └─ not asked for: done
//! ```
//!
//! [`job`] is the machine, without clock and socket; [`service`](FirmwareService) runs it against
//! the shards and keeps images and jobs on disk.

mod images;
pub mod job;
mod progress;
mod said;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use images::{Image, ImageError};
pub use service::{FirmwareService, StartUpdate, UpdateError};
pub(crate) use store::MIGRATION;

/// Bounds of what is kept for firmware updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareConfig {
    /// Bytes of an image; a larger one is refused.
    pub image_bytes: usize,
    /// Images kept; more are refused.
    pub images: usize,
    /// Jobs under way at the same time; more are refused.
    pub jobs: usize,
    /// Host and port that stand in the addresses devices are told for a pull, as in
    /// `coap.example.com:5683`. Without it, it is the address the server has on the way to the
    /// device, which is wrong behind an address translator.
    pub advertise: Option<String>,
}

impl Default for FirmwareConfig {
    fn default() -> Self {
        Self {
            image_bytes: 64 * 1024 * 1024,
            images: 256,
            jobs: 4096,
            advertise: None,
        }
    }
}

/// How an image gets to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The server writes it to `/5/0/0`.
    Push,
    /// The device fetches it from the address in `/5/0/1`.
    Pull,
}

impl Method {
    /// `push` or `pull`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }

    /// The method of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Push, Self::Pull]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The device is looked at and made ready.
    Starting,
    /// The image is being written to it.
    Pushing,
    /// The device is fetching it.
    Pulling,
    /// It was told to install, and may be restarting.
    Installing,
    /// It has what was asked for.
    Done,
    /// It has not, and will not.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Starting,
        Self::Pushing,
        Self::Pulling,
        Self::Installing,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// In one word, as in `pushing`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Pushing => "pushing",
            Self::Pulling => "pulling",
            Self::Installing => "installing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether the job has ended.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// How the firmware update of a device stands.
#[derive(Clone, Debug, PartialEq)]
pub struct FirmwareStatus {
    /// The device.
    pub endpoint: String,
    /// Id of the image.
    pub image: String,
    /// Its name.
    pub image_name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How it gets there; `None` while that depends on the device.
    pub method: Option<Method>,
    /// Whether it is installed once it is there.
    pub install: bool,
    /// How far the job is.
    pub stage: Stage,
    /// The same in words, with the reason when it failed or does not go on.
    pub text: String,
    /// Bytes the device has acknowledged (push) or asked for (pull).
    pub sent: u64,
    /// State of the device, `/5/0/3`, when it was last read.
    pub device_state: Option<i64>,
    /// Update Result of the device, `/5/0/5`, when it was last read.
    pub result: Option<i64>,
    /// Firmware Version, `/3/0/3`, before.
    pub version_before: Option<String>,
    /// Firmware Version after the installation.
    pub version_after: Option<String>,
    /// In Unix seconds.
    pub started_at: f64,
    /// In Unix seconds; `None` while it is under way.
    pub finished_at: Option<f64>,
}

/// What a State of `/5/0/3` is called (Core 1.2 Appendix E.6).
pub fn state_text(state: i64) -> String {
    match state {
        0 => "Idle".to_owned(),
        1 => "Downloading".to_owned(),
        2 => "Downloaded".to_owned(),
        3 => "Updating".to_owned(),
        _ => format!("state {state}, which the standard does not know"),
    }
}

/// What an Update Result of `/5/0/5` says (Core 1.2 Appendix E.6).
pub fn result_text(result: i64) -> String {
    let text = match result {
        0 => "no result yet",
        1 => "updated successfully",
        2 => "not enough flash memory for the new firmware",
        3 => "out of RAM during the download",
        4 => "connection lost during the download",
        5 => "integrity check failed",
        6 => "unsupported package type",
        7 => "invalid URI",
        8 => "the update failed",
        9 => "unsupported protocol",
        10 => "the update was cancelled",
        11 => "the update was deferred",
        _ => return format!("result {result}, which the standard does not know"),
    };
    text.to_owned()
}
