//! Sends a body in the blocks of requests (RFC 7959 §2.5, §2.9).

use super::{Block, BlockSize};
use crate::{Code, Message, MessageWriter, OptionNumber};

/// How often a transfer starts again because the receiver has lost it.
const MAX_RESTARTS: u8 = 3;

/// Sends a body block by block: one request for each, the next one after
/// [`Block1Sender::on_response`] said [`Block1Sent::Next`].
///
/// ```
/// use dunlin_coap::{Code, Message, MessageWriter, Type};
/// use dunlin_coap::block::{Block1Sender, Block1Sent, BlockSize};
/// let body = [7; 100];
/// let mut sender = Block1Sender::new(body.len(), BlockSize::at_most(64));
/// let mut buffer = [0; 128];
/// let mut request = MessageWriter::new(&mut buffer, Type::Confirmable, Code::PUT, 1, &[]);
/// sender.write(&body, &mut request);
/// // 2.31 Continue, Block1 0/1/64
/// let response = Message::parse(&[0x60, 0x5F, 0, 1, 0xD1, 0x0E, 0x0A]).unwrap();
/// assert_eq!(sender.on_response(&response), Block1Sent::Next);
/// assert_eq!(sender.range(), 64..100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block1Sender {
    length: usize,
    offset: usize,
    size: BlockSize,
    restarts: u8,
    blockwise: bool,
}

/// What follows from the response to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block1Sent {
    /// Send the next request with [`Block1Sender::write`]: the next block, or the first one again
    /// after the receiver asked for smaller blocks or lost the transfer.
    Next,
    /// The response is the final one, success or error.
    Done,
    /// The transfer cannot go on.
    Failed(Block1Failure),
}

/// Why a transfer cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block1Failure {
    /// 4.08 again and again.
    TooManyRestarts,
    /// The response acknowledges another block, or none, or has the reserved SZX 7.
    WrongBlock,
    /// The body has more than 2^20 blocks of the size that the receiver asks for.
    TooManyBlocks,
}

impl Block1Sender {
    /// Starts a transfer of a body of so many bytes. A body that fits into one block is sent
    /// without Block1.
    pub const fn new(length: usize, size: BlockSize) -> Self {
        Self {
            length,
            offset: 0,
            size,
            restarts: 0,
            blockwise: length > size.bytes(),
        }
    }

    /// Goes on with a transfer of which the receiver has taken `offset` bytes, a multiple of the
    /// size: after a restart of the sender, say. A receiver that has forgotten it answers 4.08, and
    /// it begins again.
    pub const fn resume(length: usize, size: BlockSize, offset: usize) -> Self {
        Self {
            offset,
            blockwise: true,
            ..Self::new(length, size)
        }
    }

    /// The part of the body that the next request carries.
    pub fn range(&self) -> core::ops::Range<usize> {
        let end = (self.offset + self.size.bytes()).min(self.length);
        self.offset.min(end)..end
    }

    /// The Block1 option of the next request, `None` when the body fits into one message.
    pub fn block(&self) -> Option<Block> {
        let more = self.range().end < self.length;
        Block::at(self.offset, more, self.size).filter(|_| self.blockwise)
    }

    /// Whether the next request carries the end of the body.
    pub fn is_last(&self) -> bool {
        self.range().end == self.length
    }

    /// Adds Block1, Size1 with the first block, and the payload. Options up to Block2 are to be
    /// written before; none can follow (see [`Block1Sender::block`] and [`Block1Sender::range`]
    /// for doing it by hand, with a Request-Tag).
    pub fn write(&self, body: &[u8], writer: &mut MessageWriter<'_>) {
        if let Some(block) = self.block() {
            writer.uint(OptionNumber::BLOCK1, block.value());
            if block.num == 0 && block.more {
                let size = u32::try_from(self.length).unwrap_or(u32::MAX);
                writer.uint(OptionNumber::SIZE1, size);
            }
        }
        writer.payload(body.get(self.range()).unwrap_or_default());
    }

    /// Takes the response to the latest request.
    pub fn on_response(&mut self, response: &Message<'_>) -> Block1Sent {
        let Ok(block) = Block::of(response, OptionNumber::BLOCK1) else {
            return Block1Sent::Failed(Block1Failure::WrongBlock);
        };
        self.on_answer(response.code, block)
    }

    /// As [`Block1Sender::on_response`], for one who keeps no message: its code and its Block1.
    pub fn on_answer(&mut self, code: Code, block: Option<Block>) -> Block1Sent {
        match code {
            // The receiver lost the transfer. One message alone cannot be incomplete.
            Code::REQUEST_ENTITY_INCOMPLETE if self.blockwise => self.restart(self.size),
            // RFC 7959 §2.9.3: too large a block, if a smaller size comes with it.
            Code::REQUEST_ENTITY_TOO_LARGE => match block {
                Some(block) if block.size < self.size => self.restart(block.size),
                _ => Block1Sent::Done,
            },
            code if code.is_success() && !self.is_last() => self.advance(block),
            // The whole body was received but not understood as such.
            Code::CONTINUE => Block1Sent::Failed(Block1Failure::WrongBlock),
            _ => Block1Sent::Done,
        }
    }

    fn advance(&mut self, block: Option<Block>) -> Block1Sent {
        let sent = self.offset / self.size.bytes();
        let Some(block) = block.filter(|block| block.num as usize == sent) else {
            return Block1Sent::Failed(Block1Failure::WrongBlock);
        };
        // RFC 7959 §2.3: a smaller size counts from the next block on, at the same byte offset.
        self.offset += self.size.bytes();
        self.size = self.size.min(block.size);
        self.check_number()
    }

    fn restart(&mut self, size: BlockSize) -> Block1Sent {
        if self.restarts == MAX_RESTARTS {
            return Block1Sent::Failed(Block1Failure::TooManyRestarts);
        }
        self.restarts += 1;
        self.offset = 0;
        self.size = size;
        self.blockwise = true;
        self.check_number()
    }

    fn check_number(&self) -> Block1Sent {
        match self.block() {
            Some(_) => Block1Sent::Next,
            None => Block1Sent::Failed(Block1Failure::TooManyBlocks),
        }
    }
}
