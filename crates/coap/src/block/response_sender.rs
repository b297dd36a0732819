//! Answers with the block of a body that was asked for (RFC 7959 §2.4).

use core::ops::Range;

use super::{Block, BlockSize, Refusal};
use crate::{Code, Message, MessageWriter, OptionNumber};

/// Cuts bodies into the blocks that requests ask for. It has no state: each request says which
/// block it wants, and the caller provides the same body each time (with an ETag that changes
/// when it does).
///
/// ```
/// use dunlin_coap::Message;
/// use dunlin_coap::block::{Block2Server, BlockSize};
/// // GET, Block2 1/0/64
/// let request = Message::parse(&[0x40, 0x01, 0, 1, 0xD1, 0x0A, 0x12]).unwrap();
/// let answer = Block2Server::new(BlockSize::MAX).answer(&request, 100).unwrap();
/// assert_eq!(answer.range, 64..100);
/// assert_eq!(answer.block.unwrap().num, 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block2Server {
    size: BlockSize,
}

/// The part of the body that answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block2Answer {
    /// Which bytes of the body.
    pub range: Range<usize>,
    /// The Block2 option; `None` when the body fits and blocks were not asked for.
    pub block: Option<Block>,
    /// The Size2 option: the length of the whole body, with its first block or when asked for.
    pub size2: Option<u32>,
}

impl Block2Server {
    /// A server of blocks of at most this size.
    pub const fn new(size: BlockSize) -> Self {
        Self { size }
    }

    /// Which block of a body of `length` bytes answers the request.
    ///
    /// A larger block than this server sends is answered by a smaller one that starts at the same
    /// byte. A block beyond the end and the reserved SZX 7 are 4.00.
    pub fn answer(&self, request: &Message<'_>, length: usize) -> Result<Block2Answer, Refusal> {
        let asked = Block::of(request, OptionNumber::BLOCK2)
            .map_err(|_| Refusal::new(Code::BAD_REQUEST, "Block2 has the reserved size 7"))?;
        let size = asked.map_or(self.size, |asked| asked.size.min(self.size));
        let offset = asked.map_or(0, Block::offset);
        if offset > 0 && offset >= length {
            return Err(Refusal::new(
                Code::BAD_REQUEST,
                "Block2 asks for a block beyond the end",
            ));
        }
        let end = (offset + size.bytes()).min(length);
        let more = end < length;
        let block = if asked.is_some() || more {
            let Some(block) = Block::at(offset, more, size) else {
                return Err(Refusal::new(
                    Code::BAD_REQUEST,
                    "the body has too many blocks of this size",
                ));
            };
            Some(block)
        } else {
            None
        };
        let wanted = request.value(OptionNumber::SIZE2).is_some() || (more && offset == 0);
        let size2 = u32::try_from(length).ok().filter(|_| wanted);
        Ok(Block2Answer {
            range: offset..end,
            block,
            size2,
        })
    }
}

impl Block2Answer {
    /// Adds Block2 and Size2. ETag, Observe and Content-Format are to be written before; a Block1
    /// (27), which comes between the two, takes [`Block2Answer::write_block`] and
    /// [`Block2Answer::write_size`].
    pub fn write(&self, writer: &mut MessageWriter<'_>) {
        self.write_block(writer);
        self.write_size(writer);
    }

    /// Adds Block2.
    pub fn write_block(&self, writer: &mut MessageWriter<'_>) {
        if let Some(block) = self.block {
            writer.uint(OptionNumber::BLOCK2, block.value());
        }
    }

    /// Adds Size2.
    pub fn write_size(&self, writer: &mut MessageWriter<'_>) {
        if let Some(size) = self.size2 {
            writer.uint(OptionNumber::SIZE2, size);
        }
    }
}
