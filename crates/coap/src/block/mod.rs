//! Block-wise transfer (RFC 7959): the option value, and one pure state machine for each role.
//!
//! | Role | Body in a request | Body in a response |
//! |---|---|---|
//! | sends the body | [`Block1Sender`] | [`Block2Server`] |
//! | gathers the body | [`Block1Receiver`] | [`Block2Receiver`] |
//!
//! None of them holds the body: it is a slice that the caller lends to each call.

mod request_receiver;
mod request_sender;
mod response_receiver;
mod response_sender;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub use request_receiver::{Block1Received, Block1Receiver, Chunk, ChunkReceived};
pub use request_sender::{Block1Failure, Block1Sender, Block1Sent};
pub use response_receiver::{Block2Failure, Block2Received, Block2Receiver};
pub use response_sender::{Block2Answer, Block2Server};

use crate::{Code, Message, MessageWriter, OptionNumber, uint_value};

/// A block size: 16, 32, ... 1024 bytes (SZX 0 to 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize(u8);

impl BlockSize {
    /// 16 bytes.
    pub const MIN: Self = Self(0);
    /// 1024 bytes.
    pub const MAX: Self = Self(6);

    /// The size of this SZX; `None` for 7, which is reserved over UDP (RFC 7959 §2.2).
    pub const fn from_szx(szx: u8) -> Option<Self> {
        if szx <= 6 { Some(Self(szx)) } else { None }
    }

    /// The largest size of at most so many bytes, but at least 16.
    ///
    /// ```
    /// use dunlin_coap::block::BlockSize;
    /// assert_eq!(BlockSize::at_most(1000).bytes(), 512);
    /// ```
    pub const fn at_most(bytes: usize) -> Self {
        let mut szx = 6;
        while szx > 0 && 16 << szx > bytes {
            szx -= 1;
        }
        Self(szx)
    }

    /// The SZX.
    pub const fn szx(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        16 << self.0
    }
}

impl Default for BlockSize {
    fn default() -> Self {
        Self::MAX
    }
}

/// The value of a Block1 or Block2 option (RFC 7959 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// NUM, below 2^20.
    pub num: u32,
    /// M: more blocks follow. (A response's Block1: not yet applied.)
    pub more: bool,
    /// SZX.
    pub size: BlockSize,
}

impl Block {
    /// The largest NUM.
    pub const MAX_NUM: u32 = (1 << 20) - 1;

    /// The block at a byte offset, which must be a multiple of the size; `None` when NUM would
    /// not fit into 20 bits.
    pub fn at(offset: usize, more: bool, size: BlockSize) -> Option<Self> {
        let num = u32::try_from(offset / size.bytes()).ok()?;
        (num <= Self::MAX_NUM).then_some(Self { num, more, size })
    }

    /// Reads an option value of up to three bytes; `None` for SZX 7.
    pub fn from_value(value: &[u8]) -> Option<Self> {
        if value.len() > 3 {
            return None;
        }
        let value = uint_value(value)?;
        Some(Self {
            num: value >> 4,
            more: value & 8 != 0,
            size: BlockSize::from_szx((value & 7) as u8)?,
        })
    }

    /// The option of a message. SZX 7 has no meaning over UDP (RFC 7959 §2.2): an error.
    pub fn of(message: &Message<'_>, number: OptionNumber) -> Result<Option<Self>, ReservedSize> {
        message.value(number).map_or(Ok(None), |value| {
            Self::from_value(value).map(Some).ok_or(ReservedSize)
        })
    }

    /// The option value as a number.
    pub const fn value(self) -> u32 {
        self.num << 4 | (self.more as u32) << 3 | self.size.szx() as u32
    }

    /// The offset of the block's first byte in the body.
    pub const fn offset(self) -> usize {
        self.num as usize * self.size.bytes()
    }
}

/// A block option has SZX 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedSize;

/// How a request is refused for its use of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 4.00, 4.08 or 4.13.
    pub code: Code,
    /// The Block1 option of the answer.
    pub block1: Option<Block>,
    /// The Size1 option of the answer: the largest acceptable body.
    pub size1: Option<u32>,
    /// What is wrong, for people.
    pub diagnostic: &'static str,
}

impl Refusal {
    pub(crate) const fn new(code: Code, diagnostic: &'static str) -> Self {
        Self {
            code,
            block1: None,
            size1: None,
            diagnostic,
        }
    }

    /// Writes options and diagnostic payload; the code is for the caller to set.
    pub fn write(&self, writer: &mut MessageWriter<'_>) {
        if let Some(block) = self.block1 {
            writer.uint(OptionNumber::BLOCK1, block.value());
        }
        if let Some(size) = self.size1 {
            writer.uint(OptionNumber::SIZE1, size);
        }
        writer.payload(self.diagnostic.as_bytes());
    }
}

/// Limits of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// The largest body in bytes.
    pub body: usize,
    /// The largest block that is asked for.
    pub size: BlockSize,
    /// How long the next block may take; then what was gathered is dropped. EXCHANGE_LIFETIME,
    /// 247 s, is what senders may count on (RFC 7959 §2.4).
    pub idle: Duration,
}

impl BlockLimits {
    /// Bodies up to so many bytes, blocks of 1024, 247 s.
    pub const fn body(body: usize) -> Self {
        Self {
            body,
            size: BlockSize::MAX,
            idle: Duration::from_secs(247),
        }
    }
}

/// A number that is equal for all blocks of one transfer: it covers the method and all options
/// but for Block1, Block2, and the elective ones that are no part of the cache key, such as Size1
/// and Size2 (RFC 7959 §2.4, RFC 9175 §3.3). Request-Tag and Content-Format are covered; Observe
/// is not, for some put it into the last block of a large FETCH only.
///
/// Together with the peer it names the transfer that a request belongs to. Two transfers of one
/// peer may meet by accident once in 2^64; nothing but that peer's own body suffers.
pub fn transfer_key(message: &Message<'_>) -> u64 {
    let mut key = 0xCBF2_9CE4_8422_2325_u64 ^ u64::from(message.code.0);
    let mut mix = |word: u64| {
        let product = u128::from(key ^ word) * u128::from(0x9E37_79B9_7F4A_7C15_u64);
        key = (product as u64) ^ ((product >> 64) as u64) ^ 0xA076_1D64_78BD_642F;
    };
    for option in message.options() {
        let number = option.number;
        let differs = matches!(
            number,
            OptionNumber::BLOCK1 | OptionNumber::BLOCK2 | OptionNumber::OBSERVE
        ) || (number.is_no_cache_key() && !number.is_critical());
        if differs {
            continue;
        }
        mix(u64::from(number.0) << 32 | option.value.len() as u64);
        for bytes in option.value.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            mix(u64::from_le_bytes(word));
        }
    }
    key
}
