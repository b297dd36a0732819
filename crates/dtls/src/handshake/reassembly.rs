//! Handshake messages put together from their fragments and into their order (RFC 6347 §4.2.2,
//! §4.2.3).

use alloc::vec::Vec;

use super::message::{HEADER, Header};

/// Messages ahead of the one that is due, with it, that have room.
const WINDOW: usize = 8;

/// The longest message; a chain of certificates is the longest there is.
const MAX_MESSAGE: usize = 16 * 1024;

/// Bytes of all messages that are not complete or not due.
const MAX_BUFFERED: usize = 32 * 1024;

/// Pieces of one message that do not touch.
const MAX_PIECES: usize = 32;

/// A message whose turn it is.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    /// The epoch its fragments came in: it says whether they were protected.
    pub(crate) epoch: u16,
    /// Header, as if it had come in one piece, and body: as the transcript takes it.
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is part of a message to come.
    Stored,
    /// Its message was taken already: the peer repeats itself.
    Old,
    /// It contradicts others, or there is no room.
    Refused,
}

#[derive(Debug)]
struct Partial {
    message: Message,
    sequence: u16,
    /// What is there: begin and end, sorted, not touching.
    pieces: Vec<(usize, usize)>,
}

/// The messages of the peer.
#[derive(Debug)]
pub(crate) struct Reassembly {
    /// The number of the message that is due.
    next: u16,
    partials: Vec<Partial>,
}

impl Reassembly {
    pub(crate) const fn new(next: u16) -> Self {
        Self {
            next,
            partials: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, epoch: u16, header: Header, fragment: &[u8]) -> Pushed {
        if header.sequence < self.next {
            return Pushed::Old;
        }
        if usize::from(header.sequence - self.next) >= WINDOW || header.length > MAX_MESSAGE {
            return Pushed::Refused;
        }
        let found = self
            .partials
            .iter()
            .position(|partial| partial.sequence == header.sequence);
        let index = match found {
            Some(index) => index,
            None => {
                let buffered: usize = self.partials.iter().map(|it| it.message.bytes.len()).sum();
                if buffered + HEADER + header.length > MAX_BUFFERED {
                    return Pushed::Refused;
                }
                self.partials.push(Partial::new(epoch, header));
                self.partials.len() - 1
            }
        };
        let partial = &mut self.partials[index];
        let message = &partial.message;
        if message.epoch != epoch
            || message.kind != header.kind
            || message.bytes.len() != HEADER + header.length
        {
            return Pushed::Refused;
        }
        if partial.insert(header.offset, fragment) {
            Pushed::Stored
        } else {
            Pushed::Refused
        }
    }

    /// Drops what came ahead.
    pub(crate) fn clear(&mut self) {
        self.partials.clear();
    }

    /// The message that is due, once it is complete.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let index = self
            .partials
            .iter()
            .position(|partial| partial.sequence == self.next && partial.is_complete())?;
        // A peer does not send 65536 messages in a handshake; numbers never wrap.
        self.next = self.next.checked_add(1)?;
        Some(self.partials.swap_remove(index).message)
    }
}

impl Partial {
    fn new(epoch: u16, header: Header) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + header.length);
        let whole = Header {
            offset: 0,
            ..header
        };
        whole.write(header.length, &mut bytes);
        bytes.resize(HEADER + header.length, 0);
        Self {
            message: Message {
                kind: header.kind,
                epoch,
                bytes,
            },
            sequence: header.sequence,
            pieces: Vec::new(),
        }
    }

    fn is_complete(&self) -> bool {
        let length = self.message.bytes.len() - HEADER;
        match self.pieces.as_slice() {
            [(0, end)] => *end == length,
            _ => false,
        }
    }

    /// Pieces may overlap: fragments of a repetition may be cut elsewhere (RFC 6347 §4.2.3). What is
    /// there already stays.
    fn insert(&mut self, begin: usize, fragment: &[u8]) -> bool {
        let end = begin + fragment.len();
        let from = self.pieces.partition_point(|piece| piece.1 < begin);
        let to = self.pieces.partition_point(|piece| piece.0 <= end);
        if from == to && self.pieces.len() == MAX_PIECES {
            return false;
        }
        let body = &mut self.message.bytes[HEADER..];
        // The gaps between the pieces that the fragment touches.
        let mut at = begin;
        for piece in &self.pieces[from..to] {
            if at < piece.0 {
                body[at..piece.0].copy_from_slice(&fragment[at - begin..piece.0 - begin]);
            }
            at = at.max(piece.1);
        }
        if at < end {
            body[at..end].copy_from_slice(&fragment[at - begin..]);
        }
        let merged = match self.pieces.get(from..to) {
            Some([first, ..]) => (first.0.min(begin), at.max(end)),
            _ => (begin, end),
        };
        self.pieces.splice(from..to, [merged]);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn header(sequence: u16, length: usize, offset: usize) -> Header {
        Header {
            kind: 11,
            length,
            sequence,
            offset,
        }
    }

    #[test]
    fn fragments_in_any_order_overlapping_or_twice() {
        let body: Vec<u8> = (0..100).collect();
        let cuts = [(80, 100), (10, 30), (20, 50), (10, 30), (0, 12), (45, 85)];
        let mut reassembly = Reassembly::new(3);
        for (index, (begin, end)) in cuts.into_iter().enumerate() {
            assert!(reassembly.pop().is_none(), "complete before cut {index}");
            let pushed = reassembly.push(0, header(3, 100, begin), &body[begin..end]);
            assert_eq!(pushed, Pushed::Stored);
        }
        let message = reassembly.pop().unwrap();
        assert_eq!(message.body(), body);
        assert_eq!(
            message.bytes[..12],
            [11, 0, 0, 100, 0, 3, 0, 0, 0, 0, 0, 100]
        );
        let again = reassembly.push(0, header(3, 100, 0), &body[..5]);
        assert_eq!(again, Pushed::Old);
    }

    #[test]
    fn messages_come_out_in_their_order() {
        let mut reassembly = Reassembly::new(0);
        assert_eq!(reassembly.push(0, header(1, 1, 0), &[1]), Pushed::Stored);
        assert!(reassembly.pop().is_none());
        assert_eq!(reassembly.push(0, header(0, 0, 0), &[]), Pushed::Stored);
        assert_eq!(reassembly.pop().unwrap().body(), []);
        assert_eq!(reassembly.pop().unwrap().body(), [1]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut reassembly = Reassembly::new(0);
        let far = header(8, 1, 0);
        assert_eq!(reassembly.push(0, far, &[1]), Pushed::Refused);
        let long = header(0, MAX_MESSAGE + 1, 0);
        assert_eq!(reassembly.push(0, long, &[1]), Pushed::Refused);
        assert_eq!(reassembly.push(0, header(0, 9, 0), &[1]), Pushed::Stored);
        let another_length = header(0, 8, 0);
        assert_eq!(reassembly.push(0, another_length, &[1]), Pushed::Refused);
        let another_epoch = header(0, 9, 1);
        assert_eq!(reassembly.push(1, another_epoch, &[1]), Pushed::Refused);
    }

    #[test]
    fn memory_is_bounded() {
        let mut reassembly = Reassembly::new(0);
        let stored = (0..8)
            .filter(|&it| reassembly.push(0, header(it, MAX_MESSAGE, 0), &[1]) == Pushed::Stored)
            .count();
        assert_eq!(stored, 1);
        let mut reassembly = Reassembly::new(0);
        let bytes = vec![0; 1];
        let pieces = (0..1000)
            .filter(|&it| reassembly.push(0, header(0, 2000, 2 * it), &bytes) == Pushed::Stored)
            .count();
        assert_eq!(pieces, MAX_PIECES);
    }
}
