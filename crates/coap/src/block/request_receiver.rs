//! Gathers a body that comes in the blocks of requests (RFC 7959 §2.5, §2.9).

use super::{Block, BlockLimits, Refusal, transfer_key};
use crate::{Code, Instant, Message, OptionNumber};

/// Gathers the body of one transfer of one peer.
///
/// Requests without Block1 and with it go through the same call:
///
/// ```
/// use dunlin_coap::{Code, Instant, Message};
/// use dunlin_coap::block::{Block1Received, Block1Receiver, BlockLimits};
/// // PUT, Block1 0/0/16, "hello"
/// let request = [0x40, 0x03, 0, 1, 0xD0, 0x0E, 0xFF, b'h', b'e', b'l', b'l', b'o'];
/// let request = Message::parse(&request).unwrap();
/// let mut receiver = Block1Receiver::new(BlockLimits::body(100));
/// let mut body = [0; 100];
/// let received = receiver.receive(Instant::ZERO, &request, &mut body);
/// let Block1Received::Complete { length, .. } = received else { panic!() };
/// assert_eq!(&body[..length], b"hello");
/// ```
///
/// A server that talks to many peers keeps one receiver for each running transfer and finds it by
/// peer and [`transfer_key`]; a block of a transfer that this receiver does not hold is 4.08.
#[derive(Clone, Debug)]
pub struct Block1Receiver {
    limits: BlockLimits,
    transfer: Option<Transfer>,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    key: u64,
    /// Bytes gathered.
    length: usize,
    /// Where the latest block began.
    latest: usize,
    deadline: Instant,
}

/// What to do with a request whose body is gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block1Received {
    /// The request has no Block1: its payload is the body.
    Single,
    /// More is to come: answer 2.31 with this Block1.
    Continue(Block),
    /// The body is complete: act, and answer with the final code and this Block1.
    Complete {
        /// The length of the body.
        length: usize,
        /// The Block1 of the answer.
        block: Block,
    },
    /// Answer with this error.
    Refuse(Refusal),
}

/// A part of a body, for a caller that passes it on instead of gathering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where the payload belongs in the body.
    pub offset: usize,
    /// Whether it is the last one.
    pub last: bool,
    /// Whether it was passed before: answer as before, do not use it again.
    pub repeated: bool,
    /// The Block1 of the answer: with 2.31 unless it is the last one.
    pub block: Block,
}

/// What to do with a request whose body is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkReceived {
    /// The request has no Block1: its payload is the body.
    Single,
    /// The payload is this part of the body.
    Chunk(Chunk),
    /// Answer with this error.
    Refuse(Refusal),
}

impl Block1Receiver {
    /// A receiver without a transfer.
    pub const fn new(limits: BlockLimits) -> Self {
        Self {
            limits,
            transfer: None,
        }
    }

    /// Takes a request and gathers its payload in `body`; the smaller of the length of `body` and
    /// [`BlockLimits::body`] bounds it.
    pub fn receive(
        &mut self,
        now: Instant,
        request: &Message<'_>,
        body: &mut [u8],
    ) -> Block1Received {
        let limit = self.limits.body.min(body.len());
        match self.step(now, request, limit) {
            ChunkReceived::Single => Block1Received::Single,
            ChunkReceived::Refuse(refusal) => Block1Received::Refuse(refusal),
            ChunkReceived::Chunk(chunk) => {
                let end = chunk.offset + request.payload.len();
                if let Some(space) = body.get_mut(chunk.offset..end) {
                    space.copy_from_slice(request.payload);
                }
                if chunk.last {
                    Block1Received::Complete {
                        length: end,
                        block: chunk.block,
                    }
                } else {
                    Block1Received::Continue(chunk.block)
                }
            }
        }
    }

    /// Takes a request whose payload the caller uses itself.
    pub fn pass(&mut self, now: Instant, request: &Message<'_>) -> ChunkReceived {
        self.step(now, request, self.limits.body)
    }

    /// The [`transfer_key`] of the running transfer.
    pub fn key(&self) -> Option<u64> {
        self.transfer.map(|transfer| transfer.key)
    }

    /// When the running transfer is to be dropped.
    pub fn deadline(&self) -> Option<Instant> {
        self.transfer.map(|transfer| transfer.deadline)
    }

    /// Drops a transfer that has been idle too long; `true` when it did.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let over = self.deadline().is_some_and(|deadline| deadline <= now);
        if over {
            self.transfer = None;
        }
        over
    }

    /// Drops the transfer.
    pub fn cancel(&mut self) {
        self.transfer = None;
    }

    fn step(&mut self, now: Instant, request: &Message<'_>, limit: usize) -> ChunkReceived {
        self.handle_timeout(now);
        let block = match Block::of(request, OptionNumber::BLOCK1) {
            Ok(Some(block)) => block,
            Ok(None) if request.payload.len() > limit => return self.too_large(None, limit),
            Ok(None) => return ChunkReceived::Single,
            Err(_) => return refuse(Code::BAD_REQUEST, "Block1 has the reserved size 7"),
        };
        let (offset, length) = (block.offset(), request.payload.len());
        // RFC 7959 §2.2: a block that is followed by more is full.
        let fits = if block.more {
            length == block.size.bytes()
        } else {
            length <= block.size.bytes()
        };
        if !fits {
            self.transfer = None;
            return refuse(
                Code::BAD_REQUEST,
                "the payload does not have the size that Block1 announces",
            );
        }
        let key = transfer_key(request);
        if block.num == 0 {
            let announced = request.uint(OptionNumber::SIZE1).unwrap_or(0) as usize;
            if announced > limit {
                return self.too_large(Some(block), limit);
            }
            // A first block discards what the same transfer had gathered (RFC 7959 §2.5).
            self.transfer = Some(Transfer {
                key,
                length: 0,
                latest: 0,
                deadline: now,
            });
        }
        let Some(transfer) = self
            .transfer
            .as_mut()
            .filter(|transfer| transfer.key == key)
        else {
            return refuse(
                Code::REQUEST_ENTITY_INCOMPLETE,
                "the blocks before this one are not known; start again at block 0",
            );
        };
        let repeated =
            offset == transfer.latest && offset + length == transfer.length && offset > 0;
        if offset != transfer.length && !repeated {
            self.transfer = None;
            return refuse(
                Code::REQUEST_ENTITY_INCOMPLETE,
                "a block is missing or out of order; start again at block 0",
            );
        }
        if offset + length > limit {
            return self.too_large(Some(block), limit);
        }
        transfer.latest = offset;
        transfer.length = offset + length;
        transfer.deadline = now + self.limits.idle;
        if !block.more {
            self.transfer = None;
        }
        ChunkReceived::Chunk(Chunk {
            offset,
            last: !block.more,
            repeated,
            block: Block {
                // Smaller blocks are asked for by a smaller SZX; NUM stays (RFC 7959 §2.3).
                size: block.size.min(self.limits.size),
                ..block
            },
        })
    }

    fn too_large(&mut self, block: Option<Block>, limit: usize) -> ChunkReceived {
        self.transfer = None;
        ChunkReceived::Refuse(Refusal {
            block1: block.map(|block| Block {
                more: false,
                ..block
            }),
            size1: u32::try_from(limit).ok(),
            ..Refusal::new(
                Code::REQUEST_ENTITY_TOO_LARGE,
                "the body is larger than this endpoint accepts",
            )
        })
    }
}

fn refuse(code: Code, diagnostic: &'static str) -> ChunkReceived {
    ChunkReceived::Refuse(Refusal::new(code, diagnostic))
}
