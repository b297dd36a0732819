//! Images that a server pushes: pieces of a Write pass through as they come, whatever the size of
//! the whole (Core 1.2 §E.6; RFC 7959 §2.5).

use core::time::Duration;

use dunlin_coap::block::{
    Block, Block1Receiver, BlockLimits, BlockSize, ChunkReceived, transfer_key,
};
use dunlin_coap::{Code, Instant, Message, OptionNumber};
use dunlin_lwm2m::operation::read_path;
use dunlin_lwm2m::{ContentFormat, Level, Path};

use crate::access::Right;
use crate::image::{Images, Piece};
use crate::object::Objects;
use crate::serve::Answer;
use crate::session::{Session, Shared};
use crate::tree;

/// EXCHANGE_LIFETIME: how long a server may take until its next block (RFC 7959 §2.4).
const IDLE: Duration = Duration::from_secs(247);

/// The push into an object that is under way.
#[derive(Clone, Debug)]
pub struct Upload {
    receiver: Block1Receiver,
    /// The `/1` instance of the server that pushes, and what it pushes to.
    running: Option<(u16, Target)>,
    header: Header,
    /// The storage has failed, which the result tells: the rest is taken, so that the Write ends
    /// with 2.04, and dropped (ETS 773, 774).
    is_vain: bool,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    instance: u16,
    resource: u16,
}

/// What stands before an image in its format.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    /// So many bytes.
    size: u8,
    /// The size of the image, where the format tells it.
    length: Option<u32>,
}

impl Upload {
    pub(crate) const fn new() -> Self {
        Self {
            receiver: Block1Receiver::new(BlockLimits {
                // As far as offsets go; the storage knows its own size.
                body: u32::MAX as usize,
                size: BlockSize::MAX,
                idle: IDLE,
            }),
            running: None,
            header: Header {
                size: 0,
                length: None,
            },
            is_vain: false,
            deadline: Instant::ZERO,
        }
    }

    /// The push was reset, or is over.
    pub(crate) fn forget(&mut self) {
        self.running = None;
        self.receiver.cancel();
    }

    /// When the server will have taken too long.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.running.map(|_| self.deadline)
    }

    /// Ends a push that the server has not gone on with: the instance it went to.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<u16> {
        let (_, target) = self.running.take_if(|_| self.deadline <= now)?;
        Some(target.instance)
    }

    /// The part of a payload that belongs to the image.
    fn piece<'m>(
        &self,
        message: &Message<'m>,
        offset: usize,
        last: bool,
    ) -> Result<Piece<'m>, Code> {
        let header = usize::from(self.header.size);
        let bytes = if offset == 0 {
            message.payload.get(header..).unwrap_or_default()
        } else {
            message.payload
        };
        let offset = u32::try_from(offset.saturating_sub(header))
            .map_err(|_| Code::REQUEST_ENTITY_TOO_LARGE)?;
        let end = offset as usize + bytes.len();
        // What the format announces is neither exceeded nor missed.
        let fits = self.header.length.is_none_or(|length| {
            if last {
                end == length as usize
            } else {
                end <= length as usize
            }
        });
        let announced = message.uint(OptionNumber::SIZE1);
        fits.then_some(Piece {
            offset,
            bytes,
            size: self.header.length.or(announced.filter(|size| *size > 0)),
            last,
        })
        .ok_or(Code::BAD_REQUEST)
    }
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    pub(crate) fn images(&mut self, object: u16) -> Option<&mut dyn Images> {
        tree::find_mut(&mut self.tree, object)?.images()
    }
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Takes a request that writes an image, or a block of one; `None` when it is something else.
    pub(crate) fn upload<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
    ) -> Option<Answer> {
        let block = Block::of(message, OptionNumber::BLOCK1).ok()?;
        let is_later = block.is_some_and(|block| block.num > 0);
        let path = read_path(message, "").ok()?;
        let object = path.object_id().filter(|id| !tree::is_hidden(*id))?;
        let images = shared.images(object)?;
        let mut upload = images.upload().clone();
        let target = if is_later {
            let (account, target) = upload.running?;
            let is_same =
                account == self.instance && upload.receiver.key() == Some(transfer_key(message));
            is_same.then_some(target)?
        } else {
            let (target, header) = begins_image(images, &path, message)?;
            let at = Path::resource(object, target.instance, target.resource);
            let requester = self.requester(shared);
            let is_reset = block.is_none() && matches!(message.payload, [] | [0]);
            let refusal = if !requester.may(&shared.tree, Right::Write, &at) {
                Some(Code::UNAUTHORIZED)
            } else if is_reset {
                None
            } else {
                // Two at a time have no place, and the first one goes on. Only its own first block
                // begins it anew (RFC 7959 §2.5).
                let is_other = |running| block.is_none() || running != (self.instance, target);
                let is_taken = !upload.is_vain && upload.running.is_some_and(is_other);
                is_taken.then_some(Code::METHOD_NOT_ALLOWED)
            };
            if let Some(code) = refusal {
                return Some(self.reported(shared, "Write", at, code.into()));
            }
            upload.header = header;
            upload.is_vain = false;
            target
        };
        let path = Path::resource(object, target.instance, target.resource);
        let (offset, last, block) = match upload.receiver.pass(now, message) {
            ChunkReceived::Single => (0, true, None),
            ChunkReceived::Refuse(refusal) => {
                // The server may begin anew until the time is over.
                *shared.images(object)?.upload() = upload;
                return Some(self.reported(shared, "Write", path, refusal.into()));
            }
            ChunkReceived::Chunk(chunk) => (chunk.offset, chunk.last, Some(chunk)),
        };
        upload.deadline = now + IDLE;
        let is_repeated = block.is_some_and(|chunk| chunk.repeated);
        let block = block.map(|chunk| chunk.block);
        let images = shared.images(object)?;
        let result = match upload.piece(message, offset, last) {
            Ok(_) if is_repeated || upload.is_vain => Ok(()),
            Ok(piece) => {
                let pushed = images.push(target.instance, &piece, offset == 0);
                upload.is_vain = pushed == Ok(false);
                pushed.map(|_| ())
            }
            Err(code) => {
                images.push_lost(target.instance);
                Err(code)
            }
        };
        upload.running = (!last && result.is_ok()).then_some((self.instance, target));
        if upload.running.is_none() {
            upload.receiver.cancel();
        }
        let has_more = upload.running.is_some();
        *images.upload() = upload;
        if has_more {
            return Some(Answer::from(Code::CONTINUE).with_block1(block));
        }
        let block = block.map(|block| Block {
            more: false,
            ..block
        });
        let answer = Answer::from(result.err().unwrap_or(Code::CHANGED));
        Some(self.reported(shared, "Write", path, answer.with_block1(block)))
    }
}

/// Whether a request begins an image: where it goes, and what of its format stands before it.
///
/// A Write of the bytes alone, PUT as the Transport mapping has it and POST as the figure of
/// Core 1.2 §E.6 shows it; and in blocks also as TLV or CBOR, whose header fits into the first one.
fn begins_image(
    images: &dyn Images,
    path: &Path,
    message: &Message<'_>,
) -> Option<(Target, Header)> {
    let is_write = matches!(message.code, Code::PUT | Code::POST);
    if !is_write || message.value(OptionNumber::URI_QUERY).is_some() {
        return None;
    }
    let format = ContentFormat(message.content_format()?).current();
    let in_blocks = matches!(
        Block::of(message, OptionNumber::BLOCK1),
        Ok(Some(Block { more: true, .. }))
    );
    let (resource, size, length) = match (path.level(), format) {
        (Level::Resource, ContentFormat::OPAQUE) => (path.resource_id()?, 0, None),
        (Level::Resource, ContentFormat::CBOR) if in_blocks => {
            let (size, length) = cbor_header(message.payload)?;
            (path.resource_id()?, size, Some(length))
        }
        (Level::Resource | Level::ObjectInstance, ContentFormat::TLV) if in_blocks => {
            let (resource, size, length) = tlv_header(message.payload)?;
            let is_meant = path.resource_id().is_none_or(|id| id == resource);
            // Further resources behind the image are not streamed.
            (is_meant.then_some(resource)?, size, Some(length))
        }
        _ => return None,
    };
    let target = Target {
        instance: path.instance_id()?,
        resource,
    };
    let header = Header { size, length };
    images
        .is_image(target.instance, resource)
        .then_some((target, header))
}

/// A byte string whose length stands before it (RFC 8949 §3.1, major type 2).
fn cbor_header(payload: &[u8]) -> Option<(u8, u32)> {
    match *payload {
        [0x58, length, ..] => Some((2, length.into())),
        [0x59, a, b, ..] => Some((3, u16::from_be_bytes([a, b]).into())),
        [0x5A, a, b, c, d, ..] => Some((5, u32::from_be_bytes([a, b, c, d]))),
        _ => None,
    }
}

/// The header of a TLV "Resource with Value" (Core 1.2 §7.4.3): the id, the size of the header,
/// and the length of the value.
fn tlv_header(payload: &[u8]) -> Option<(u16, u8, u32)> {
    let (kind, rest) = payload.split_first()?;
    if kind >> 6 != 0b11 {
        return None;
    }
    let id_bytes = if kind & 0x20 == 0 { 1 } else { 2 };
    let length_bytes = usize::from(kind >> 3 & 3);
    let (id, rest) = rest.split_at_checked(id_bytes)?;
    let length = rest.get(..length_bytes)?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
    };
    let length = if length_bytes == 0 {
        u32::from(kind & 7)
    } else {
        number(length)
    };
    let id = u16::try_from(number(id)).ok()?;
    Some((id, (1 + id_bytes + length_bytes) as u8, length))
}
