//! Fetching an image: a GET for each block, all blocks with the same ETag (RFC 7959 §2.4).
//!
//! ```text
//! due -> request -> response -> Piece: stored, next block is due at once
//!                            -> Restart: the image changed; block 0 is due at once
//!                            -> Ended
//!                -> silence  -> due again at the same offset, ATTEMPTS times in a row, then Ended
//! ```

use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::block::{Block, BlockSize};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Token};

use super::{Piece, Source};

/// How many requests in a row may stay without an answer, each of them sent three or four times.
const ATTEMPTS: u8 = 4;
/// How many times ACK_TIMEOUT each of them is given: all together less than a minute, by which a
/// lost connection is to be told (ETS 775).
pub(crate) const PATIENCE: u32 = 7;
/// How often in a row the source may be in trouble.
const TROUBLES: u8 = 3;
/// How often the image may change while it is being fetched.
const RESTARTS: u8 = 3;
/// How long to wait when the source is in trouble (5.xx) and does not say for how long.
const TROUBLE: Duration = Duration::from_secs(10);
/// The longest wait that a source may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Why an image could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// The source refuses: 4.04 and other errors of class 4.
    Refused,
    /// Nobody answers, or not with the image.
    Lost,
}

/// How far a fetch is.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub(crate) peer: SocketAddr,
    offset: u32,
    size: BlockSize,
    tag: Option<Token>,
    /// Whether the tag is that of the image at this source.
    is_known: bool,
    silent: u8,
    restarts: u8,
    due: Instant,
    /// Whether a request is on its way.
    pub(crate) is_asked: bool,
}

/// What a response means.
pub(crate) enum Fetched<'m> {
    Piece(Piece<'m>, Token),
    /// Ask again, now or when it is due.
    Again,
    Ended(FetchFailure),
}

impl Fetch {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            offset: 0,
            size: BlockSize::MAX,
            tag: None,
            is_known: false,
            silent: 0,
            restarts: 0,
            due: Instant::ZERO,
            is_asked: false,
        }
    }

    /// Goes on with an image of which so many bytes are there, if it still has this tag. Without
    /// a tag nothing tells whether it is the same: it begins anew.
    pub(crate) fn resume(peer: SocketAddr, stored: u32, tag: &[u8]) -> Self {
        let mut fetch = Self::new(peer);
        if let Some(tag) = Token::new(tag).filter(|_| !tag.is_empty()) {
            let block = u32::from(BlockSize::MAX.szx()) + 4;
            fetch.offset = stored >> block << block;
            fetch.tag = Some(tag);
            fetch.is_known = true;
        }
        fetch
    }

    /// Bytes that are there.
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// Writes the options of the next request.
    pub(crate) fn write(&self, source: &Source<'_>, writer: &mut MessageWriter<'_>) {
        // What can be wrong about a URI was found when it was written.
        let _ = source.write_options(writer);
        let block = Block::at(self.offset as usize, false, self.size).unwrap_or(Block {
            num: Block::MAX_NUM,
            more: false,
            size: self.size,
        });
        writer.uint(OptionNumber::BLOCK2, block.value());
        if self.offset == 0 {
            // Asks for the size of the image (RFC 7959 §4).
            writer.uint(OptionNumber::SIZE2, 0);
        }
    }

    /// The request could not be sent now.
    pub(crate) fn put_off(&mut self, now: Instant) {
        self.due = now + TROUBLE;
    }

    /// Nobody answered.
    pub(crate) fn silence(&mut self, now: Instant) -> Option<FetchFailure> {
        self.silent += 1;
        self.due = now;
        (self.silent >= ATTEMPTS).then_some(FetchFailure::Lost)
    }

    pub(crate) fn response<'m>(&mut self, now: Instant, message: &Message<'m>) -> Fetched<'m> {
        if message.code.class() == 5 {
            return self.trouble(now, message);
        }
        self.silent = 0;
        self.due = now;
        if message.code != Code::CONTENT {
            // The image may have shrunk while it was fetched, or since the reboot.
            return if self.offset > 0 {
                self.restart()
            } else {
                Fetched::Ended(FetchFailure::Refused)
            };
        }
        let Ok(block) = Block::of(message, OptionNumber::BLOCK2) else {
            return Fetched::Ended(FetchFailure::Lost);
        };
        let block = block.unwrap_or(Block {
            num: 0,
            more: false,
            size: self.size,
        });
        let tag = message.value(OptionNumber::ETAG).and_then(Token::new);
        if self.is_known && tag != self.tag {
            return self.restart();
        }
        if block.offset() != self.offset as usize {
            return self.restart();
        }
        let is_full = message.payload.len() == block.size.bytes();
        // RFC 7959 §2.2: a block that is followed by more is full. Without Block2 any length is.
        let has_block = message.value(OptionNumber::BLOCK2).is_some();
        let fits =
            !has_block || is_full || (!block.more && message.payload.len() < block.size.bytes());
        let piece = Piece {
            offset: self.offset,
            bytes: message.payload,
            size: message.uint(OptionNumber::SIZE2).filter(|size| *size > 0),
            last: !block.more,
        };
        let (true, Some(end)) = (fits, piece.end()) else {
            return Fetched::Ended(FetchFailure::Lost);
        };
        self.tag = tag;
        self.is_known = true;
        self.offset = end;
        self.size = self.size.min(block.size);
        if !piece.last && Block::at(end as usize, false, self.size).is_none() {
            // More blocks than NUM can count.
            return Fetched::Ended(FetchFailure::Lost);
        }
        Fetched::Piece(piece, tag.unwrap_or(Token::EMPTY))
    }

    /// 5.xx: the source may recover; Max-Age of 5.03 tells when (RFC 7252 §5.9.3.4).
    fn trouble<'m>(&mut self, now: Instant, message: &Message<'m>) -> Fetched<'m> {
        self.silent += 1;
        if self.silent >= TROUBLES {
            return Fetched::Ended(FetchFailure::Lost);
        }
        let asked = message
            .uint(OptionNumber::MAX_AGE)
            .map(|seconds| Duration::from_secs(u64::from(seconds)));
        self.due = now + asked.unwrap_or(TROUBLE).min(LONGEST_WAIT);
        Fetched::Again
    }

    fn restart<'m>(&mut self) -> Fetched<'m> {
        if self.restarts == RESTARTS {
            return Fetched::Ended(FetchFailure::Lost);
        }
        self.restarts += 1;
        self.offset = 0;
        self.tag = None;
        self.is_known = false;
        Fetched::Again
    }
}
