//! What the payload memory holds, to be handed out in one piece or in blocks (RFC 7959).

use core::time::Duration;

use dunlin_coap::block::{Block, Block2Answer, Block2Server, BlockSize, Refusal};
use dunlin_coap::{Instant, Message, MessageWriter, OptionNumber};
use dunlin_lwm2m::{ContentFormat, Path};

/// EXCHANGE_LIFETIME: how long the later blocks of an answer may be asked for.
const IDLE: Duration = Duration::from_secs(247);
/// The longest header, token of a device's observation, ETag, Observe, Content-Format, Block2,
/// Size2 and payload marker.
const OVERHEAD: usize = 40;

/// The answer to a Read or Discover, or a notification, whose bytes lie in the payload memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendered {
    /// The Short Server ID of the server it is for.
    pub(crate) server: u16,
    pub(crate) path: Path,
    /// A digest of the paths of a composite; otherwise 0.
    pub(crate) group: u32,
    pub(crate) accept: Option<ContentFormat>,
    pub(crate) format: ContentFormat,
    pub(crate) length: usize,
    pub(crate) etag: [u8; 4],
    pub(crate) at: Instant,
}

impl Rendered {
    /// Whether a later block of this answer is asked for.
    pub(crate) fn serves(
        &self,
        now: Instant,
        server: u16,
        (path, group): (&Path, u32),
        accept: Option<ContentFormat>,
    ) -> bool {
        self.server == server
            && self.path == *path
            && self.group == group
            && self.accept == accept
            && now.saturating_since(self.at) <= IDLE
    }

    /// The part that answers a request, in datagrams of at most this size.
    pub(crate) fn answer(
        &self,
        request: &Message<'_>,
        datagram: usize,
    ) -> Result<Block2Answer, Refusal> {
        Block2Server::new(block_size(datagram)).answer(request, self.length)
    }

    /// The part that a notification carries: the first block when the whole does not fit.
    pub(crate) fn first(&self, datagram: usize) -> Block2Answer {
        let size = block_size(datagram);
        let end = self.length.min(size.bytes());
        let more = end < self.length;
        Block2Answer {
            range: 0..end,
            block: if more { Block::at(0, more, size) } else { None },
            size2: if more {
                u32::try_from(self.length).ok()
            } else {
                None
            },
        }
    }

    /// Writes options and payload.
    pub(crate) fn write(
        &self,
        payload: &[u8],
        observe: Option<u32>,
        part: &Block2Answer,
        writer: &mut MessageWriter<'_>,
    ) {
        if part.block.is_some() {
            writer.option(OptionNumber::ETAG, &self.etag);
        }
        if let Some(observe) = observe {
            writer.uint(OptionNumber::OBSERVE, observe);
        }
        writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(self.format.0));
        part.write(writer);
        writer.payload(payload.get(part.range.clone()).unwrap_or_default());
    }
}

/// Payloads up to 1024 bytes go in one piece when the datagram allows it (RFC 7252 §4.6).
pub(crate) fn block_size(datagram: usize) -> BlockSize {
    BlockSize::at_most(datagram.saturating_sub(OVERHEAD))
}
