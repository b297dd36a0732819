//! Datagrams that wait, end to end in one piece of memory that is used again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

/// How many wait at most. More than a handshake flight and its repetition; what is beyond is lost
/// like any datagram.
const MOST: usize = 64;

#[derive(Debug)]
pub(super) struct Packets<T> {
    items: VecDeque<(T, Range<usize>)>,
    bytes: Vec<u8>,
}

impl<T> Packets<T> {
    pub(super) const fn new() -> Self {
        Self {
            items: VecDeque::new(),
            bytes: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, with: T, bytes: &[u8]) {
        if self.items.is_empty() {
            self.bytes.clear();
        }
        if self.items.len() < MOST {
            let begin = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            self.items.push_back((with, begin..self.bytes.len()));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(T, Range<usize>)> {
        self.items.pop_front()
    }

    /// What a range of [`Packets::pop`] stands for, until the next [`Packets::push`].
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_out_as_they_went_in_and_are_bounded() {
        let mut packets = Packets::new();
        packets.push(1, b"one");
        packets.push(2, b"");
        let (with, range) = packets.pop().expect("is there");
        assert_eq!((with, packets.get(range)), (1, &b"one"[..]));
        assert_eq!(packets.pop().map(|(with, _)| with), Some(2));
        assert!(packets.is_empty());
        for _ in 0..2 * MOST {
            packets.push(3, b"three");
        }
        let mut left = 0;
        while let Some((_, range)) = packets.pop() {
            assert_eq!(packets.get(range), b"three");
            left += 1;
        }
        assert_eq!(left, MOST);
    }
}
