//! Images: content larger than memory, such as firmware, that a server pushes block by block or
//! that the device fetches, and the storage it goes to.
//!
//! A device lends [`Firmware`](crate::objects::Firmware) and
//! [`Software`](crate::objects::Software) an [`ImageStorage`]. Pieces go there as they come; no
//! image is ever held in memory.

mod fetch;
mod intake;
mod ram;
mod record;
mod uri;

use core::net::IpAddr;

use dunlin_coap::Code;
use heapless::String;

pub use fetch::{Fetch, FetchFailure};
pub(crate) use fetch::{Fetched, PATIENCE};
pub(crate) use intake::Intake;
pub use ram::RamStorage;
pub(crate) use record::{Reader, Writer};
pub(crate) use uri::{Source, UriFault};

pub use crate::upload::Upload;

/// Where images go, and what else a device lends to the objects that manage images.
///
/// The bytes of one image come in order and without gaps. After an interruption a fetched image
/// goes on at or below [`ImageStorage::stored`].
pub trait ImageStorage {
    /// Makes room for an image; whatever was stored before goes. `size` is what the sender
    /// announced, in bytes.
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError>;

    /// Stores bytes at an offset of at most [`ImageStorage::stored`]; what stood there and behind
    /// is void.
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError>;

    /// The image is complete and has this size: checks its integrity and its type, and tells what
    /// it is.
    fn finish(&mut self, size: u32) -> Result<ImageInfo, ImageError>;

    /// Drops the image, complete or not.
    fn abort(&mut self);

    /// The bytes stored of the image that is under way or complete; after a reboot those that
    /// have survived it, 0 when none have.
    fn stored(&self) -> u32;

    /// Keeps the state of the object, at most [`MAX_STATE`] bytes, over a reboot. A storage that
    /// keeps nothing may ignore it: the device then begins with state Idle each time.
    fn save(&mut self, _state: &[u8]) {}

    /// Copies the state kept last to the beginning of `buffer` and returns its length; 0 when
    /// there is none.
    fn load(&mut self, _buffer: &mut [u8; MAX_STATE]) -> usize {
        0
    }

    /// The address of a host that a Package URI names. Literal addresses need no answer; without
    /// an answer a name makes the URI invalid (result 7).
    fn resolve(&mut self, _host: &str) -> Option<IpAddr> {
        None
    }

    /// Seconds since 1970, when the device knows them: for Last State Change Time (`/5/0/12`) and
    /// for a deferral that outlives a reboot.
    fn unix_time(&self) -> Option<i64> {
        None
    }
}

/// The most bytes that [`ImageStorage::save`] is asked to keep.
pub const MAX_STATE: usize = 512;

/// Why an image cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// There is not enough room in the storage.
    NoStorage,
    /// There is not enough memory.
    NoMemory,
    /// The integrity check failed.
    Integrity,
    /// The package type is not supported.
    UnsupportedPackage,
}

/// What a complete image says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// Name of the package; empty when it has none.
    pub name: String<32>,
    /// Version of the package; empty when it has none.
    pub version: String<32>,
}

/// A part of an image.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Where it begins in the image.
    pub offset: u32,
    /// The bytes.
    pub bytes: &'a [u8],
    /// The size of the whole image, when the sender announced it.
    pub size: Option<u32>,
    /// Whether it is the last one.
    pub last: bool,
}

impl Piece<'_> {
    /// The offset behind it; `None` beyond 4 GiB.
    fn end(&self) -> Option<u32> {
        self.offset
            .checked_add(u32::try_from(self.bytes.len()).ok()?)
    }

    /// A single NUL byte, or nothing at all, resets the state machine (Core 1.2 §E.6).
    pub(crate) fn is_reset(&self) -> bool {
        self.offset == 0 && self.last && matches!(self.bytes, [] | [0])
    }
}

/// How images get into an object: what the engine does with its instances beyond reading and
/// writing them. [`Firmware`](crate::objects::Firmware) and
/// [`Software`](crate::objects::Software) implement it.
pub trait Images {
    /// Whether a resource takes images.
    fn is_image(&self, instance: u16, resource: u16) -> bool;

    /// Takes a piece that a server writes. `is_first` begins an image, also when pieces of an
    /// earlier attempt of the same transfer came before. Whether the pieces behind it are wanted:
    /// after a fault they are not, and the image's result tells why. An error is the answer, and
    /// ends the transfer.
    fn push(&mut self, instance: u16, piece: &Piece<'_>, is_first: bool) -> Result<bool, Code>;

    /// The push under way.
    fn upload(&mut self) -> &mut Upload;

    /// The server has not gone on in time.
    fn push_lost(&mut self, instance: u16);

    /// What is being fetched: the instance, the URI, and how far it is.
    fn fetch(&mut self) -> Option<(u16, &str, &mut Fetch)>;

    /// Takes a piece that was fetched; `tag` names the state of the image at its source, and is
    /// empty when the source does not say.
    fn fetched(&mut self, instance: u16, piece: &Piece<'_>, tag: &[u8]);

    /// Fetching has ended without success.
    fn fetch_ended(&mut self, instance: u16, why: FetchFailure);
}
