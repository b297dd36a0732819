//! Gathers a body that comes in the blocks of responses (RFC 7959 §2.4, §2.8).

use super::{Block, BlockLimits};
use crate::{Instant, Message, OptionNumber, Token};

/// How often a transfer starts again because the body changed.
const MAX_RESTARTS: u8 = 3;

/// Gathers the body of a response, block by block, all with the same ETag.
///
/// The first request may carry [`Block2Receiver::request`] (early negotiation) or no Block2 at
/// all. After each response, [`Block2Received::Next`] names the Block2 of the next request; that
/// one is sent without Observe and with another token when the first response was a notification
/// (RFC 7959 §3.4).
///
/// ```
/// use dunlin_coap::{Instant, Message};
/// use dunlin_coap::block::{Block2Received, Block2Receiver, BlockLimits};
/// let mut receiver = Block2Receiver::new(BlockLimits::body(100));
/// let mut body = [0; 100];
/// // 2.05, Block2 0/1/16, 16 bytes
/// let mut first = [7; 24];
/// first[..8].copy_from_slice(&[0x60, 0x45, 0, 1, 0xD1, 0x0A, 0x08, 0xFF]);
/// let first = Message::parse(&first).unwrap();
/// let received = receiver.receive(Instant::ZERO, &first, &mut body);
/// let Block2Received::Next(next) = received else { panic!() };
/// assert_eq!((next.num, next.size.bytes()), (1, 16));
/// ```
#[derive(Clone, Debug)]
pub struct Block2Receiver {
    limits: BlockLimits,
    length: usize,
    /// Of the first block; ETags have up to eight bytes, like tokens.
    etag: Option<Token>,
    restarts: u8,
    deadline: Option<Instant>,
    size: super::BlockSize,
}

/// What to do after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block2Received {
    /// The response has no Block2: its payload is the body.
    Single,
    /// Ask for this block.
    Next(Block),
    /// The body changed under way: ask for this block, the first one; what was gathered is void.
    Restart(Block),
    /// The body is complete.
    Complete {
        /// The length of the body.
        length: usize,
    },
    /// The transfer cannot go on.
    Failed(Block2Failure),
}

/// Why a transfer cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block2Failure {
    /// The body is larger than the limit; its length when the server told it.
    TooLarge {
        /// Size2.
        size2: Option<u32>,
    },
    /// The server answered with an error: the response tells.
    ErrorResponse,
    /// The response holds another block than the one asked for, or none.
    WrongBlock,
    /// The payload does not have the size that Block2 announces.
    WrongLength,
    /// The body changed again and again.
    TooManyRestarts,
}

impl Block2Receiver {
    /// Before the first response.
    pub const fn new(limits: BlockLimits) -> Self {
        Self {
            limits,
            length: 0,
            etag: None,
            restarts: 0,
            deadline: None,
            size: limits.size,
        }
    }

    /// The Block2 of the next request. With the first one it is optional: it tells the server the
    /// largest block wanted.
    pub fn request(&self) -> Block {
        // The offset was reached by blocks, so NUM fits; if not, the server refuses.
        Block::at(self.length, false, self.size).unwrap_or(Block {
            num: Block::MAX_NUM,
            more: false,
            size: self.size,
        })
    }

    /// When the transfer is to be given up, if it runs.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Forgets what was gathered, for a new body: a notification that arrives under way.
    pub fn start(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Takes a response and gathers its payload in `body`; the smaller of the length of `body`
    /// and [`BlockLimits::body`] bounds it.
    pub fn receive(
        &mut self,
        now: Instant,
        response: &Message<'_>,
        body: &mut [u8],
    ) -> Block2Received {
        let outcome = self.step(now, response, body);
        if !matches!(
            outcome,
            Block2Received::Next(_) | Block2Received::Restart(_)
        ) {
            self.start();
        }
        outcome
    }

    fn step(&mut self, now: Instant, response: &Message<'_>, body: &mut [u8]) -> Block2Received {
        use Block2Failure as Failure;
        let fail = Block2Received::Failed;
        let Ok(block) = Block::of(response, OptionNumber::BLOCK2) else {
            return fail(Failure::WrongBlock);
        };
        let limit = self.limits.body.min(body.len());
        let size2 = response.uint(OptionNumber::SIZE2);
        let block = match block {
            // An error response with blocks of its own is not this body either.
            _ if !response.code.is_success() && self.length > 0 => {
                return fail(Failure::ErrorResponse);
            }
            Some(block) => block,
            None if self.length > 0 => return fail(Failure::WrongBlock),
            None if response.payload.len() > limit => return fail(Failure::TooLarge { size2 }),
            None => return Block2Received::Single,
        };
        let etag = response.value(OptionNumber::ETAG).and_then(Token::new);
        if self.length == 0 {
            self.etag = etag;
        } else if self.etag != etag {
            return self.restart(now);
        }
        if block.offset() != self.length {
            return fail(Failure::WrongBlock);
        }
        let length = response.payload.len();
        let full = length == block.size.bytes();
        if !(full || (!block.more && length < block.size.bytes())) {
            return fail(Failure::WrongLength);
        }
        let end = self.length + length;
        let announced = size2.unwrap_or(0) as usize;
        if end > limit || (self.length == 0 && announced > limit) {
            return fail(Failure::TooLarge { size2 });
        }
        if let Some(space) = body.get_mut(self.length..end) {
            space.copy_from_slice(response.payload);
        }
        self.length = end;
        if !block.more {
            return Block2Received::Complete { length: end };
        }
        // Late negotiation: from the second block on the smaller of both sizes; the server's
        // larger first block ends at a multiple of it.
        self.size = self.size.min(block.size);
        self.deadline = Some(now + self.limits.idle);
        Block::at(end, false, self.size)
            .map_or(fail(Failure::TooLarge { size2 }), Block2Received::Next)
    }

    fn restart(&mut self, now: Instant) -> Block2Received {
        if self.restarts == MAX_RESTARTS {
            return Block2Received::Failed(Block2Failure::TooManyRestarts);
        }
        self.restarts += 1;
        self.length = 0;
        self.etag = None;
        self.deadline = Some(now + self.limits.idle);
        Block2Received::Restart(self.request())
    }
}
