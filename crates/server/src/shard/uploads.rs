//! Request bodies that arrive block by block (RFC 7959 §2.5), bounded in size, number and idle
//! time. No peer may have more than its share of them.

use core::time::Duration;
use std::collections::BTreeMap;

use dunlin_coap::block::Block;
use dunlin_coap::{Code, Instant, Message, OptionNumber};

use crate::directory::keyed_hash;
use crate::peer::Peer;

/// How many peers it takes to fill the table.
const SHARES: usize = 16;

/// Bodies being uploaded.
#[derive(Debug)]
pub(super) struct Uploads {
    partial: BTreeMap<Key, Partial>,
    /// Not later than the oldest touch.
    oldest: Option<Instant>,
    seed: u64,
    most: usize,
    idle: Duration,
    longest: usize,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Partial {
    body: Vec<u8>,
    touched: Instant,
}

/// What a request with a Block1 option comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The body is whole.
    Complete(Vec<u8>),
    /// Answer 2.31 and wait for the next block.
    Continue,
    /// Answer this code.
    Refuse(Code, &'static str),
}

impl Uploads {
    pub(super) fn new(seed: u64, most: usize, idle: Duration, longest: usize) -> Self {
        Self {
            partial: BTreeMap::new(),
            oldest: None,
            seed,
            most,
            idle,
            longest,
            key: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.partial.len()
    }

    pub(super) fn take(
        &mut self,
        now: Instant,
        from: Peer,
        message: &Message<'_>,
        block: Block,
    ) -> Progress {
        let key = (from, self.hash(message));
        if block.more && message.payload.len() != block.size.bytes() {
            self.partial.remove(&key);
            return Progress::Refuse(Code::BAD_REQUEST, "the block is not as long as it says");
        }
        if message.payload.len() > block.size.bytes() {
            return Progress::Refuse(Code::BAD_REQUEST, "the block is longer than it says");
        }
        let announced = message.uint(OptionNumber::SIZE1).unwrap_or(0) as usize;
        let end = block.offset() + message.payload.len();
        if end > self.longest || announced > self.longest {
            self.partial.remove(&key);
            return Progress::Refuse(Code::REQUEST_ENTITY_TOO_LARGE, "the body is too long");
        }
        let mut body = if block.num == 0 {
            // A new beginning discards what there was (RFC 7959 §2.5).
            self.partial.remove(&key);
            Vec::new()
        } else {
            match self.partial.remove(&key) {
                // The last block again, because its answer was lost for too long.
                Some(mut partial)
                    if block.more
                        && partial.body.len() == end
                        && partial.body.ends_with(message.payload) =>
                {
                    partial.touched = now;
                    self.partial.insert(key, partial);
                    return Progress::Continue;
                }
                Some(partial)
                    if partial.body.len() == block.offset()
                        && now.saturating_since(partial.touched) <= self.idle =>
                {
                    partial.body
                }
                _ => {
                    return Progress::Refuse(
                        Code::REQUEST_ENTITY_INCOMPLETE,
                        "a block is missing: begin again",
                    );
                }
            }
        };
        body.extend_from_slice(message.payload);
        if !block.more {
            return Progress::Complete(body);
        }
        let own = self.partial.range((from, 0)..=(from, u64::MAX));
        let gives_way = if own.clone().count() >= (self.most / SHARES).max(1) {
            longest_idle(own)
        } else if self.partial.len() >= self.most {
            longest_idle(self.partial.iter())
        } else {
            None
        };
        if let Some(key) = gives_way {
            self.partial.remove(&key);
        }
        self.partial.insert(key, Partial { body, touched: now });
        self.oldest.get_or_insert(now);
        Progress::Continue
    }

    /// Drops what has been idle for too long.
    pub(super) fn sweep(&mut self, now: Instant) {
        let idle = self.idle;
        self.partial
            .retain(|_, partial| now.saturating_since(partial.touched) <= idle);
        self.oldest = self.partial.values().map(|partial| partial.touched).min();
    }

    /// When [`Uploads::sweep`] has something to do.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        Some(self.oldest? + self.idle + Duration::from_micros(1))
    }

    /// All blocks of a body have the same method and options, except those about blocks and sizes
    /// (RFC 7959 §2.4). Request-Tag tells bodies apart that are the same else (RFC 9175 §3).
    fn hash(&mut self, message: &Message<'_>) -> u64 {
        self.key.clear();
        self.key.push(message.code.0);
        for option in message.options() {
            let varies = matches!(option.number, OptionNumber::BLOCK1 | OptionNumber::BLOCK2)
                || option.number.is_no_cache_key() && option.number != OptionNumber::REQUEST_TAG;
            if !varies {
                self.key.extend_from_slice(&option.number.0.to_be_bytes());
                self.key
                    .extend_from_slice(&(option.value.len() as u16).to_be_bytes());
                self.key.extend_from_slice(option.value);
            }
        }
        keyed_hash(self.seed, &self.key)
    }
}

type Key = (Peer, u64);

fn longest_idle<'p>(partial: impl Iterator<Item = (&'p Key, &'p Partial)>) -> Option<Key> {
    partial
        .min_by_key(|(_, partial)| partial.touched)
        .map(|(key, _)| *key)
}
